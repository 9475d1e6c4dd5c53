//! The robot's part of the contract, for one robot.

#![allow(
    clippy::result_large_err,
    clippy::needless_pass_by_value,
    reason = "answers are made and sent, seldom and small"
)]

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bodies::{Finish, Lease, Registration, Release, RobotState, Session, Sync};
use super::{REGISTRATION_KEY, ROBOT_KEY, Server, State};

type Answer = Result<Response, Response>;

pub fn router(server: Server) -> Router {
    Router::new()
        .route("/v1/robots", post(register))
        .route("/v1/robots/rob_1/session", post(session))
        .route("/v1/robots/rob_1/sync", post(sync))
        .route("/v1/jobs/{job}/attempts/1/finish", post(finish))
        .route("/v1/jobs/{job}/attempts/1/release", post(release))
        .route("/v1/jobs/{job}/attempts/1/log/{seq}", put(log))
        .route("/v1/jobs/{job}/attempts/1/checkpoints/{name}", put(checkpoint))
        .with_state(server)
}

fn problem(status: u16, body: Value) -> Response {
    let headers = [("content-type", "application/problem+json")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}

fn conflict(code: &str) -> Response {
    problem(409, json!({ "code": code, "title": code }))
}

fn check_key(headers: &HeaderMap, key: &str) -> Result<(), Response> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {key}")) {
        Ok(())
    } else {
        Err(problem(401, json!({ "code": "unauthorized" })))
    }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Response> {
    if headers.get("content-type").and_then(|value| value.to_str().ok()) != Some("application/json") {
        return Err(problem(415, json!({ "code": "unsupported_media_type" })));
    }
    serde_json::from_slice(body)
        .map_err(|error| problem(422, json!({ "code": "invalid", "detail": error.to_string() })))
}

/// Refuses the call if the test wants it so.
fn refuse(state: &mut State, kind: &'static str) -> Result<(), Response> {
    match state.refusals.get_mut(kind) {
        Some((times @ 1.., status, body)) => {
            *times -= 1;
            let refusal = problem(*status, body.clone());
            state.story.push(format!("{kind} refused"));
            Err(refusal)
        }
        _ => Ok(()),
    }
}

/// Loses the answer to a call that has been carried out, if the test wants it so.
fn lose(state: &mut State, kind: &'static str, answer: Response) -> Answer {
    match state.answers_lost.get_mut(kind) {
        Some(times @ 1..) => {
            *times -= 1;
            state.story.push(format!("{kind} answer lost"));
            Err(problem(503, json!({ "code": "store_unavailable" })))
        }
        _ => Ok(answer),
    }
}

async fn register(Extract(server): Extract<Server>, headers: HeaderMap, body: Bytes) -> Answer {
    check_key(&headers, REGISTRATION_KEY)?;
    read::<Registration>(&headers, &body)?;
    server.change(|state| {
        state.registrations.push(serde_json::from_slice(&body).unwrap());
        state.story.push("registered".to_owned());
        let settings = json!({ "lease_seconds": 60, "busy_sync_seconds": 15, "idle_sync_seconds": 30 });
        let answer = json!({ "robot_id": "rob_1", "key": ROBOT_KEY, "settings": settings });
        Ok((StatusCode::CREATED, Json(answer)).into_response())
    })
}

async fn session(Extract(server): Extract<Server>, headers: HeaderMap, body: Bytes) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    let session: Session = read(&headers, &body)?;
    server.change(|state| {
        refuse(state, "session")?;
        for lease in &session.holding {
            check_lease(state, lease)?;
        }
        state.epoch += 1;
        let held: Vec<&str> = session.holding.iter().map(|lease| lease.job_id.as_str()).collect();
        state.story.push(format!("session holding {held:?}"));
        let answer = Json(json!({ "epoch": state.epoch })).into_response();
        lose(state, "session", answer)
    })
}

fn check_lease(state: &State, lease: &Lease) -> Result<(), Response> {
    let known = state.jobs.contains_key(&lease.job_id) && lease.attempt == 1;
    if known && lease.lease_token == format!("lt_{}", lease.job_id) {
        Ok(())
    } else {
        Err(conflict("lease_lost"))
    }
}

async fn sync(Extract(server): Extract<Server>, headers: HeaderMap, body: Bytes) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    let sync: Sync = read(&headers, &body)?;
    server.change(|state| {
        refuse(state, "sync")?;
        if sync.epoch != state.epoch {
            return Err(conflict("session_superseded"));
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        let last = state.last_sync.take().filter(|(epoch, _, _)| *epoch == sync.epoch);
        let repeated = last.as_ref().is_some_and(|(_, seq, _)| *seq == sync.seq);
        if last.as_ref().is_some_and(|(_, seq, _)| *seq > sync.seq) {
            return Err(conflict("stale_sequence"));
        }
        if let Some((_, _, first)) = last.as_ref().filter(|_| repeated) {
            assert_eq!(*first, body, "a repeated sync has the same body");
            state.story.push(format!("sync {} repeated", sync.seq));
        }
        state.last_sync = Some((sync.epoch, sync.seq, body));
        let leases: Vec<Value> = sync.running.iter().map(|running| lease_answer(state, running)).collect();
        let assign = assign(state, &sync, repeated);
        if sync.state == RobotState::Draining {
            state.story.push("draining".to_owned());
        }
        let answer = json!({
            "server_time": "2026-11-21T12:00:00.000Z", "next_sync_ms": state.next_sync_ms, "leases": leases, "assign": assign,
            "directives": state.directives,
        });
        lose(state, "sync", Json(answer).into_response())
    })
}

fn lease_answer(state: &mut State, running: &super::bodies::Running) -> Value {
    let ttl_ms = state.lease_ttl_ms;
    let job = state.jobs.get_mut(&running.job_id).expect("a job that was handed out");
    assert_eq!(running.lease_token, format!("lt_{}", running.job_id));
    if let Some(progress) = &running.progress {
        job.progress.push(serde_json::to_value(progress).unwrap());
    }
    let status = if job.is_open() {
        job.status.unwrap_or("renewed")
    } else {
        "lost"
    };
    let newly = !job.listed;
    job.listed = true;
    let answer = json!({ "job_id": running.job_id, "attempt": running.attempt, "status": status, "ttl_ms": ttl_ms,
                         "grace_ms": job.grace_ms });
    if newly {
        state.story.push(format!("{} listed", running.job_id));
    }
    answer
}

/// What is free to be handed out; what a lost answer carried, once more.
fn assign(state: &mut State, sync: &Sync, repeated: bool) -> Vec<Value> {
    let mut given = Vec::new();
    for (id, job) in &mut state.jobs {
        let again = repeated && job.given && !job.listed;
        if again || (!job.given && given.len() < sync.free_slots) {
            job.given = true;
            given.push(job.assignment.clone());
            state.story.push(format!("{id} assigned"));
        }
    }
    given
}

async fn finish(Extract(server): Extract<Server>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    let finish: Finish = read(&headers, &body)?;
    server.change(|state| {
        refuse(state, "finish")?;
        let job = state
            .jobs
            .get_mut(&id)
            .ok_or_else(|| problem(404, json!({ "code": "not_found" })))?;
        if finish.lease_token != format!("lt_{id}") {
            return Err(conflict("lease_lost"));
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        if job.finish.as_ref().is_some_and(|earlier| *earlier != body) {
            return Err(conflict("outcome_conflict"));
        }
        job.finish = Some(body);
        state.story.push(format!("{id} finished"));
        lose(state, "finish", Json(json!({ "state": "succeeded" })).into_response())
    })
}

async fn release(Extract(server): Extract<Server>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    let release: Release = read(&headers, &body)?;
    server.change(|state| {
        let job = state
            .jobs
            .get_mut(&id)
            .ok_or_else(|| problem(404, json!({ "code": "not_found" })))?;
        if job.listed {
            return Err(conflict("already_started"));
        }
        assert_eq!(release.lease_token, format!("lt_{id}"));
        job.released = true;
        state.story.push(format!("{id} released"));
        Ok(Json(json!({ "state": "ready" })).into_response())
    })
}

async fn log(
    Extract(server): Extract<Server>,
    Path((id, seq)): Path<(String, usize)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["x-lease-token"].to_str().unwrap(), format!("lt_{id}"));
    assert!(body.len() <= 256 * 1024);
    let chunk = String::from_utf8(body.to_vec()).expect("a log is UTF-8");
    server.change(|state| {
        refuse(state, "log")?;
        let job = state
            .jobs
            .get_mut(&id)
            .ok_or_else(|| problem(404, json!({ "code": "not_found" })))?;
        if job.finish.is_some() {
            return Err(conflict("lease_lost"));
        }
        match job.log.get(seq) {
            Some(there) if *there == chunk => {}
            Some(_) => return Err(conflict("chunk_conflict")),
            None if seq == job.log.len() => job.log.push(chunk),
            None => return Err(problem(416, json!({ "code": "log_gap", "next_seq": job.log.len() }))),
        }
        state.story.push(format!("{id} logged"));
        lose(state, "log", StatusCode::NO_CONTENT.into_response())
    })
}

async fn checkpoint(
    Extract(server): Extract<Server>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    check_key(&headers, ROBOT_KEY)?;
    let value: Value = read(&headers, &body)?;
    assert_eq!(headers["x-lease-token"].to_str().unwrap(), format!("lt_{id}"));
    server.change(|state| {
        refuse(state, "checkpoint")?;
        let job = state.jobs.get_mut(&id).unwrap();
        job.checkpoints.insert(name, value);
        state.story.push(format!("{id} checkpointed"));
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}
