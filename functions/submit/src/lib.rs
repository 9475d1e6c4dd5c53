//! Takes jobs in: `POST /v1/jobs` and `POST /v1/jobs/bulk`.
//!
//! It reads what is asked, hands it to the queue, and answers. It never decides about a job.

mod bulk;
mod job;
mod requests;
mod submission;

use app::App;
use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::requests::{
    BulkSubmit, BulkSubmitted, BulkSubmittedJob, BulkedJob, DedupRequest, PrefersRequest, RequiresRequest,
    RetryRequest, SubmitJob, TimeoutsRequest,
};

/// The routes, bare, and what they say of themselves.
pub fn router(app: App) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(job::submit_job))
        .routes(routes!(bulk::submit_jobs))
        .with_state(app)
        .split_for_parts()
}
