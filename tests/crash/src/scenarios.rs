//! Every operation that writes, called in every way in which it writes something else.

mod fleet;
mod jobs;
mod keys;
mod reporting;
mod sweeping;
mod syncing;

use domain::job::{Dedup, OnConflict};
use queue::{Idempotency, QueueChange, Refusal, StoreError, Submission};
use queue_conformance::kit::{Kit, client, queue, submission};

use crate::scenario::Scenario;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let parts = [
        jobs::submits(),
        jobs::cancels(),
        jobs::retries(),
        fleet::robots(),
        fleet::sessions(),
        fleet::dispatches(),
        syncing::scenarios(),
        reporting::scenarios(),
        sweeping::scenarios(),
        keys::scenarios(),
    ];
    parts.into_iter().flatten().collect()
}

/// The queue `default`, and its tenant, are there.
async fn furnish(kit: &Kit) {
    kit.engine
        .set_queue(&kit.tenant, &queue("default"), QueueChange::default())
        .await
        .expect("the store answers");
}

/// A job with a payload and an idempotency key.
fn keyed(key: &str) -> Submission {
    Submission {
        payload: Some(format!("{{\"order\":\"{key}\"}}")),
        idempotency: Some(Idempotency {
            key: key.to_owned(),
            digest: key.to_owned(),
        }),
        ..submission(|_| {})
    }
}

/// The same with a dedup key.
fn deduped(submission: Submission, on_conflict: OnConflict) -> Submission {
    let mut deduped = submission;
    deduped.spec.dedup = Some(Dedup {
        key: "invoice-7".to_owned(),
        on_conflict,
    });
    deduped
}

/// Submits, and every job must be taken in, now or before.
async fn submit(kit: &Kit, submissions: Vec<Submission>) -> Result<(), Refusal> {
    for answer in kit.engine.submit(&kit.tenant, &client(), submissions).await? {
        answer.expect("each job is taken in");
    }
    Ok(())
}

/// The answer, or that it was refused because it was done before.
fn or_done<T>(answer: Result<T, Refusal>, is_done: impl Fn(&Refusal) -> bool) -> Result<(), Refusal> {
    match answer {
        Ok(_) => Ok(()),
        Err(refusal) if is_done(&refusal) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// What a store says, as an operation would.
fn stored<T>(answer: Result<T, StoreError>) -> Result<T, Refusal> {
    answer.map_err(Refusal::from)
}
