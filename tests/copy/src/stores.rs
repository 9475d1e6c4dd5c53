//! Every kind of store there is, fresh and empty.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use queue::memory::MemoryStore;
use queue_aws::AwsOptions;
use queue_conformance::Fixture;
use queue_postgres::{PostgresOptions, PostgresStore};
use queue_sqlite::SqliteStore;

/// Calls `$make!` with the name of every store that this module makes. A new store is named here and made below.
#[macro_export]
macro_rules! every_store {
    ($make:ident) => {
        $make! { memory sqlite postgres sqs }
    };
}

/// In memory.
#[expect(clippy::unused_async, reason = "every store is made alike")]
pub async fn memory() -> Fixture {
    Fixture::new(MemoryStore::new())
}

/// In a `SQLite` file.
pub async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("queue.db");
    let store = SqliteStore::open(path.to_str().expect("the folder has a plain name"))
        .await
        .expect("the path is right");
    store.migrate().await.expect("the schema can be made");
    Fixture::guarded(store, folder)
}

/// In a database of its own on the Postgres that tests share.
pub async fn postgres() -> Fixture {
    let url = servers::shared()
        .and_then(servers::Cluster::fresh_database)
        .expect("Postgres runs");
    let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 4 })
        .await
        .expect("the URL is right");
    store.migrate().await.expect("the schema can be made");
    Fixture::new(store)
}

/// On a table of its own on the `DynamoDB` that tests share.
pub async fn sqs() -> Fixture {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let table = format!("copy-{}-{}", process::id(), TABLES.fetch_add(1, Ordering::Relaxed));
    let server = servers::shared_dynamodb().expect("DynamoDB Local runs");
    let (store, _) = queue_aws::connect(AwsOptions {
        dynamodb: Some(server.endpoint().clone()),
        // Retention to the second and counts that are never old, as the other stores have them.
        exact_retention: true,
        depth_fresh: Duration::ZERO,
        // The emulator does one thing at a time, for all tests.
        patience: Duration::from_mins(2),
        ..AwsOptions::on_table(table)
    })
    .await;
    store.migrate().await.expect("the table can be made");
    Fixture::new(store)
}
