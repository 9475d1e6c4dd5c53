//! Where runs take place: each store, fresh and empty.

use std::{
    process,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use queue::{Store, memory::MemoryStore};
use queue_aws::AwsOptions;
use queue_postgres::{PostgresOptions, PostgresStore};
use queue_sqlite::SqliteStore;
use tokio::runtime::Runtime;

/// A kind of place for a run.
pub trait Place {
    /// A store of this kind, fresh and empty.
    fn store() -> impl Future<Output = Arc<dyn Store>>;
}

/// In memory.
#[derive(Debug)]
pub struct Memory;

/// In `SQLite`, in memory.
#[derive(Debug)]
pub struct Sqlite;

/// In a database of its own on the Postgres that tests share.
#[derive(Debug)]
pub struct Postgres;

/// In a table of its own on the `DynamoDB` that tests share.
#[derive(Debug)]
pub struct DynamoDb;

impl Place for Memory {
    async fn store() -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }
}

impl Place for Sqlite {
    async fn store() -> Arc<dyn Store> {
        let store = SqliteStore::open("sqlite::memory:").await.expect("memory is there");
        store.migrate().await.expect("the schema can be made");
        Arc::new(store)
    }
}

impl Place for Postgres {
    async fn store() -> Arc<dyn Store> {
        let url = servers::shared()
            .and_then(servers::Cluster::fresh_database)
            .expect("Postgres runs");
        let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 4 })
            .await
            .expect("the URL is right");
        store.migrate().await.expect("the schema can be made");
        Arc::new(store)
    }
}

impl Place for DynamoDb {
    async fn store() -> Arc<dyn Store> {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let server = servers::shared_dynamodb().expect("DynamoDB Local runs");
        let options = AwsOptions {
            dynamodb: Some(server.endpoint()),
            exact_retention: true,
            patience: Duration::from_mins(2),
            depth_fresh: Duration::ZERO,
            ..AwsOptions::on_table(format!("model-{}-{number}", process::id()))
        };
        let (store, _) = queue_aws::connect(options).await;
        store.migrate().await.expect("the table can be made");
        Arc::new(store)
    }
}

/// Runs `work` to its end on the one runtime of this process.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Runtime::new().expect("threads can be started"))
        .block_on(work)
}
