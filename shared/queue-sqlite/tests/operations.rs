//! The operations keep every promise of the contract on SQLite, in a file and in memory.

use queue_conformance::{Fixture, operation_suite};
use queue_sqlite::SqliteStore;

async fn in_a_file() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("queue.db").to_str().unwrap())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    Fixture::guarded(store, folder)
}

async fn in_memory() -> Fixture {
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    Fixture::new(store)
}

operation_suite!(file, in_a_file);
operation_suite!(memory, in_memory);
