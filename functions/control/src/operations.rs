//! How it all does: `/v1/stats`, `/metrics`, `/health`, `/ready`, and the document of this API.

use app::{
    App, Problem,
    auth::{Caller, JobsRead},
    health::{self, Health, StoreHealth},
    http::{self, Query},
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::robot::RobotState;
use queue::{QueueStats, Stats};

use crate::{
    DOCUMENT,
    requests::{QueueCounts, RobotCounts, StatsAnswer},
};

/// Count what a tenant has
#[utoipa::path(
    get, path = "/v1/stats", tag = "Operations", security(("bearer" = ["jobs:read"])),
    responses((status = 200, description = "Unfinished jobs by queue and state, and robots by state.", body = StatsAnswer)),
)]
pub(crate) async fn get_stats(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let stats = app.engine.stats(&caller.tenant).await?;
    let store = health::store_health(&app, true);
    http::json(StatusCode::OK, &answer(stats, store))
}

fn answer(stats: Stats, store: StoreHealth) -> StatsAnswer {
    let robots = |state| stats.robots.get(&state).copied().unwrap_or(0);
    StatsAnswer {
        store,
        robots: RobotCounts {
            idle: robots(RobotState::Idle),
            busy: robots(RobotState::Busy),
            draining: robots(RobotState::Draining),
            offline: robots(RobotState::Offline),
        },
        queues: stats.queues.into_iter().map(counts).collect(),
    }
}

fn counts(queue: QueueStats) -> QueueCounts {
    QueueCounts {
        name: queue.name,
        paused: queue.paused,
        scheduled: queue.scheduled,
        ready: queue.ready,
        leased: queue.leased,
        running: queue.running,
        oldest_ready_seconds: queue.oldest_ready_seconds,
    }
}

/// Get metrics in Prometheus' text format
///
/// Counters are those of the process that answers; gauges are read from the store.
#[utoipa::path(
    get, path = "/metrics", tag = "Operations", security(("bearer" = ["jobs:read"])),
    responses((status = 200, description = "What is counted.", body = String, content_type = "text/plain")),
)]
pub(crate) async fn get_metrics(State(app): State<App>, caller: Caller<JobsRead>) -> Result<Response, Problem> {
    let stats = app.engine.stats(&caller.tenant).await?;
    app.gather();
    let text = app.metrics.render(&caller.tenant, &stats);
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((headers, text).into_response())
}

/// Get how the whole does
///
/// Needs no key. Read at most 5 seconds ago; what cannot be read is unknown, and unknown is not healthy.
#[utoipa::path(
    get, path = "/health", tag = "Operations",
    responses((status = 200, description = "Healthy or degraded.", body = Health)),
)]
pub(crate) async fn get_health(State(app): State<App>) -> Result<Response, Problem> {
    http::json(StatusCode::OK, &health::health(&app).await)
}

/// Get whether the store can be reached
///
/// Needs no key.
#[utoipa::path(
    get, path = "/ready", tag = "Operations",
    responses(
        (status = 200, description = "It can.", body = StoreHealth),
        (status = 503, description = "`store_unavailable`: it cannot."),
    ),
)]
pub(crate) async fn get_ready(State(app): State<App>) -> Result<Response, Problem> {
    http::json(StatusCode::OK, &health::ready(&app).await?)
}

/// Get this document
///
/// Needs no key.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Operations",
    responses((status = 200, description = "The OpenAPI document of all routes.", body = serde_json::Value)),
)]
pub(crate) async fn get_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
