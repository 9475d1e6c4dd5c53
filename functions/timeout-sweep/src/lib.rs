//! Fires every timer that is due: leases, run timeouts, deadlines, retries, schedules, retention.
//!
//! What sets it off does not matter, whether a schedule, a delayed hint or a person: it reads what is due and nothing
//! else. Two at once do the same as one.

use app::App;
use lambda_runtime::Error;
use serde_json::{Value, json};

/// Fires what is due now, and says what was done.
pub async fn handle(app: &App) -> Result<Value, Error> {
    let swept = app.engine.sweep().await?;
    app.metrics.swept(&swept);
    Ok(json!({
        "ready": swept.ready, "leases_lost": swept.leases_lost, "retried": swept.retried, "ended": swept.ended,
        "rearmed": swept.rearmed, "conflicts": swept.conflicts, "purged": swept.purged, "more": swept.more,
    }))
}
