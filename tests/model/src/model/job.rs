//! What the contract says of one job.

use std::time::Duration;

use domain::job::{ErrorKind, OnLost, Reason, Settlement, StateName};

use crate::call::{Ask, How, JobNumber, JobRow, RobotNumber, STEPS_SHOWN, Shown};

/// How long a robot has to stop once it heard of a cancel.
const GRACE: Duration = Duration::from_secs(30);

/// How many leases in a row may run out unstarted.
const UNSTARTED_MAX: u32 = 10;

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) number: JobNumber,
    pub(crate) ask: Ask,
    /// What its id sorts by.
    pub(crate) id: (u64, usize),
    pub(crate) retry_of: Option<JobNumber>,
    pub(crate) created: Duration,
    pub(crate) deadline: Option<Duration>,
    /// Its age in its queue.
    pub(crate) queued: Duration,
    pub(crate) phase: Phase,
    pub(crate) reason: Option<Reason>,
    pub(crate) hold: Option<Hold>,
    pub(crate) given: u32,
    pub(crate) started: u32,
    pub(crate) lost: u32,
    pub(crate) unstarted: u32,
    pub(crate) cancel_requested: Option<Duration>,
    pub(crate) percent: Option<u8>,
    pub(crate) error: Option<ErrorKind>,
    pub(crate) result: Option<u8>,
    pub(crate) settled: Option<Settlement>,
    pub(crate) reports: Vec<Report>,
    pub(crate) steps: Vec<(StateName, u32, Option<Reason>)>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Scheduled { until: Duration },
    Ready { since: Duration },
    Leased { ends: Duration },
    Running { ends: Duration, told: bool },
    Ended { state: StateName, at: Duration },
}

/// The latest attempt.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) robot: RobotNumber,
    pub(crate) leased: Duration,
    pub(crate) begun: Option<Duration>,
}

/// A report that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) attempt: u32,
    pub(crate) said: (How, Option<u8>),
    pub(crate) answer: StateName,
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

impl Job {
    pub(crate) fn state(&self) -> StateName {
        match self.phase {
            Phase::Scheduled { .. } => StateName::Scheduled,
            Phase::Ready { .. } => StateName::Ready,
            Phase::Leased { .. } => StateName::Leased,
            Phase::Running { .. } => StateName::Running,
            Phase::Ended { state, .. } => state,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    pub(crate) fn is_dead_letter(&self) -> bool {
        matches!(self.state(), StateName::Failed | StateName::TimedOut) && self.settled.is_none()
    }

    /// Whether a robot has it now, under the lease that `shown` names.
    pub(crate) fn is_held_by(&self, shown: &Shown) -> bool {
        matches!(self.phase, Phase::Leased { .. } | Phase::Running { .. }) && self.is_latest(shown)
    }

    /// Whether `shown` names the latest attempt.
    pub(crate) fn is_latest(&self, shown: &Shown) -> bool {
        self.hold.is_some() && shown.right && shown.attempt == self.given
    }

    fn budget_left(&self) -> u32 {
        self.ask.max_attempts - self.started
    }

    /// When time alone changes it next.
    pub(crate) fn timer(&self) -> Option<Duration> {
        let own = match self.phase {
            Phase::Scheduled { until } => Some(until),
            Phase::Ready { since } => self.ask.queue_seconds.map(|wait| since + seconds(wait)),
            Phase::Leased { ends } => Some(ends),
            Phase::Running { ends, .. } => Some(ends.min(self.run_ends())),
            Phase::Ended { .. } => return None,
        };
        [own, self.deadline].into_iter().flatten().min()
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.timer().is_some_and(|timer| timer <= now)
    }

    fn run_ends(&self) -> Duration {
        let begun = self.hold.as_ref().and_then(|hold| hold.begun).unwrap_or_default();
        begun + seconds(self.ask.run_seconds)
    }

    pub(crate) fn go(&mut self, phase: Phase, reason: Option<Reason>) {
        self.phase = phase;
        self.reason = reason;
        self.steps.push((self.state(), self.given, reason));
    }

    pub(crate) fn end(&mut self, state: StateName, reason: Option<Reason>, now: Duration) {
        self.go(Phase::Ended { state, at: now }, reason);
    }

    /// Its timer fired.
    pub(crate) fn tick(&mut self, now: Duration) {
        let late = self.deadline.is_some_and(|deadline| deadline <= now);
        match self.phase {
            Phase::Running { .. } if self.cancel_requested.is_some() => {
                self.end(StateName::Cancelled, Some(Reason::CancelledByClient), now);
            }
            _ if late => self.end(StateName::TimedOut, Some(Reason::Deadline), now),
            Phase::Scheduled { until } => {
                self.queued = until;
                self.go(Phase::Ready { since: until }, None);
            }
            Phase::Ready { .. } => self.end(StateName::TimedOut, Some(Reason::QueueTimeout), now),
            Phase::Leased { .. } => self.unbegun(Reason::LeaseLost, now),
            Phase::Running { ends, .. } if ends < self.run_ends() => self.lose_running(Reason::LeaseLost, now),
            Phase::Running { .. } if self.budget_left() == 0 => {
                self.end(StateName::TimedOut, Some(Reason::RunTimeout), now);
            }
            Phase::Running { .. } => self.back_off(None, now),
            Phase::Ended { .. } => {}
        }
    }

    /// A robot is given it.
    pub(crate) fn lease(&mut self, robot: RobotNumber, lease: Duration, now: Duration) {
        self.given += 1;
        self.percent = None;
        self.hold = Some(Hold {
            robot,
            leased: now,
            begun: None,
        });
        self.go(Phase::Leased { ends: now + lease }, None);
    }

    /// The robot begins it, or began it without saying so.
    pub(crate) fn begin(&mut self, now: Duration) {
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.begun.is_none()) else {
            return;
        };
        hold.begun = Some(now);
        self.started += 1;
        self.unstarted = 0;
        if let Phase::Leased { ends } = self.phase {
            self.go(Phase::Running { ends, told: false }, None);
        }
    }

    /// The robot says that it works on it. Gives whether it still has it.
    pub(crate) fn renew(&mut self, shown: &Shown, lease: Duration, percent: Option<u8>, now: Duration) -> bool {
        let running = matches!(self.phase, Phase::Running { .. });
        let late = self.deadline.is_some_and(|deadline| deadline <= now) || running && self.run_ends() <= now;
        if !self.is_held_by(shown) || late {
            return false;
        }
        self.begin(now);
        if let Phase::Running { ends, told } = &mut self.phase {
            if self.cancel_requested.is_none() {
                *ends = (*ends).max(now + lease);
            } else if !*told {
                (*told, *ends) = (true, now + GRACE + lease);
            }
        }
        self.percent = percent.or(self.percent);
        true
    }

    /// What is left of its lease.
    pub(crate) fn lease_left(&self, now: Duration) -> Duration {
        match self.phase {
            Phase::Leased { ends } | Phase::Running { ends, .. } => ends.saturating_sub(now),
            _ => Duration::ZERO,
        }
    }

    /// The robot says how it went, and that is taken.
    pub(crate) fn finish(&mut self, how: How, result: Option<u8>, now: Duration) -> StateName {
        self.begin(now);
        self.result = result;
        let cancelling = self.cancel_requested.is_some();
        match how {
            How::Succeeded => {
                self.error = None;
                self.end(StateName::Succeeded, None, now);
            }
            How::Cancelled => {
                let reason = if cancelling {
                    Reason::CancelledByClient
                } else {
                    Reason::CancelledByRobot
                };
                self.end(StateName::Cancelled, Some(reason), now);
            }
            How::Failed(kind, asked) => {
                self.error = Some(kind);
                if cancelling {
                    self.end(StateName::Cancelled, Some(Reason::CancelledByClient), now);
                } else if kind == ErrorKind::Business {
                    self.end(StateName::Failed, Some(Reason::BusinessError), now);
                } else if self.budget_left() == 0 {
                    self.end(StateName::Failed, Some(Reason::ApplicationError), now);
                } else if matches!(self.phase, Phase::Running { .. }) {
                    self.back_off(asked, now);
                }
            }
        }
        self.reports.push(Report {
            attempt: self.given,
            said: (how, result),
            answer: self.state(),
        });
        self.state()
    }

    /// Its robot is gone, or began anew without it.
    pub(crate) fn lose(&mut self, reason: Reason, now: Duration) {
        match self.phase {
            Phase::Leased { .. } => self.unbegun(reason, now),
            Phase::Running { .. } if self.cancel_requested.is_some() => {
                self.end(StateName::Cancelled, Some(Reason::CancelledByClient), now);
            }
            Phase::Running { .. } => self.lose_running(reason, now),
            _ => {}
        }
    }

    fn unbegun(&mut self, reason: Reason, now: Duration) {
        self.unstarted += 1;
        if self.unstarted == UNSTARTED_MAX {
            self.end(StateName::Failed, Some(Reason::Undeliverable), now);
        } else {
            self.go(Phase::Ready { since: now }, Some(reason));
        }
    }

    fn lose_running(&mut self, reason: Reason, now: Duration) {
        self.lost += 1;
        let last = self.budget_left() == 0;
        if self.ask.on_lost == OnLost::Fail {
            self.end(StateName::Failed, Some(reason), now);
        } else if last && self.lost >= 2 {
            self.end(StateName::Failed, Some(Reason::Poison), now);
        } else if last {
            self.end(StateName::Failed, Some(reason), now);
        } else {
            self.go(Phase::Ready { since: now }, Some(reason));
        }
    }

    fn back_off(&mut self, asked: Option<u32>, now: Duration) {
        let doubled = self.ask.backoff_seconds << (self.started - 1);
        let wait = seconds(asked.unwrap_or(doubled).min(3_600));
        self.go(Phase::Scheduled { until: now + wait }, Some(Reason::RetryBackoff));
    }

    pub(crate) fn row(&self) -> JobRow {
        let hold = self.hold.as_ref();
        JobRow {
            number: self.number,
            state: self.state(),
            reason: self.reason,
            attempt: self.given,
            attempts_left: self.budget_left(),
            robot: hold.map(|hold| hold.robot),
            held: hold.map(|hold| (hold.leased, hold.begun)),
            created: self.created,
            ended: match self.phase {
                Phase::Ended { at, .. } => Some(at),
                _ => None,
            },
            cancel_requested: self.cancel_requested,
            percent: self.percent,
            error: self.error,
            beside: (self.ask.payload, self.result),
            settled: self.settled,
            retry_of: self.retry_of,
            steps: self.steps[self.steps.len().saturating_sub(STEPS_SHOWN)..].to_vec(),
        }
    }
}
