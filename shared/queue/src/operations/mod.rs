//! What can be asked of the queue. Each operation loads, lets `domain` decide, and commits; a conflict starts it over.

mod callback;
mod cancel;
mod dead_letters;
mod dispatch;
mod explain;
mod jobs;
mod keys;
mod logs;
mod queues;
mod retry;
mod robots;
mod session;
mod stats;
mod submit;
mod sweep;
mod sync;

pub use self::{
    callback::{Answered, FinishReport},
    cancel::BulkDone,
    dispatch::Dispatched,
    jobs::{JobFilter, JobView, Page},
    keys::{ApiKey, Scope},
    logs::{CHECKPOINTS_MAX, LOG_CHUNKS_MAX},
    queues::QueueChange,
    robots::NewRobot,
    stats::{QueueStats, Stats},
    submit::{Idempotency, Submission, SubmitError, Submitted, SubmittedHow},
    sweep::Swept,
    sync::{Assignment, LeaseAnswer, LeaseStatus, Listed, SyncAnswer, SyncRequest},
};
