//! `/v1/dead-letters`: failed and timed-out jobs, until somebody has dealt with them.

use app::{
    App, Problem,
    auth::{Caller, JobsRead, JobsWrite},
    http::{self, OptionalJsonBody, PageParams, PathParams, Query},
    views::{JobView, PageView},
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::job::Settlement;

use crate::{
    change::{NOTE_CHARS_MAX, created},
    jobs::views,
    requests::Note,
};

/// List dead letters
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "Dead letters", security(("bearer" = ["jobs:read"])),
    params(PageParams),
    responses((status = 200, description = "A page.", body = PageView<JobView>)),
)]
pub(crate) async fn list_dead_letters(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = query.page("dead-letters");
    query.finish()?;
    let found = app
        .engine
        .dead_letters(&caller.tenant, page.after.clone(), page.limit)
        .await?;
    http::json(StatusCode::OK, &page.answer(views(found)?, |view| view))
}

/// Try a dead letter again as a new job
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/requeue", tag = "Dead letters", security(("bearer" = ["jobs:write"])),
    params(("id" = String, Path, description = "The job.")),
    request_body(content = Option<Note>),
    responses(
        (status = 201, description = "The new job, linked by `retry_of`.", body = JobView,
            headers(("Location" = String, description = "Where the new job is."))),
        (status = 409, description = "`not_a_dead_letter`: it neither failed nor timed out, or somebody has dealt with it."),
    ),
)]
pub(crate) async fn requeue_dead_letter(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    let note = note(&body)?;
    let job = app
        .engine
        .requeue_dead_letter(&caller.tenant, path.job()?, &caller.actor(), note)
        .await?;
    created(job)
}

/// Take a dead letter off the list: nobody needs it
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", tag = "Dead letters", security(("bearer" = ["jobs:write"])),
    params(("id" = String, Path, description = "The job.")),
    request_body(content = Option<Note>),
    responses(
        (status = 200, description = "The job.", body = JobView),
        (status = 409, description = "`not_a_dead_letter`: it neither failed nor timed out, or somebody has dealt with it."),
    ),
)]
pub(crate) async fn discard_dead_letter(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    settle(&app, &caller, &path, &body, Settlement::Discarded).await
}

/// Take a dead letter off the list: it was put right elsewhere
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/resolve", tag = "Dead letters", security(("bearer" = ["jobs:write"])),
    params(("id" = String, Path, description = "The job.")),
    request_body(content = Option<Note>),
    responses(
        (status = 200, description = "The job.", body = JobView),
        (status = 409, description = "`not_a_dead_letter`: it neither failed nor timed out, or somebody has dealt with it."),
    ),
)]
pub(crate) async fn resolve_dead_letter(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    settle(&app, &caller, &path, &body, Settlement::Resolved).await
}

async fn settle(
    app: &App,
    caller: &Caller<JobsWrite>,
    path: &PathParams,
    body: &OptionalJsonBody,
    settlement: Settlement,
) -> Result<Response, Problem> {
    let (id, note) = (path.job()?, note(body)?);
    let by = caller.actor();
    let job = app
        .engine
        .settle_dead_letter(&caller.tenant, id, settlement, &by, note)
        .await?;
    http::json(StatusCode::OK, &JobView::of(job)?)
}

fn note(body: &OptionalJsonBody) -> Result<Option<String>, Problem> {
    body.read(|form| Some(form.optional("note", |field| field.prose(NOTE_CHARS_MAX))))
}
