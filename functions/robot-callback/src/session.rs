//! `POST /v1/robots/{id}/session`: a robot starts, and says what it still has.

use app::{
    App, Problem,
    auth::RobotOnItsPath,
    fields,
    form::{Field, Form, Read},
    http::{self, OptionalJsonBody},
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::{JobId, job::Fence};

use crate::requests::{OpenSession, SessionOpened};

/// How many jobs a robot lists.
pub(crate) const LISTED_MAX: usize = 200;

/// Open a session
///
/// It supersedes the older one, and leases that it does not list as held end at once.
#[utoipa::path(
    post, path = "/v1/robots/{id}/session", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(("id" = String, Path, description = "The robot's own id.")),
    request_body(content = Option<OpenSession>),
    responses((status = 200, description = "The session.", body = SessionOpened)),
)]
pub(crate) async fn open_session(
    State(app): State<App>,
    RobotOnItsPath(caller): RobotOnItsPath,
    body: OptionalJsonBody,
) -> Result<Response, Problem> {
    let holding = body.read(|form| {
        let holding = form.optional("holding", |field| field.list(LISTED_MAX, held));
        Some(holding.unwrap_or_default())
    })?;
    let epoch = app.engine.open_session(&caller.tenant, &caller.robot, &holding).await?;
    http::json(StatusCode::OK, &SessionOpened { epoch })
}

fn held(field: &Field<'_>) -> Read<(JobId, Fence)> {
    field.object(job_and_fence)
}

/// The fields `job_id`, `attempt` and `lease_token`.
pub(crate) fn job_and_fence(form: &mut Form<'_>) -> Option<(JobId, Fence)> {
    let job = form.required("job_id", fields::job_id);
    let fence = fields::fence(form);
    Some((job?, fence?))
}
