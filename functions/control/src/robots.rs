//! `/v1/robots` as operators see it.

use app::{
    App, Problem,
    auth::{Caller, RobotsRead, RobotsWrite},
    http::{self, OptionalJsonBody, PageParams, PathParams, Query},
    views::{PageView, RobotView},
};
use axum::{extract::State, http::StatusCode, response::Response};

use crate::requests::Nothing;

/// List robots
#[utoipa::path(
    get, path = "/v1/robots", tag = "Robots", security(("bearer" = ["robots:read"])),
    params(PageParams),
    responses((status = 200, description = "A page.", body = PageView<RobotView>)),
)]
pub(crate) async fn list_robots(
    State(app): State<App>,
    caller: Caller<RobotsRead>,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = query.page("robots");
    query.finish()?;
    let found = app
        .engine
        .robots(&caller.tenant, page.after.clone(), page.limit)
        .await?;
    let now = app.engine.now();
    http::json(StatusCode::OK, &page.answer(found, |robot| RobotView::of(robot, now)))
}

/// Get a robot
#[utoipa::path(
    get, path = "/v1/robots/{id}", tag = "Robots", security(("bearer" = ["robots:read"])),
    params(("id" = String, Path, description = "The robot.")),
    responses((status = 200, description = "The robot.", body = RobotView)),
)]
pub(crate) async fn get_robot(
    State(app): State<App>,
    caller: Caller<RobotsRead>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let robot = app.engine.robot(&caller.tenant, &path.robot()?).await?;
    http::json(StatusCode::OK, &RobotView::of(robot, app.engine.now()))
}

/// Have a robot take nothing new
///
/// It finishes what it has.
#[utoipa::path(
    post, path = "/v1/robots/{id}/drain", tag = "Robots", security(("bearer" = ["robots:write"])),
    params(("id" = String, Path, description = "The robot.")),
    request_body(content = Option<Nothing>),
    responses((status = 200, description = "The robot.", body = RobotView)),
)]
pub(crate) async fn drain_robot(
    State(app): State<App>,
    caller: Caller<RobotsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    set_drain(&app, &caller, &path, &body, true).await
}

/// Have a robot take jobs again
#[utoipa::path(
    post, path = "/v1/robots/{id}/resume", tag = "Robots", security(("bearer" = ["robots:write"])),
    params(("id" = String, Path, description = "The robot.")),
    request_body(content = Option<Nothing>),
    responses((status = 200, description = "The robot.", body = RobotView)),
)]
pub(crate) async fn resume_robot(
    State(app): State<App>,
    caller: Caller<RobotsWrite>,
    path: PathParams,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    set_drain(&app, &caller, &path, &body, false).await
}

async fn set_drain(
    app: &App,
    caller: &Caller<RobotsWrite>,
    path: &PathParams,
    body: &OptionalJsonBody,
    drain: bool,
) -> Result<Response, Problem> {
    body.read(|_| Some(()))?;
    let robot = app.engine.set_drain(&caller.tenant, &path.robot()?, drain).await?;
    http::json(StatusCode::OK, &RobotView::of(robot, app.engine.now()))
}

/// Remove a robot
///
/// Its key is refused from then on, and the jobs it has are lost at once.
#[utoipa::path(
    delete, path = "/v1/robots/{id}", tag = "Robots", security(("bearer" = ["robots:write"])),
    params(("id" = String, Path, description = "The robot.")),
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn remove_robot(
    State(app): State<App>,
    caller: Caller<RobotsWrite>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    app.engine
        .remove_robot(&caller.tenant, &path.robot()?, &caller.actor())
        .await?;
    Ok(http::no_content())
}
