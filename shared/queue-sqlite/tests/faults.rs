//! Whatever goes wrong around a file, what was acknowledged is there, and everything ends. `REMUDA_SEEDS=n` tries `n` more seeds.

mod heavy {
    use std::sync::Arc;

    use queue::Store;
    use queue_conformance::trouble;
    use queue_sqlite::SqliteStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault_comes_and_nothing_acknowledged_is_lost() {
        for seed in trouble::seeds() {
            let folder = tempfile::tempdir().expect("a folder can be made");
            let path = folder.path().join("queue.db");
            // As two processes on one file.
            let mut stores: Vec<Arc<dyn Store>> = Vec::new();
            for _ in 0..2 {
                let store = SqliteStore::open(path.to_str().expect("the folder has a plain name"))
                    .await
                    .expect("the path is one");
                store.migrate().await.expect("the schema can be made");
                stores.push(Arc::new(store));
            }
            println!("seed {seed}: {}", trouble::endure(&stores, seed).await);
        }
    }
}
