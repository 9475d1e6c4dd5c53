//! A job that was removed, and whose id came again, is nothing to who remembers the first one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use domain::{
    JobId, Rejection,
    job::{Outcome, StateName},
};
use queue::{Idempotency, Refusal, Settings, Submission, memory::MemoryStore};
use queue_conformance::kit::{Kit, submission};

fn with_a_key() -> Submission {
    Submission {
        idempotency: Some(Idempotency {
            key: "invoice 7".to_owned(),
            digest: "the same".to_owned(),
        }),
        ..submission(|_| {})
    }
}

#[tokio::test]
async fn a_late_report_does_not_end_the_job_that_came_after() {
    let kit = Kit::new(Arc::new(MemoryStore::new()));
    let other = kit.beside(2, Settings::default());
    let first: JobId = kit.submit(with_a_key()).await;
    let slow = kit.robot(1).await;
    let held = slow.take().await;
    other.cancel(first).await.unwrap();
    kit.pass_and_sweep(Settings::default().retention + Duration::from_secs(1))
        .await;

    assert_eq!(kit.submit(with_a_key()).await, first, "the key gives the id");
    let quick = other.robot(1).await;
    let again = quick.take().await;
    let late = slow.finish(&held, Outcome::Succeeded, None).await;
    assert!(matches!(late, Err(Refusal::Job(Rejection::LeaseLost))), "{late:?}");
    assert_eq!(kit.state(first).await, StateName::Leased);
    assert_eq!(quick.succeed(&again).await, StateName::Succeeded);
}
