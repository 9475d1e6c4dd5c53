//! `GET /v1/queues` and `PUT /v1/queues/{name}`.

use app::{
    App, Problem,
    auth::{Caller, JobsRead, QueuesWrite},
    form::{Field, Form},
    http::{self, JsonBody, PageParams, PathParams, Query},
    views::{PageView, QueueView},
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::{Queue, Strategy};
use queue::QueueChange;

use crate::requests::SetQueue;

/// List queues
#[utoipa::path(
    get, path = "/v1/queues", tag = "Queues", security(("bearer" = ["jobs:read"])),
    params(PageParams),
    responses((status = 200, description = "A page.", body = PageView<QueueView>)),
)]
pub(crate) async fn list_queues(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = query.page("queues");
    query.finish()?;
    let found = app
        .engine
        .queues(&caller.tenant, page.after.clone(), page.limit)
        .await?;
    http::json(StatusCode::OK, &page.answer(found, QueueView::from))
}

/// Set a queue
///
/// What is left out stays. A queue that is not there yet comes into being.
#[utoipa::path(
    put, path = "/v1/queues/{name}", tag = "Queues", security(("bearer" = ["queues:write"])),
    params(("name" = String, Path, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", description = "The queue.")),
    request_body = SetQueue,
    responses((status = 200, description = "The queue.", body = QueueView)),
)]
pub(crate) async fn set_queue(
    State(app): State<App>,
    caller: Caller<QueuesWrite>,
    path: PathParams,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (name, change) = (path.queue()?, body.read(|form| Some(change(form)))?);
    let queue = app.engine.set_queue(&caller.tenant, &name, change).await?;
    http::json(StatusCode::OK, &QueueView::from(queue))
}

fn change(form: &mut Form<'_>) -> QueueChange {
    let words = Strategy::ALL.map(Strategy::as_str);
    let leases = Queue::LEASE_SECONDS_MIN..=Queue::LEASE_SECONDS_MAX;
    QueueChange {
        paused: form.optional("paused", Field::boolean),
        strategy: form.optional("strategy", |field| field.word(&words, Strategy::parse)),
        lease_seconds: form.optional("lease_seconds", |field| field.integer(leases)),
    }
}
