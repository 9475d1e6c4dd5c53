//! `GET /v1/jobs`, `GET /v1/jobs/{id}` and `GET /v1/jobs/{id}/history`.

use app::{
    App, Problem,
    auth::{Caller, JobsRead},
    http::{self, PageParams, PathParams, Query},
    views::{JobView, PageView, moment},
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::job::{Reason, StateName, Transition};
use queue::Page;

use crate::{
    filter::{self, FilterParams},
    requests::{History, Step},
};

/// List jobs
///
/// Newest first; nothing is lost or repeated while jobs are added. A page may be shorter than its limit, and the last one
/// is the one without a cursor.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(
        FilterParams,
        PageParams,
    ),
    responses((status = 200, description = "A page.", body = PageView<JobView>)),
)]
pub(crate) async fn list_jobs(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    mut query: Query,
) -> Result<Response, Problem> {
    let (filter, page) = (filter::from_query(&mut query), query.page("jobs"));
    query.finish()?;
    let found = app
        .engine
        .jobs(&caller.tenant, &filter, page.after.clone(), page.limit)
        .await?;
    http::json(StatusCode::OK, &page.answer(views(found)?, |view| view))
}

/// The jobs of a page as clients see them.
pub(crate) fn views(page: Page<queue::JobView>) -> Result<Page<JobView>, Problem> {
    let items = page.items.into_iter().map(JobView::of);
    Ok(Page {
        items: items.collect::<Result<_, _>>()?,
        next: page.next,
    })
}

/// Get a job
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = String, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobView)),
)]
pub(crate) async fn get_job(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let job = app.engine.job(&caller.tenant, path.job()?).await?;
    http::json(StatusCode::OK, &JobView::of(job)?)
}

/// Get every transition of a job
#[utoipa::path(
    get, path = "/v1/jobs/{id}/history", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = String, Path, description = "The job.")),
    responses((status = 200, description = "Every transition, oldest first.", body = History)),
)]
pub(crate) async fn get_history(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let history = app.engine.history(&caller.tenant, path.job()?).await?;
    let items = history.into_iter().map(step).collect();
    http::json(StatusCode::OK, &History { items })
}

fn step(step: Transition) -> Step {
    Step {
        seq: step.seq,
        at: moment(step.at),
        from: step.from.map(StateName::as_str),
        to: step.to.as_str(),
        attempt: step.attempt,
        actor: step.actor.into(),
        reason: step.reason.map(Reason::as_str),
    }
}
