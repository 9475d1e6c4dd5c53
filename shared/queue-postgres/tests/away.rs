//! A Postgres that is away, and back again, and one without a schema.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use queue::store::{Store, StoreError};
use queue_conformance::samples::{at, job, job_key, lane, load, put};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Postgres;

/// A caller hears within this that the store is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// By then a server that is back is found again.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_quickly_and_found_again() {
    let server = Postgres::builder().quick().start().unwrap();
    let url = server.fresh_database().unwrap();
    let store = Arc::new(
        PostgresStore::connect(&url, PostgresOptions { max_connections: 4 })
            .await
            .unwrap(),
    );
    store.migrate().await.unwrap();
    let kept = put(&*store, job("kept")).await;

    server.stop().unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let calls = (0..20).map(|number| {
            let store = Arc::clone(&store);
            async move {
                match number % 5 {
                    0 => store.ping().await.err(),
                    1 => store.load(&[job_key("kept")]).await.err(),
                    2 => store.commit(vec![job(&number.to_string()).into()]).await.err(),
                    3 => store.claim(&[lane("default", "")], 1, Box::new(|_| vec![])).await.err(),
                    _ => store.due(at(0), 1).await.err(),
                }
            }
        });
        for error in join_all(calls).await {
            assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    }

    server.start_again().unwrap();
    let back = Instant::now();
    while store.ping().await.is_err() {
        assert!(back.elapsed() < RECOVERY_MAX);
    }
    assert_eq!(load(&*store, &kept.key).await, Some(kept));
    put(&*store, job("new")).await;
}

#[tokio::test]
async fn a_server_that_was_never_there_is_no_mistake_of_the_address() {
    let store = PostgresStore::connect("postgres://nobody@127.0.0.1:1/nothing", PostgresOptions::default())
        .await
        .unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_database_without_a_schema_says_what_to_run() {
    let url = servers::shared().unwrap().fresh_database().unwrap();
    let store = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    for error in [
        store.ping().await.unwrap_err(),
        store.load(&[job_key("a")]).await.unwrap_err(),
        store.commit(vec![job("a").into()]).await.unwrap_err(),
    ] {
        let StoreError::Unavailable(cause) = &error else {
            panic!("{error:?}")
        };
        assert!(cause.to_string().contains("remuda store migrate"), "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_are_pending_then_applied_and_applied_once() {
    let url = servers::shared().unwrap().fresh_database().unwrap();
    let store = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    let steps = store.migrations().await.unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| step.applied_at.is_none() && step.intact));

    // Two at once: one of them does the work, and both succeed.
    let (one, other) = tokio::join!(store.migrate(), store.migrate());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.len() == steps.len() || other.len() == steps.len());
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    let steps = store.migrations().await.unwrap();
    assert!(steps.iter().all(|step| step.applied_at.is_some() && step.intact));

    let database = url.rsplit_once('/').unwrap().1;
    let cluster = servers::shared().unwrap();
    cluster
        .sql(
            database,
            "update _sqlx_migrations set checksum = '\\x00' where version = 1",
        )
        .unwrap();
    assert!(!store.migrations().await.unwrap()[0].intact);
    assert!(store.migrate().await.is_err());
}
