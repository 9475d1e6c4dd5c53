//! Whatever goes wrong around DynamoDB, what was acknowledged is there, and everything ends. `REMUDA_SEEDS=n` tries `n` more
//! seeds.

mod common;

mod heavy {
    use std::sync::Arc;

    use queue::Store;
    use queue_conformance::trouble;

    use super::common;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault_comes_and_nothing_acknowledged_is_lost() {
        for seed in trouble::seeds() {
            // As two processes on one table.
            let options = common::options();
            let mut stores: Vec<Arc<dyn Store>> = Vec::new();
            for _ in 0..2 {
                stores.push(Arc::new(common::new_store(options.clone()).await));
            }
            println!("seed {seed}: {}", trouble::endure(&stores, seed).await);
        }
    }
}
