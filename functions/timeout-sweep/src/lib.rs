//! Fires every timer that is due: leases, run timeouts, deadlines, retries, schedules, retention.
//!
//! What sets it off does not matter, whether a schedule, a delayed hint or a person: it reads what is due and nothing
//! else. Two at once do the same as one.

use app::{App, emf::Gauge, problem::chain};
use lambda_runtime::Error;
use queue::StoreError;
use serde_json::{Value, json};
use tracing::warn;

/// How far ready jobs are counted for the metrics: what a count costs grows with what waits.
const READY_COUNTED_MAX: u64 = 100_000;

/// Fires what is due now, says what was done, and writes the metrics of the whole where they are wanted.
pub async fn handle(app: &App) -> Result<Value, Error> {
    let done = sweep(app).await;
    let gauges = if app.writes_metrics() {
        gauges(app).await
    } else {
        Vec::new()
    };
    app.flush_metrics(&gauges);
    done
}

/// Fires what is due now, and says what was done.
async fn sweep(app: &App) -> Result<Value, Error> {
    let swept = app.engine.sweep().await?;
    app.metrics.sweep_ran();
    app.metrics.swept(&swept);
    Ok(json!({
        "ready": swept.ready, "leases_lost": swept.leases_lost, "retried": swept.retried, "ended": swept.ended,
        "rearmed": swept.rearmed, "conflicts": swept.conflicts, "purged": swept.purged, "more": swept.more,
    }))
}

/// How the whole stands, after the sweep. What cannot be read is left out: no point in a graph is better than a wrong one.
pub async fn gauges(app: &App) -> Vec<(Gauge, u64)> {
    let engine = &app.engine;
    let (oldest, ready, online) = futures::join!(
        engine.oldest_ready_seconds(),
        engine.depth(READY_COUNTED_MAX),
        engine.robots_online(),
    );
    let read = [
        (Gauge::OldestReadySeconds, oldest.map(Option::unwrap_or_default)),
        (Gauge::ReadyJobs, ready),
        (Gauge::RobotsOnline, online),
    ];
    read.into_iter().filter_map(known).collect()
}

fn known((gauge, read): (Gauge, Result<u64, StoreError>)) -> Option<(Gauge, u64)> {
    match read {
        Ok(value) => Some((gauge, value)),
        Err(error) => {
            warn!("Cannot read {}: {}", gauge.name(), chain(&error));
            None
        }
    }
}
