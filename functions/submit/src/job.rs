//! `POST /v1/jobs`.

use app::{
    App, Code, Problem,
    auth::{Caller, JobsWrite},
    http::{self, JsonBody},
    metrics,
    views::JobView,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use domain::TenantName;
use queue::{Refusal, StoreError, SubmitError, Submitted, SubmittedHow};

use crate::{
    requests::SubmitJob,
    submission::{self, Circumstances},
};

/// Submit a job
///
/// It is durable when it is answered. The same `Idempotency-Key` with the same body by meaning gives the same job again.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "1 to 255 printable ASCII characters."),
        ("traceparent" = Option<String>, Header, description = "The W3C trace context that the robot is handed."),
    ),
    request_body = SubmitJob,
    responses(
        (status = 201, description = "The new job.", body = JobView,
            headers(("Location" = String, description = "Where the job is."))),
        (status = 200, description = "The job there is: the request came before, or the dedup key is held.", body = JobView,
            headers(("Idempotent-Replayed" = bool, description = "true when the request came before."))),
        (status = 503, description = "`overloaded`: too many jobs wait. `store_unavailable`. Both with `Retry-After`."),
        (status = 409, description = "`idempotency_conflict` or `duplicate`, with `job_id`: nothing was written."),
    ),
)]
pub(crate) async fn submit_job(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let traceparent = http::traceparent(&headers);
    let around = Circumstances {
        now: app.engine.now(),
        traceparent: traceparent.as_deref(),
    };
    let asked = body.read(|form| submission::job(form, &around))?;
    let submission = asked.keyed(http::idempotency_key(&headers)?, body.text())?;
    let outcomes = app
        .engine
        .submit(&caller.tenant, &caller.actor(), vec![submission])
        .await?;
    let outcome = outcomes.into_iter().next().ok_or_else(unanswered)?;
    let submitted = outcome.map_err(refused)?;
    count(&app, &caller.tenant, submitted.how);
    answer(submitted)
}

fn answer(submitted: Submitted) -> Result<Response, Problem> {
    let (location, how) = (format!("/v1/jobs/{}", submitted.job.job.id), submitted.how);
    let view = JobView::of(submitted.job)?;
    if how == SubmittedHow::Created {
        return http::created(&location, &view);
    }
    let mut response = http::json(StatusCode::OK, &view)?;
    if how == SubmittedHow::Replayed {
        response
            .headers_mut()
            .insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Counts a job by how it is answered.
pub(crate) fn count(app: &App, tenant: &TenantName, how: SubmittedHow) {
    let how = match how {
        SubmittedHow::Created => "created",
        SubmittedHow::Replayed => "replayed",
        SubmittedHow::Returned => "returned",
    };
    app.metrics
        .add(metrics::JOBS_SUBMITTED, Some(tenant), &[("how", how)], 1);
}

/// The problem that a submission was refused with.
pub(crate) fn refused(error: SubmitError) -> Problem {
    match error {
        SubmitError::IdempotencyConflict { job } => Problem::new(
            Code::IdempotencyConflict,
            format!("The idempotency key came before with another request, which made job {job}."),
        )
        .with("job_id", job.to_text()),
        SubmitError::Duplicate { job } => Refusal::Duplicate { job }.into(),
    }
}

fn unanswered() -> Problem {
    StoreError::Unavailable("a submission was not answered".into()).into()
}
