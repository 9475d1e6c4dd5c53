//! The `SQLite` store keeps every promise of the seam, in a file and in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use queue_conformance::{Fixture, store_suite};
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

store_suite!(file, in_a_file);
store_suite!(memory, in_memory);
