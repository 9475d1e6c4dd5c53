//! The operations keep every promise of the contract on a file. In memory the store is held to the same by the runs beside
//! the model.

use queue_conformance::{Fixture, operation_suite};
use queue_sqlite::SqliteStore;

async fn in_a_file() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("queue.db");
    let store = SqliteStore::open(path.to_str().expect("the folder has a plain name"))
        .await
        .expect("the file can be made");
    store.migrate().await.expect("the schema can be made");
    Fixture::guarded(store, folder)
}

operation_suite!(file, in_a_file);
