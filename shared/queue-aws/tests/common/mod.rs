//! A store on a table of its own, on the DynamoDB of this test run.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use queue_aws::{AwsOptions, AwsStore};

/// Options for a new table that keeps every promise of the seam at once: retention to the second, counts that are never old.
pub(crate) fn options() -> AwsOptions {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let table = format!("remuda-{}-{}", process::id(), TABLES.fetch_add(1, Ordering::Relaxed));
    AwsOptions {
        dynamodb: Some(servers::shared_dynamodb().expect("DynamoDB Local runs").endpoint()),
        exact_retention: true,
        // The emulator does one thing at a time, for all tests.
        patience: Duration::from_mins(2),
        depth_fresh: Duration::ZERO,
        ..AwsOptions::on_table(table)
    }
}

/// The store on a new table.
pub(crate) async fn new_store(options: AwsOptions) -> AwsStore {
    let (store, _) = queue_aws::connect(options).await;
    store.migrate().await.expect("the table can be made");
    store
}
