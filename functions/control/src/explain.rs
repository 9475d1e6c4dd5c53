//! `GET /v1/jobs/{id}/explain`: why a job is where it is.

use app::{
    App, Problem,
    auth::{Caller, JobsRead},
    http::{self, PathParams, Query},
    views::moment,
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::explain;

use crate::requests::{Explanation, NearestRobot, Obstacle};

/// Explain why a job is where it is
///
/// Computed now from the job, its queue and the robots there are.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/explain", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = String, Path, description = "The job.")),
    responses((status = 200, description = "What holds it back.", body = Explanation)),
)]
pub(crate) async fn explain_job(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let explanation = app.engine.explain(&caller.tenant, path.job()?).await?;
    http::json(StatusCode::OK, &view(explanation))
}

fn view(explanation: explain::Explanation) -> Explanation {
    Explanation {
        state: explanation.state.as_str(),
        reasons: explanation.reasons.into_iter().map(obstacle).collect(),
        nearest_robots: explanation.nearest_robots.into_iter().map(nearest).collect(),
    }
}

fn obstacle(obstacle: explain::Obstacle) -> Obstacle {
    Obstacle {
        code: obstacle.code,
        message: obstacle.message,
        until: obstacle.until.map(moment),
        robot: obstacle.robot.map(String::from),
        missing: obstacle.missing,
    }
}

fn nearest(nearest: explain::Nearest) -> NearestRobot {
    NearestRobot {
        id: nearest.id.into(),
        missing: nearest.missing,
    }
}
