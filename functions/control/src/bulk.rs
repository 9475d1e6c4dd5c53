//! `POST /v1/jobs/bulk-cancel` and `POST /v1/jobs/bulk-retry`.

use app::{
    App, Problem,
    auth::{Caller, JobsWrite},
    form::{Field, Form},
    http::{self, JsonBody},
};
use axum::{extract::State, http::StatusCode, response::Response};
use queue::{BulkDone, JobFilter};

use crate::{
    filter,
    requests::{BulkChange, BulkChanged},
};

/// Cancel every job that meets a filter
#[utoipa::path(
    post, path = "/v1/jobs/bulk-cancel", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    request_body = BulkChange,
    responses((status = 200, description = "How many.", body = BulkChanged)),
)]
pub(crate) async fn bulk_cancel(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (filter, dry_run) = body.read(change)?;
    let done = app
        .engine
        .bulk_cancel(&caller.tenant, &filter, &caller.actor(), dry_run)
        .await?;
    answer(done)
}

/// Try every job again that meets a filter
///
/// Only jobs that are over, did not succeed, and that nobody has dealt with.
#[utoipa::path(
    post, path = "/v1/jobs/bulk-retry", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    request_body = BulkChange,
    responses((status = 200, description = "How many.", body = BulkChanged)),
)]
pub(crate) async fn bulk_retry(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (filter, dry_run) = body.read(change)?;
    let done = app
        .engine
        .bulk_retry(&caller.tenant, &filter, &caller.actor(), dry_run)
        .await?;
    answer(done)
}

fn change(form: &mut Form<'_>) -> Option<(JobFilter, bool)> {
    let filter = form.required("filter", filter::from_field);
    let dry_run = form.optional("dry_run", Field::boolean);
    Some((filter?, dry_run.unwrap_or(false)))
}

fn answer(done: BulkDone) -> Result<Response, Problem> {
    let changed = BulkChanged {
        matched: done.matched,
        changed: done.changed,
    };
    http::json(StatusCode::OK, &changed)
}
