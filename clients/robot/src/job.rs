//! One attempt, from its command's start to the answer to its report.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::agent::Event;
use crate::board::Board;
use crate::checkpoints::{CheckpointKeeper, look_regularly};
use crate::lines::message;
use crate::log_pump::LogPump;
use crate::outbox::{Entry, Outbox};
use crate::output::{Output, read_output};
use crate::process::Process;
use crate::protocol::{Assignment, Finish, Lease};
use crate::report::{Ending, Exit, application, ending};
use crate::server::Server;
use crate::settings::Settings;
use crate::state_folder::StateFolder;
use crate::stopper::{StopOrder, Stopper};
use crate::watchdog::Watchdog;
use crate::work_folder::WorkFolder;

/// How long a report waits for the end of its log; afterwards the server takes no more of it.
const LOG_FLUSH_MAX: Duration = Duration::from_secs(10);

/// How long a report waits for the last checkpoints.
const CHECKPOINT_FLUSH_MAX: Duration = Duration::from_secs(10);

/// How long output is read after the command and its group have ended: a process that left the group may hold the pipe.
const OUTPUT_END_MAX: Duration = Duration::from_secs(2);

/// What every attempt needs.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) settings: Arc<Settings>,
    pub(crate) state: Arc<StateFolder>,
    pub(crate) server: Server,
    pub(crate) outbox: Outbox,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) board: Board,
    pub(crate) events: mpsc::UnboundedSender<Event>,
}

/// Works on the attempt, reports how it ended, and tells the agent of both.
pub(crate) async fn work(tools: Tools, assignment: Assignment, orders: mpsc::UnboundedReceiver<StopOrder>) {
    let lease = assignment.lease();
    info!(job.id = %lease.key.job_id, "Starting {} of {}", assignment.workflow, lease.key);
    let folder = match WorkFolder::create(&tools.state.work(), &assignment) {
        Ok(folder) => folder,
        Err(error) => {
            let finish = cannot_start(&lease, &format!("the robot cannot make a work folder: {error}"));
            return tools.report(Entry::new(lease.key, finish)).await;
        }
    };
    tools.work_in(&folder, &assignment, orders).await;
    folder.remove();
}

impl Tools {
    async fn work_in(&self, folder: &WorkFolder, assignment: &Assignment, orders: mpsc::UnboundedReceiver<StopOrder>) {
        let lease = assignment.lease();
        let log = LogPump::start(self.server.clone(), lease.clone());
        let checkpoints = CheckpointKeeper::start(self.server.clone(), lease.clone(), folder);
        let ending = match self.start(assignment, folder) {
            Ok(process) => self.supervise(process, folder, assignment, &log, orders).await,
            Err(why) => Ending::Report(Box::new(cannot_start(&lease, &why))),
        };
        match ending {
            Ending::Report(finish) => {
                let entry = Entry::new(lease.key.clone(), *finish);
                self.outbox.keep(&entry).await;
                self.tell(Event::Reporting(lease.key));
                tokio::join!(log.finish(LOG_FLUSH_MAX), checkpoints.finish(CHECKPOINT_FLUSH_MAX));
                self.deliver(entry).await;
            }
            Ending::Overrun => {
                tokio::join!(log.finish(LOG_FLUSH_MAX), checkpoints.finish(CHECKPOINT_FLUSH_MAX));
                self.tell(Event::Overran(lease.key));
            }
            Ending::Silent => self.tell(Event::Over(lease.key)),
        }
    }

    fn start(&self, assignment: &Assignment, folder: &WorkFolder) -> Result<Process, String> {
        let workflow = self.settings.workflow(&assignment.workflow).ok_or_else(|| {
            format!(
                "robot {} has no command for workflow {:?}: give it one in its settings, or send the job to a queue \
                 or a capability of robots that have",
                self.settings.name, assignment.workflow
            )
        })?;
        Process::start(workflow, assignment, folder, &self.watchdog)
            .map_err(|error| format!("the command {:?} cannot be started: {error}", workflow.command))
    }

    async fn supervise(
        &self,
        mut process: Process,
        folder: &WorkFolder,
        assignment: &Assignment,
        log: &LogPump,
        mut orders: mpsc::UnboundedReceiver<StopOrder>,
    ) -> Ending {
        let lease = assignment.lease();
        let output = Output::new(log.writer(), lease.key.clone(), self.board.clone());
        let reading = read_output(&mut process, &output);
        let mut stopper = Stopper::new(assignment.run_timeout_seconds);
        let mut look = look_regularly();
        let mut connected = true;
        let exit = loop {
            tokio::select! {
                // A process that has ended is not told to stop: how it ended is what counts.
                biased;
                exit = process.wait() => break exit,
                order = orders.recv(), if connected => {
                    connected = order.is_some();
                    // Nobody is left to give orders: the robot ends.
                    stopper.order(order.unwrap_or(StopOrder::Kill), &process);
                }
                () = stopper.due() => stopper.pass(&process),
                _ = look.tick() => output.progress_file(folder.read_progress()),
            }
        };
        // What the command left running in its group ends with it.
        drop(process);
        if tokio::time::timeout(OUTPUT_END_MAX, reading).await.is_err() {
            warn!(job.id = %lease.key.job_id, "A process that left the group of {} holds its output open", lease.key);
        }
        output.progress_file(folder.read_progress());
        let exit = exit.unwrap_or_else(|error| {
            output.note(&format!("the robot cannot tell how the command ended: {error}"));
            Exit::Code(-1)
        });
        let mut said = output.said();
        said.result = folder.read_result().or(said.result);
        ending(&lease.lease_token, exit, said, stopper.reason())
    }

    /// Keeps a report and sends it until it is answered.
    pub(crate) async fn report(&self, entry: Entry) {
        self.outbox.keep(&entry).await;
        self.tell(Event::Reporting(entry.lease().key));
        self.deliver(entry).await;
    }

    /// Sends a kept report until it is answered.
    pub(crate) async fn deliver(&self, entry: Entry) {
        let key = entry.lease().key;
        self.outbox.deliver(&self.server, entry).await;
        self.tell(Event::Over(key));
    }

    fn tell(&self, event: Event) {
        // The agent goes first only when the robot ends, and then nobody has to know.
        let _ = self.events.send(event);
    }
}

/// The job is tried again by its rules, maybe by a robot that can: hence an application error.
fn cannot_start(lease: &Lease, why: &str) -> Finish {
    warn!(job.id = %lease.key.job_id, "Cannot start {}: {why}", lease.key);
    Finish::failed(
        &lease.lease_token,
        application("cannot_start", &message(why.as_bytes())),
    )
}
