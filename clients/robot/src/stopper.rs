//! Stops a command: politely, then hard.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::Process;
use crate::report::Stop;

/// How long a command has to stop when its lease is lost: another robot may be at the same job already.
const LOST_GRACE: Duration = Duration::from_secs(5);

/// How long a command has to stop when its time is up.
const TIMEOUT_GRACE: Duration = Duration::from_secs(5);

/// The longest run that is timed here; a longer one is as good as none.
const RUN_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// What the agent asks of a running attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopOrder {
    /// The job is cancelled: so long to stop politely.
    Cancel(Duration),
    /// The lease is lost.
    Abandon,
    /// The robot ends at once.
    Kill,
}

/// What is being done to stop a command, and why.
#[derive(Debug)]
pub(crate) struct Stopper {
    reason: Option<Stop>,
    run_until: Option<Instant>,
    kill_at: Option<Instant>,
}

impl Stopper {
    /// The run timeout is counted from now on: the server began to count a little earlier, so its verdict is never behind.
    pub(crate) fn new(run_timeout_seconds: Option<u64>) -> Stopper {
        let run = run_timeout_seconds.map(|seconds| Duration::from_secs(seconds.min(RUN_SECONDS_MAX)));
        Stopper {
            reason: None,
            run_until: run.map(|run| Instant::now() + run),
            kill_at: None,
        }
    }

    /// Why the command was told to stop, if it was.
    pub(crate) fn reason(&self) -> Option<Stop> {
        self.reason
    }

    pub(crate) fn order(&mut self, order: StopOrder, process: &Process) {
        match order {
            StopOrder::Cancel(grace) => self.stop(Stop::Cancelled, grace, process),
            StopOrder::Abandon => self.stop(Stop::LeaseLost, LOST_GRACE, process),
            StopOrder::Kill => {
                self.stop(Stop::RobotStops, Duration::ZERO, process);
                process.kill();
            }
        }
    }

    /// The next moment at which [`Stopper::pass`] has something to do; never, if there is none.
    pub(crate) async fn due(&self) {
        match self.kill_at.or(self.run_until) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Does what time asks for: ends the grace, or the run.
    pub(crate) fn pass(&mut self, process: &Process) {
        if self.kill_at.is_some() {
            process.kill();
            // Its end is all that is left to wait for; a process that cannot be killed yet is asked again.
            self.kill_at = Some(Instant::now() + LOST_GRACE);
        } else {
            self.stop(Stop::RunTimeout, TIMEOUT_GRACE, process);
        }
    }

    /// A later reason replaces an earlier one; the shorter grace counts.
    fn stop(&mut self, reason: Stop, grace: Duration, process: &Process) {
        self.reason = Some(reason);
        self.run_until = None;
        let kill_at = Instant::now() + grace;
        if self.kill_at.is_none() {
            process.terminate();
        }
        self.kill_at = Some(self.kill_at.map_or(kill_at, |earlier| earlier.min(kill_at)));
    }
}
