//! `POST /v1/jobs/bulk`: many jobs, each of which stands alone.

use app::{
    App, Problem,
    auth::{Caller, JobsWrite},
    form,
    http::{self, BulkBody, RequestId},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use domain::TenantName;
use queue::{Submission, SubmitError, Submitted, SubmittedHow};

use crate::{
    job,
    requests::{BulkSubmit, BulkSubmitted, BulkSubmittedJob},
    submission::{self, Circumstances},
};

/// How many jobs a bulk has.
const JOBS_MAX: usize = 1_000;

/// Submit many jobs
///
/// Each stands alone: one that is refused does not stop the others.
#[utoipa::path(
    post, path = "/v1/jobs/bulk", tag = "Jobs", security(("bearer" = ["jobs:write"])),
    params(("traceparent" = Option<String>, Header, description = "The W3C trace context that the robots are handed.")),
    request_body = BulkSubmit,
    responses(
        (status = 200, description = "What became of each job.", body = BulkSubmitted),
        (status = 503, description = "`overloaded`: too many jobs wait. `store_unavailable`. Both with `Retry-After`."),
    ),
)]
pub(crate) async fn submit_jobs(
    State(app): State<App>,
    caller: Caller<JobsWrite>,
    request_id: RequestId,
    headers: HeaderMap,
    body: BulkBody,
) -> Result<Response, Problem> {
    let traceparent = http::traceparent(&headers);
    let around = Circumstances {
        now: app.engine.now(),
        traceparent: traceparent.as_deref(),
    };
    if headers.contains_key("idempotency-key") {
        let message = "is not taken for a bulk; give each job an idempotency_key";
        return Err(Problem::one("header/idempotency-key", message));
    }
    let texts = body.read(|form| form.required("jobs", |field| field.texts(JOBS_MAX)))?;
    let (mut refused, mut places, mut submissions) = (Vec::new(), Vec::new(), Vec::new());
    for (index, text) in texts.into_iter().enumerate() {
        match read(text, &around) {
            Ok(submission) => {
                places.push(index);
                submissions.push(submission);
            }
            Err(problem) => refused.push(failed(index, &problem, &request_id)),
        }
    }
    let outcomes = if submissions.is_empty() {
        Vec::new()
    } else {
        app.engine.submit(&caller.tenant, &caller.actor(), submissions).await?
    };
    let taken = places.into_iter().zip(outcomes);
    let answered = taken.map(|(index, outcome)| result(&app, &caller.tenant, index, outcome, &request_id));
    let mut results: Vec<BulkSubmittedJob> = answered.chain(refused).collect();
    results.sort_by_key(|result| result.index);
    http::json(StatusCode::OK, &BulkSubmitted { results })
}

fn read(text: &str, around: &Circumstances<'_>) -> Result<Submission, Problem> {
    let asked = form::read(text, |form| submission::bulked_job(form, around))?;
    asked.keyed(None, text)
}

fn result(
    app: &App,
    tenant: &TenantName,
    index: usize,
    outcome: Result<Submitted, SubmitError>,
    request_id: &RequestId,
) -> BulkSubmittedJob {
    match outcome {
        Ok(submitted) => {
            job::count(app, tenant, submitted.how);
            let created = submitted.how == SubmittedHow::Created;
            BulkSubmittedJob {
                index,
                status: if created { 201 } else { 200 },
                id: Some(submitted.job.job.id.to_text()),
                error: None,
            }
        }
        Err(error) => failed(index, &job::refused(error), request_id),
    }
}

fn failed(index: usize, problem: &Problem, request_id: &RequestId) -> BulkSubmittedJob {
    BulkSubmittedJob {
        index,
        status: problem.code().status().as_u16(),
        id: None,
        error: Some(problem.document(request_id.as_str())),
    }
}
