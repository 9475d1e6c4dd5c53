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

use app::App;
use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::requests::{
    BulkChange, BulkChanged, CancelJob, CreateKey, Explanation, History, NearestRobot, Note, Nothing, Obstacle,
    QueueCounts, RobotCounts, SetQueue, StatsAnswer, Step,
};

/// The `OpenAPI` document of all functions. A test prints it from their handlers and holds it to them, so that a function
/// can serve the whole without knowing the others.
pub const DOCUMENT: &str = include_str!("../openapi.json");

/// The routes, bare, and what they say of themselves.
pub fn router(app: App) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::get_history))
        .routes(routes!(explain::explain_job))
        .routes(routes!(logs::get_logs))
        .routes(routes!(wait::wait_for_job))
        .routes(routes!(change::cancel_job))
        .routes(routes!(change::retry_job))
        .routes(routes!(bulk::bulk_cancel))
        .routes(routes!(bulk::bulk_retry))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::requeue_dead_letter))
        .routes(routes!(dead_letters::discard_dead_letter))
        .routes(routes!(dead_letters::resolve_dead_letter))
        .routes(routes!(queues::list_queues))
        .routes(routes!(queues::set_queue))
        .routes(routes!(robots::list_robots))
        .routes(routes!(robots::get_robot, robots::remove_robot))
        .routes(routes!(robots::drain_robot))
        .routes(routes!(robots::resume_robot))
        .routes(routes!(keys::create_key, keys::list_keys))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(operations::get_stats))
        .routes(routes!(operations::get_metrics))
        .routes(routes!(operations::get_health))
        .routes(routes!(operations::get_ready))
        .routes(routes!(operations::get_document))
        .with_state(app)
        .split_for_parts()
}
