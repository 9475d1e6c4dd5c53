//! `PUT /v1/jobs/{id}/attempts/{n}/log/{seq}` and `…/checkpoints/{name}`: what a robot writes on the way.

use app::{
    App, Code, Problem,
    auth::RobotCaller,
    http::{self, JsonBody, LogChunk, PathParams},
    json,
};
use axum::{extract::State, http::HeaderMap, response::Response};
use domain::job::Fence;

/// The largest checkpoint as compact JSON.
const CHECKPOINT_BYTES_MAX: usize = 64 << 10;

/// Append a chunk to the log of an attempt
///
/// Chunks are counted from 0, without a gap. The same chunk again is taken and changes nothing.
#[utoipa::path(
    put, path = "/v1/jobs/{id}/attempts/{n}/log/{seq}", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("n" = u32, Path, description = "The attempt."),
        ("seq" = u32, Path, description = "The number of the chunk."),
        ("x-lease-token" = String, Header, min_length = 1, max_length = 100, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "What the robot was given with the attempt."),
    ),
    request_body(content = String, content_type = "text/plain",
        description = "At most 256 KiB, packed and unpacked. It may be packed, with `Content-Encoding: gzip`."),
    responses(
        (status = 204, description = "The chunk is there."),
        (status = 409, description = "`lease_lost`, `chunk_conflict`: another body is there. `limit_reached`: the log is full."),
        (status = 416, description = "`log_gap`: `next_seq` comes next."),
    ),
)]
pub(crate) async fn put_log(
    State(app): State<App>,
    caller: RobotCaller,
    path: PathParams,
    headers: HeaderMap,
    chunk: LogChunk,
) -> Result<Response, Problem> {
    let (job, fence, seq) = (path.job()?, fence(&path, &headers)?, path.seq()?);
    app.engine
        .append_log(&caller.tenant, &caller.robot, job, fence, seq, chunk.0)
        .await?;
    Ok(http::no_content())
}

/// Keep a checkpoint
///
/// The next attempt gets the latest of each name.
#[utoipa::path(
    put, path = "/v1/jobs/{id}/attempts/{n}/checkpoints/{name}", tag = "Robot protocol", security(("bearer" = ["robot"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("n" = u32, Path, description = "The attempt."),
        ("name" = String, Path, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", description = "Named like a queue."),
        ("x-lease-token" = String, Header, min_length = 1, max_length = 100, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "What the robot was given with the attempt."),
    ),
    request_body(content = serde_json::Value, description = "Any JSON, at most 64 KiB as compact JSON."),
    responses(
        (status = 204, description = "It is kept."),
        (status = 409, description = "`lease_lost`. `limit_reached`: the attempt has as many as it may have."),
    ),
)]
pub(crate) async fn put_checkpoint(
    State(app): State<App>,
    caller: RobotCaller,
    path: PathParams,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (job, fence, name) = (path.job()?, fence(&path, &headers)?, path.checkpoint()?);
    let value = json::compact(body.text());
    if value.len() > CHECKPOINT_BYTES_MAX {
        let detail = format!("A checkpoint may have at most {CHECKPOINT_BYTES_MAX} bytes as compact JSON.");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    app.engine
        .put_checkpoint(&caller.tenant, &caller.robot, job, fence, name, value)
        .await?;
    Ok(http::no_content())
}

/// The attempt of the path with the token of the header.
fn fence(path: &PathParams, headers: &HeaderMap) -> Result<Fence, Problem> {
    Ok(Fence {
        attempt: path.attempt()?,
        token: http::lease_token(headers)?,
    })
}
