//! awa, on its queue storage.
//!
//! What makes it fast is from its own pages: many jobs by `QueueStorage::enqueue_params_copy` (the documentation of
//! `insert_many_copy` prefers it), a large `claim_batch_size` before more claimers, and no deadline, which takes the short
//! receipt path (docs/configuration.md). Completions are batched by the worker itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use awa::model::{QueueStorage, QueueStorageConfig};
use awa::{Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, insert_with, migrations};
use bench_driver::{Call, Payload, Peer, Seen, Stop, Way, run_to_line};
use clap::Parser;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

const QUEUE: &str = "bench";

/// How many jobs each worker has in hand, as its documentation has for large runtimes.
const WORKERS_MAX: u32 = 512;

/// As many as it may use for claims, completions and upkeep of two workers.
const CONNECTIONS_MAX: u32 = 30;

/// How long an idle worker waits if nothing wakes it.
const POLL: Duration = Duration::from_millis(5);

const PROMPT: u32 = 10;

/// How long a worker may take to finish what it has begun.
const FINISH_MAX: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    call: Call,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let call = Cli::parse().call;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
    let peer = Awa {
        pool: pool.connect(&call.url).await?,
        store: QueueStorage::new(QueueStorageConfig::default())?,
    };
    println!("{}", run_to_line(peer, &call).await?);
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct NoOp(Payload);

impl JobArgs for NoOp {
    fn kind() -> &'static str {
        "no_op"
    }
}

struct Awa {
    pool: PgPool,
    store: QueueStorage,
}

fn options() -> InsertOpts {
    InsertOpts {
        queue: QUEUE.to_owned(),
        ..InsertOpts::default()
    }
}

#[async_trait]
impl Peer for Awa {
    async fn set_up(&self) -> anyhow::Result<()> {
        let pool = self.pool.clone();
        // What it waits on cannot be shown to be fit for any thread, so it gets one of its own.
        let migrate = move || Handle::current().block_on(migrations::run(&pool));
        spawn_blocking(migrate).await??;
        // As a worker does that is the first to start; here jobs come before it.
        let (store, pool) = (QueueStorage::new(QueueStorageConfig::default())?, self.pool.clone());
        let install = move || Handle::current().block_on(store.install(&pool));
        Ok(spawn_blocking(install).await??)
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        insert_with(&self.pool, &NoOp(payload), options()).await?;
        Ok(())
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let params = |payload| {
            Ok(InsertParams {
                kind: NoOp::kind().to_owned(),
                args: serde_json::to_value(NoOp(payload))?,
                opts: options(),
            })
        };
        let jobs: Vec<InsertParams> = payloads.into_iter().map(params).collect::<anyhow::Result<_>>()?;
        self.store.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }

    async fn work(&self, way: Way, seen: Arc<Seen>, mut stop: Stop) -> anyhow::Result<()> {
        let (count, max_workers, claim_batch_size) = match way {
            Way::Batches { batch, workers } => (workers, WORKERS_MAX, batch),
            Way::OneByOne { at_once } => (1, u32::try_from(at_once)?, 1),
            Way::Prompt => (1, PROMPT, 1),
        };
        let mut working = Vec::new();
        for _ in 0..count {
            let counted = Arc::clone(&seen);
            let config = QueueConfig {
                max_workers,
                claim_batch_size,
                poll_interval: POLL,
                deadline_duration: Duration::ZERO,
                ..QueueConfig::default()
            };
            let client = Client::builder(self.pool.clone())
                .queue(QUEUE, config)
                .register::<NoOp, _, _>(move |job: NoOp, _| {
                    counted.began(job.0.at);
                    async { Ok(JobResult::Completed) }
                })
                .build()?;
            client.start().await?;
            working.push(client);
        }
        stop.asked().await;
        for client in &working {
            client.shutdown(FINISH_MAX).await;
        }
        Ok(())
    }

    async fn any_unfinished(&self) -> anyhow::Result<bool> {
        let counts = self.store.queue_counts(&self.pool, QUEUE).await?;
        Ok(counts.available + counts.running > 0)
    }

    async fn timed_claim(&self) -> anyhow::Result<Option<Duration>> {
        let begun = Instant::now();
        let claimed = self
            .store
            .claim_runtime_batch(&self.pool, QUEUE, 1, Duration::ZERO)
            .await?;
        let time = begun.elapsed();
        ensure!(claimed.len() == 1, "a claim gave {} jobs", claimed.len());
        self.store.complete_runtime_batch(&self.pool, &claimed).await?;
        Ok(Some(time))
    }

    fn does(&self, way: Way) -> String {
        match way {
            Way::Batches { batch, .. } => {
                format!("max_workers {WORKERS_MAX}, claim_batch_size {batch}, no deadline; fenced")
            }
            Way::OneByOne { at_once } => format!("max_workers {at_once}, claim_batch_size 1, no deadline; fenced"),
            Way::Prompt => format!("max_workers {PROMPT}, woken by NOTIFY; fenced"),
        }
    }
}
