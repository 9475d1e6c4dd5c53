//! `POST /v1/jobs/{id}/cancel` and `POST /v1/jobs/{id}/retry`.

use app::{
    App, Problem,
    auth::{Caller, JobsWrite},
    http::{self, OptionalJsonBody, PathParams},
    views::JobView,
};
use axum::{extract::State, http::StatusCode, response::Response};

use crate::requests::{CancelJob, Nothing};

/// The longest reason or note, in characters.
pub(crate) const NOTE_CHARS_MAX: usize = 1_000;

/// Cancel a job
///
/// A job that does not run is cancelled at once. One that runs is asked to stop; it ends cancelled, unless its robot
/// reports a success first.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    params(("id" = String, Path, description = "The job.")),
    request_body(content = Option<CancelJob>),
    responses(
        (status = 200, description = "The job, cancelled or asked to stop.", body = JobView),
        (status = 409, description = "`job_finished`: it ended otherwise."),
    ),
)]
pub(crate) async fn cancel_job(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    let note = body.read(|form| Some(form.optional("reason", |field| field.prose(NOTE_CHARS_MAX))))?;
    let job = app
        .engine
        .cancel(&caller.tenant, path.job()?, &caller.actor(), note)
        .await?;
    http::json(StatusCode::OK, &JobView::of(job)?)
}

/// Try a job again
///
/// Makes a new job of one that is over and did not succeed, linked by `retry_of`.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    params(("id" = String, Path, description = "The job.")),
    request_body(content = Option<Nothing>),
    responses(
        (status = 201, description = "The new job.", body = JobView,
            headers(("Location" = String, description = "Where the new job is."))),
        (status = 409, description = "`job_not_retryable`: it is not over, or it succeeded."),
    ),
)]
pub(crate) async fn retry_job(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    body.read(|_| Some(()))?;
    let job = app.engine.retry(&caller.tenant, path.job()?, &caller.actor()).await?;
    created(job)
}

/// The answer that `job` is new.
pub(crate) fn created(job: queue::JobView) -> Result<Response, Problem> {
    let location = format!("/v1/jobs/{}", job.job.id);
    http::created(&location, &JobView::of(job)?)
}
