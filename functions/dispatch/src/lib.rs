//! Matches ready jobs with robots when a hint, a schedule or a person says so.
//!
//! A hint carries ids only and means nothing about a job: it is looked at, and what is true is read from the store. So a
//! lost, doubled or late one is harmless.

use std::collections::BTreeMap;

use app::{App, problem::chain};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{QueueName, TenantName};
use lambda_runtime::Error;
use queue::{Dispatched, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;

/// The queue to look at, as a hint or a person names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    tenant: TenantName,
    queue: QueueName,
}

/// Handles a batch of hints, a tick of the schedule, or a call that names a queue or nothing.
///
/// A batch is answered with the hints that failed, so that only those come again. All else is answered with what was done.
pub async fn handle(app: &App, event: Value) -> Result<Value, Error> {
    if event.get("Records").is_some() {
        let batch: SqsEvent = serde_json::from_value(event)?;
        return Ok(serde_json::to_value(handle_batch(app, &batch.records).await)?);
    }
    let done = if is_schedule(&event) || event.as_object().is_some_and(serde_json::Map::is_empty) {
        app.engine.dispatch().await?
    } else {
        let place: Place = serde_json::from_value(event)?;
        app.engine.dispatch_queue(&place.tenant, &place.queue).await?
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
    let mut places: BTreeMap<Place, Vec<&SqsMessage>> = BTreeMap::new();
    for message in messages {
        match place_of(message) {
            Some(place) => places.entry(place).or_default().push(message),
            None => failed.push(message),
        }
    }
    for (place, of_place) in places {
        match look_at(app, &place).await {
            Ok(done) => app.metrics.dispatched(&done),
            Err(error) => {
                warn!(
                    "Cannot dispatch queue {} of tenant {}: {}",
                    place.queue,
                    place.tenant,
                    chain(&error)
                );
                failed.extend(of_place);
            }
        }
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

async fn look_at(app: &App, place: &Place) -> Result<Dispatched, StoreError> {
    app.engine.dispatch_queue(&place.tenant, &place.queue).await
}

fn place_of(message: &SqsMessage) -> Option<Place> {
    let place = serde_json::from_str(message.body.as_deref().unwrap_or_default());
    if let Err(error) = &place {
        let id = message.message_id.as_deref().unwrap_or_default();
        warn!(message.id = id, "Message {id} is no hint: {error}");
    }
    place.ok()
}

fn failure(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
}
