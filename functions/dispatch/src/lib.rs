//! Matches ready jobs with robots when a hint, a schedule or a person says so.
//!
//! A hint carries ids only and means nothing about a job: it is looked at, and what is true is read from the store. So a
//! lost, doubled or late one is harmless.

use std::collections::BTreeMap;

use app::{App, problem::chain};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{QueueName, TenantName};
use lambda_runtime::Error;
use queue::{Dispatched, StoreError, hints::HintMessage};
use serde_json::{Value, json};
use tracing::{info, warn};

/// The attribute of a message that holds the W3C trace context of the job it is about.
const TRACEPARENT: &str = "traceparent";

/// The attribute of a message that holds the trace of the call that sent it.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// Handles a batch of hints, a tick of the schedule, or a call that names a queue or nothing.
///
/// A batch is answered with the hints that failed, so that only those come again. All else is answered with what was done.
pub async fn handle(app: &App, event: Value) -> Result<Value, Error> {
    let answer = answer(app, event).await;
    app.flush_metrics(&[]);
    answer
}

async fn answer(app: &App, event: Value) -> Result<Value, Error> {
    if event.get("Records").is_some() {
        let batch: SqsEvent = serde_json::from_value(event)?;
        return Ok(serde_json::to_value(handle_batch(app, &batch.records).await)?);
    }
    let done = if is_schedule(&event) || event.as_object().is_some_and(serde_json::Map::is_empty) {
        app.engine.dispatch().await?
    } else {
        let place: HintMessage = serde_json::from_value(event)?;
        look_at(app, &place).await?
    };
    app.metrics.dispatched(&done);
    Ok(json!({ "assigned": done.assigned, "conflicts": done.conflicts }))
}

/// Whether a schedule sent it. What else is in it does not matter: a tick is a tick.
fn is_schedule(event: &Value) -> bool {
    event.get("detail-type").is_some() && event.get("source").is_some()
}

/// Looks at each queue that is named once, and says which messages failed: those of a queue that could not be looked at,
/// and those that say nothing, which belong where somebody sees them.
async fn handle_batch(app: &App, messages: &[SqsMessage]) -> SqsBatchResponse {
    let mut failed: Vec<&SqsMessage> = Vec::new();
    let mut places: BTreeMap<(TenantName, QueueName), Vec<&SqsMessage>> = BTreeMap::new();
    let mut timers: Vec<&SqsMessage> = Vec::new();
    for message in messages {
        match hint_of(message) {
            Some(hint) => {
                timers.extend(hint.timer.then_some(message));
                places.entry((hint.tenant, hint.queue)).or_default().push(message);
            }
            None => failed.push(message),
        }
    }
    // What a timer makes ready can be dispatched in the same go.
    if !timers.is_empty()
        && let Err(error) = sweep(app).await
    {
        warn!("Cannot sweep: {}", chain(&error));
        failed.extend(&timers);
    }
    for ((tenant, queue), of_place) in places {
        match app.engine.dispatch_queue(&tenant, &queue).await {
            Ok(done) => app.metrics.dispatched(&done),
            Err(error) => {
                warn!("Cannot dispatch queue {queue} of tenant {tenant}: {}", chain(&error));
                failed.extend(of_place);
            }
        }
    }
    failed.sort_by_key(|message| &message.message_id);
    failed.dedup_by_key(|message| &message.message_id);
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

async fn look_at(app: &App, hint: &HintMessage) -> Result<Dispatched, StoreError> {
    if hint.timer {
        sweep(app).await?;
    }
    app.engine.dispatch_queue(&hint.tenant, &hint.queue).await
}

async fn sweep(app: &App) -> Result<(), StoreError> {
    let swept = app.engine.sweep().await?;
    app.metrics.swept(&swept);
    Ok(())
}

fn hint_of(message: &SqsMessage) -> Option<HintMessage> {
    let id = message.message_id.as_deref().unwrap_or_default();
    let hint: Result<HintMessage, _> = serde_json::from_str(message.body.as_deref().unwrap_or_default());
    match &hint {
        Ok(hint) => {
            let traceparent = message
                .message_attributes
                .get(TRACEPARENT)
                .and_then(|it| it.string_value.as_deref());
            let trace = message.attributes.get(TRACE_HEADER).map(String::as_str);
            info!(
                message.id = id,
                traceparent, trace, "Hint for queue {} of tenant {}", hint.queue, hint.tenant
            );
        }
        Err(error) => warn!(message.id = id, "Message {id} is no hint: {error}"),
    }
    hint.ok()
}

fn failure(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
}
