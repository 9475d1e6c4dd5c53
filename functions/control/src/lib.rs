//! What operators and clients ask: reads, cancel, retry, dead letters, robots, queues, keys, health, metrics.
//!
//! It reads what is asked, hands it to the queue, and answers. It never decides about a job.

mod bulk;
mod change;
mod dead_letters;
mod explain;
mod filter;
mod jobs;
mod keys;
mod logs;
mod operations;
mod queues;
mod requests;
mod robots;
mod wait;

pub use self::requests::{
    BulkChange, BulkChanged, CancelJob, CreateKey, Explanation, History, NearestRobot, Note, Nothing, Obstacle,
    QueueCounts, RobotCounts, SetQueue, StatsAnswer, Step,
};

/// The `OpenAPI` document of all functions. A test prints it from their handlers and holds it to them, so that a function
/// can serve the whole without knowing the others.
pub const DOCUMENT: &str = include_str!("../openapi.json");

app::handlers!(
    jobs::list_jobs,
    jobs::get_job,
    jobs::get_history,
    explain::explain_job,
    logs::get_logs,
    wait::wait_for_job,
    change::cancel_job,
    change::retry_job,
    bulk::bulk_cancel,
    bulk::bulk_retry,
    dead_letters::list_dead_letters,
    dead_letters::requeue_dead_letter,
    dead_letters::discard_dead_letter,
    dead_letters::resolve_dead_letter,
    queues::list_queues,
    queues::set_queue,
    robots::list_robots,
    robots::get_robot,
    robots::remove_robot,
    robots::drain_robot,
    robots::resume_robot,
    keys::create_key,
    keys::list_keys,
    keys::revoke_key,
    operations::get_stats,
    operations::get_metrics,
    operations::get_health,
    operations::get_ready,
    operations::get_document,
);
