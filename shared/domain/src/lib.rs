//! What Remuda decides, as values: what becomes of a job, which robot gets it, when it is tried again.
//!
//! Nothing here reads a clock, draws a random number, waits, or does I/O: time and chance come in as arguments.

pub mod explain;
pub mod job;
pub mod names;
pub mod plan;
pub mod queue;
pub mod retry;
pub mod robot;
pub mod time;

pub use job::{Event, Job, JobSpec, Rejection};
pub use names::{
    BadName, CheckpointName, JobId, KeyId, LabelName, LeaseToken, QueueName, RobotId, TenantName, Word, WorkflowName,
};
pub use queue::{Queue, Strategy};
pub use robot::Robot;
pub use time::Timestamp;
