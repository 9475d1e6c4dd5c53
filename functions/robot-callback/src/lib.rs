//! Everything a robot says: that it is there, what it works on, how that went, and what it writes on the way.
//!
//! It reads what a robot sends, hands it to the queue, and answers. It never decides about a job, and never refuses a
//! robot for load.

mod finish;
mod notes;
mod register;
mod reports;
mod requests;
mod session;
mod sync;

pub use self::requests::{
    AssignedJob, FinishAnswer, FinishReport, HeldJob, LeaseReport, OpenSession, RegisterRobot, RegisteredRobot,
    ReleaseJob, ReportedError, ReportedProgress, RobotSettings, RunningJob, SessionOpened, SyncRequest, SyncResponse,
};

app::handlers!(
    register::register_robot,
    session::open_session,
    sync::sync,
    reports::finish_attempt,
    reports::release_job,
    notes::put_log,
    notes::put_checkpoint,
);
