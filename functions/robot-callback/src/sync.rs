//! `POST /v1/robots/{id}/sync`: the one hot call.

use std::{collections::BTreeMap, time::Duration};

use app::{
    App, Problem,
    auth::RobotOnItsPath,
    form::{Field, Form, Read},
    http::{self, JsonBody},
    views,
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::{job::Progress, robot::Mode};
use queue::{Assignment, LeaseAnswer, LeaseStatus, Listed, SyncAnswer};

use crate::{
    requests::{AssignedJob, LeaseReport, SyncRequest, SyncResponse},
    session::{LISTED_MAX, job_and_fence},
};

/// How many free slots a robot reports.
const SLOTS_MAX: u32 = 1_000;

/// The longest message of a progress, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Sync: heartbeat, renewal, progress, cancels and new jobs in one call
///
/// The same `(epoch, seq)` again gets the same jobs again, so that a lost answer strands nothing.
#[utoipa::path(
    post, path = "/v1/robots/{id}/sync", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(("id" = String, Path, description = "The robot's own id.")),
    request_body = SyncRequest,
    responses(
        (status = 200, description = "What the robot is told.", body = SyncResponse),
        (status = 409, description = "`session_superseded`: open a new session. `stale_sequence`: a later one was answered."),
    ),
)]
pub(crate) async fn sync(
    State(app): State<App>,
    RobotOnItsPath(caller): RobotOnItsPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let request = body.read(request)?;
    let answer = app.engine.sync(&caller.tenant, &caller.robot, request).await?;
    http::json(StatusCode::OK, &response(answer)?)
}

fn request(form: &mut Form<'_>) -> Option<queue::SyncRequest> {
    let count = |field: &Field<'_>| field.integer(0..=i64::MAX);
    let epoch = form.required("epoch", count);
    let seq = form.required("seq", count);
    let mode = form.required("state", |field| field.word(&["idle", "busy", "draining"], mode));
    let free_slots = form.required("free_slots", |field| field.integer(0..=SLOTS_MAX));
    let running = form.optional("running", |field| field.list(LISTED_MAX, |each| each.object(listed)));
    Some(queue::SyncRequest {
        epoch: epoch?.unsigned_abs(),
        seq: seq?.unsigned_abs(),
        mode: mode?,
        free_slots: free_slots?,
        running: running.unwrap_or_default(),
    })
}

fn mode(word: &str) -> Option<Mode> {
    match word {
        "idle" => Some(Mode::Idle),
        "busy" => Some(Mode::Busy),
        "draining" => Some(Mode::Draining),
        _ => None,
    }
}

fn listed(form: &mut Form<'_>) -> Option<Listed> {
    let held = job_and_fence(form);
    let progress = form.optional("progress", progress);
    let (job, fence) = held?;
    Some(Listed { job, fence, progress })
}

fn progress(field: &Field<'_>) -> Read<Progress> {
    field.object(|form| {
        let percent = form.optional("percent", |field| field.integer(0..=100));
        let message = form.optional("message", |field| field.prose(MESSAGE_CHARS_MAX));
        Some(Progress { percent, message })
    })
}

fn response(answer: SyncAnswer) -> Result<SyncResponse, Problem> {
    let assign = answer.assign.into_iter().map(assigned);
    Ok(SyncResponse {
        server_time: views::moment(answer.server_time),
        next_sync_ms: millis(answer.next_sync),
        leases: answer.leases.iter().map(lease).collect(),
        assign: assign.collect::<Result<_, _>>()?,
        directives: if answer.drain { vec!["drain"] } else { Vec::new() },
    })
}

fn lease(answer: &LeaseAnswer) -> LeaseReport {
    LeaseReport {
        job_id: answer.job.to_text(),
        attempt: answer.attempt,
        status: match answer.status {
            LeaseStatus::Renewed => "renewed",
            LeaseStatus::Lost => "lost",
            LeaseStatus::Cancel => "cancel",
        },
        ttl_ms: answer.ttl.map(millis),
        grace_ms: answer.grace.map(millis),
    }
}

fn assigned(given: Assignment) -> Result<AssignedJob, Problem> {
    let spec = given.job.spec;
    let mut checkpoints = BTreeMap::new();
    for (name, value) in given.checkpoints {
        if let Some(value) = views::raw(Some(value))? {
            checkpoints.insert(name, value);
        }
    }
    Ok(AssignedJob {
        job_id: given.job.id.to_text(),
        attempt: given.attempt,
        lease_token: given.token.into(),
        lease_ttl_ms: millis(given.lease_ttl),
        workflow: spec.workflow.into(),
        workflow_version: spec.workflow_version.map(String::from),
        payload: views::raw(given.payload)?,
        run_timeout_seconds: spec.timeouts.run_seconds,
        labels: spec
            .labels
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
        checkpoints,
        traceparent: spec.traceparent,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
