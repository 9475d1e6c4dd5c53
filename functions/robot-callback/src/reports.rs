//! `POST /v1/jobs/{id}/attempts/{n}/finish` and `…/release`: an attempt is over, or was never begun.

use app::{
    App, Problem,
    auth::RobotCaller,
    http::{self, JsonBody, PathParams},
    metrics,
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    LeaseToken,
    job::{Fence, Outcome},
};

use crate::{
    finish,
    requests::{FinishAnswer, FinishReport, ReleaseJob},
};

/// Report the end of an attempt
///
/// The same report again gets the same answer and has no second effect. A late one is taken while nobody has overtaken it.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/attempts/{n}/finish", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("n" = u32, Path, description = "The attempt."),
    ),
    request_body = FinishReport,
    responses(
        (status = 200, description = "The report is taken.", body = FinishAnswer),
        (status = 409, description = "`lease_lost`: a later attempt has begun or the job ended otherwise. `outcome_conflict`: the attempt was finished otherwise."),
    ),
)]
pub(crate) async fn finish_attempt(
    State(app): State<App>,
    caller: RobotCaller,
    path: PathParams,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (job, attempt) = (path.job()?, path.attempt()?);
    let report = body.read(finish::report)?.on(attempt, body.text())?;
    let outcome = word(&report.outcome);
    let answered = app.engine.finish(&caller.tenant, &caller.robot, job, report).await?;
    if !answered.repeated {
        app.metrics.add(
            metrics::ATTEMPTS_FINISHED,
            Some(&caller.tenant),
            &[("outcome", outcome)],
            1,
        );
    }
    let state = answered.state.as_str();
    http::json(StatusCode::OK, &FinishAnswer { state })
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed { .. } => "failed",
        Outcome::Cancelled => "cancelled",
    }
}

/// Give back a job that was not started
#[utoipa::path(
    post, path = "/v1/jobs/{id}/attempts/{n}/release", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("n" = u32, Path, description = "The attempt."),
    ),
    request_body = ReleaseJob,
    responses(
        (status = 200, description = "The job is ready again; nothing was burnt.", body = FinishAnswer),
        (status = 409, description = "`already_started`: finish it instead. `lease_lost`: it is not the robot's any more."),
    ),
)]
pub(crate) async fn release_job(
    State(app): State<App>,
    caller: RobotCaller,
    path: PathParams,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (job, attempt) = (path.job()?, path.attempt()?);
    let token = body.read(|form| form.required("lease_token", |field| field.name(LeaseToken::parse)))?;
    let state = app
        .engine
        .release(&caller.tenant, &caller.robot, job, Fence { attempt, token })
        .await?;
    http::json(StatusCode::OK, &FinishAnswer { state: state.as_str() })
}
