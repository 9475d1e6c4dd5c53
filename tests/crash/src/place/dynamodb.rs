//! A table a crash, filled with what is remembered.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use queue::{
    Store as _,
    store::{Blob, BlobKey, Committed, Record},
};
use queue_aws::{AwsOptions, AwsStore};

use super::Place;

/// How many records and names of blobs are read at a time.
const PAGE: usize = 100;

pub(super) struct Tables {
    endpoint: String,
    /// The address of the table that was used last.
    used: Option<String>,
    records: Vec<Record>,
    blobs: Vec<Blob>,
}

/// The store on what `address` names: a table and, after an `@`, where `DynamoDB` is.
pub(super) async fn open(address: &str) -> anyhow::Result<AwsStore> {
    let (table, endpoint) = address.split_once('@').context("a table and an endpoint")?;
    let options = AwsOptions {
        dynamodb: Some(endpoint.to_owned()),
        exact_retention: true,
        depth_fresh: Duration::ZERO,
        // The emulator does one thing at a time, for all tests.
        patience: Duration::from_mins(2),
        ..AwsOptions::on_table(table.to_owned())
    };
    let (store, _) = queue_aws::connect(options).await;
    Ok(store)
}

impl Tables {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: servers::shared_dynamodb()?.endpoint().clone(),
            used: None,
            records: Vec::new(),
            blobs: Vec::new(),
        })
    }

    async fn fresh(&mut self) -> anyhow::Result<AwsStore> {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let table = format!("crash-{}-{number}@{}", process::id(), self.endpoint);
        let store = open(&table).await?;
        store.migrate().await?;
        self.used = Some(table);
        Ok(store)
    }

    fn address(&self) -> anyhow::Result<String> {
        let used = self.used.as_ref().context("no table was made")?;
        Ok(format!("dynamodb:{used}"))
    }
}

#[async_trait]
impl Place for Tables {
    async fn empty(&mut self) -> anyhow::Result<String> {
        self.fresh().await?;
        self.address()
    }

    async fn remember(&mut self) -> anyhow::Result<()> {
        let store = open(self.used.as_ref().context("no table was made")?).await?;
        (self.records, self.blobs) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let page = store.scan(after.as_deref(), PAGE).await?;
            self.records.extend(page.records);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for record in &self.records {
            let names = store.blob_names(&record.key, "", None, PAGE).await?;
            ensure!(names.len() < PAGE, "no scenario leaves so many blobs");
            let keys: Vec<BlobKey> = names
                .into_iter()
                .map(|name| BlobKey {
                    owner: record.key.clone(),
                    name,
                })
                .collect();
            let bodies = store.blobs(&keys).await?;
            let found = keys.into_iter().zip(bodies);
            self.blobs
                .extend(found.filter_map(|(key, body)| Some(Blob { key, body: body? })));
        }
        Ok(())
    }

    async fn put_back(&mut self) -> anyhow::Result<String> {
        let store = self.fresh().await?;
        for blob in &self.blobs {
            store.put_blob(blob.clone()).await?;
        }
        let outcomes = store.restore(self.records.clone()).await?;
        ensure!(
            outcomes.iter().all(|outcome| *outcome == Committed::Done),
            "the table was empty"
        );
        self.address()
    }
}
