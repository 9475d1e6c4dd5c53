//! Callers that are cut off, as those are whose clients hang up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{future::poll_fn, task::Poll};

use queue::store::{Change, Store, Version, Write};
use queue_conformance::samples::{job, job_key, load, put};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;

/// A commit is over before it was waited for so many times.
const WAITS: usize = 24;

#[tokio::test]
async fn what_is_written_after_a_transaction_was_cut_off_is_there_for_everybody() {
    let url = servers::shared().and_then(Cluster::fresh_database).unwrap();
    // One connection, so that the next caller would have the one of who was cut off.
    let options = PostgresOptions { max_connections: 1 };
    let store = PostgresStore::connect(&url, options).await.unwrap();
    store.migrate().await.unwrap();
    let other = PostgresStore::connect(&url, options).await.unwrap();
    for waits in 0..WAITS {
        cut_off_after(waits, store.commit(vec![in_a_transaction()])).await;
        let written = put(&store, job(&waits.to_string())).await;
        let seen = load(&other, &written.key).await;
        assert_eq!(
            seen,
            Some(written),
            "after a commit that was cut off at its wait {waits}"
        );
    }
}

/// What has to be absent is held so by a placeholder, which is taken away again before the transaction ends.
fn in_a_transaction() -> Change {
    let absent = |id| Write::Check(job_key(id), Version::ABSENT);
    Change {
        writes: ["one", "other"].map(absent).into(),
        blobs: Vec::new(),
    }
}

/// Drops the call when it waits for the time after so many.
async fn cut_off_after<T>(mut waits: usize, call: impl Future<Output = T>) {
    let mut call = Box::pin(call);
    poll_fn(|context| {
        if waits == 0 {
            return Poll::Ready(());
        }
        waits -= 1;
        call.as_mut().poll(context).map(drop)
    })
    .await;
}
