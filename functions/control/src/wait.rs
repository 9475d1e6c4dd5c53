//! `GET /v1/jobs/{id}/wait`: a job when it is over, or when the time is up.

use std::time::Duration;

use app::{
    App, Problem,
    auth::{Caller, JobsRead},
    http::{self, PathParams, Query},
    views::JobView,
};
use axum::{extract::State, http::StatusCode, response::Response};
use tokio::time::{Instant, sleep_until};

/// The longest wait in seconds: below the 30 s after which a gateway gives up.
const SECONDS_MAX: u64 = 20;

/// How long between two looks at the job.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Wait for a job
///
/// Answers as soon as the job is over, and after `seconds` whether it is or not.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/wait", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("seconds" = Option<u32>, Query, minimum = 0, maximum = 20, description = "By default 20."),
    ),
    responses((status = 200, description = "The job as it is.", body = JobView)),
)]
pub(crate) async fn wait_for_job(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    path: PathParams,
    mut query: Query,
) -> Result<Response, Problem> {
    let seconds = query.integer("seconds", 0..=SECONDS_MAX).unwrap_or(SECONDS_MAX);
    query.finish()?;
    let id = path.job()?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut look_at = Instant::now();
    loop {
        let job = app.engine.job(&caller.tenant, id).await?;
        if job.job.state.name().is_terminal() || look_at >= until {
            return http::json(StatusCode::OK, &JobView::of(job)?);
        }
        look_at = (Instant::now() + LOOK_EVERY).min(until);
        sleep_until(look_at).await;
    }
}
