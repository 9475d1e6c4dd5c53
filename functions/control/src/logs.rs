//! `GET /v1/jobs/{id}/logs`: what a robot printed.

use app::{
    App, Problem,
    auth::{Caller, JobsRead},
    http::{PathParams, Query},
    problem::chain,
};
use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use domain::{JobId, TenantName};
use futures::stream;

/// How many chunks of 256 KiB at most are held at once.
const CHUNKS_AT_ONCE: u32 = 4;

/// Get the log of an attempt
///
/// It is streamed chunk by chunk as the robot sent it.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/logs", tag = "Jobs", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = String, Path, description = "The job."),
        ("attempt" = Option<u32>, Query, format = "int64", minimum = 1, maximum = 4_294_967_295.0, description = "By default the last one."),
    ),
    responses((status = 200, description = "The log; empty while there is none.", body = String, content_type = "text/plain")),
)]
pub(crate) async fn get_logs(
    State(app): State<App>,
    caller: Caller<JobsRead>,
    path: PathParams,
    mut query: Query,
) -> Result<Response, Problem> {
    let attempt = query.integer("attempt", 1..=u32::MAX);
    query.finish()?;
    let job = path.job()?;
    let (attempt, chunks) = app.engine.log_length(&caller.tenant, job, attempt).await?;
    let log = Log {
        app,
        tenant: caller.tenant,
        job,
        attempt,
        next: 0,
        end: chunks,
    };
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, body(log)).into_response())
}

/// A log on its way out.
struct Log {
    app: App,
    tenant: TenantName,
    job: JobId,
    attempt: u32,
    next: u32,
    end: u32,
}

fn body(log: Log) -> Body {
    Body::from_stream(stream::try_unfold(log, |mut log| async move {
        let wanted = (log.end - log.next).min(CHUNKS_AT_ONCE);
        if wanted == 0 {
            return Ok(None);
        }
        let read = log
            .app
            .engine
            .log_chunks(&log.tenant, log.job, log.attempt, log.next, wanted)
            .await;
        let chunks = read.map_err(|refusal| std::io::Error::other(chain(&refusal)))?;
        log.next += wanted;
        // A log that went while it was read just ends.
        Ok::<_, std::io::Error>((!chunks.is_empty()).then(|| (chunks.concat(), log)))
    }))
}
