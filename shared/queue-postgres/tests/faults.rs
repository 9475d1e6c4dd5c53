//! Whatever goes wrong around Postgres, what was acknowledged is there, and everything ends. `REMUDA_SEEDS=n` tries `n` more
//! seeds.

mod heavy {
    use std::sync::Arc;

    use queue::Store;
    use queue_conformance::trouble;
    use queue_postgres::{PostgresOptions, PostgresStore};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault_comes_and_nothing_acknowledged_is_lost() {
        for seed in trouble::seeds() {
            let cluster = servers::shared().expect("Postgres runs");
            let url = cluster.fresh_database().expect("a database can be made");
            // As two processes on one database.
            let mut stores: Vec<Arc<dyn Store>> = Vec::new();
            for _ in 0..2 {
                let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 4 })
                    .await
                    .expect("the URL is right");
                store.migrate().await.expect("the schema can be made");
                stores.push(Arc::new(store));
            }
            println!("seed {seed}: {}", trouble::endure(&stores, seed).await);
        }
    }
}
