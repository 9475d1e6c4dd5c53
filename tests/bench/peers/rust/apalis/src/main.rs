//! apalis on Postgres.
//!
//! What makes it fast is from its own pages: a large `batch_size` and `lock_tasks(false)`, which spares a write a job that
//! was queued for this worker already (documentation of `Config`), `push_bulk` for many jobs (of `TaskSink`), and NOTIFY
//! where a job is to start at once (its README). Results are persisted, which is what finishes a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use apalis::prelude::*;
use apalis_postgres::queries::{fetch_next, handle_results};
use apalis_postgres::{Config, PostgresStorage};
use async_trait::async_trait;
use bench_driver::{Call, Payload, Peer, Seen, Stop, Way, run_to_line};
use clap::Parser;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const QUEUE: &str = "bench";

/// A worker that missed a NOTIFY, while it began to listen, looks again with its heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(1);

const CONNECTIONS_MAX: u32 = 30;

/// How many jobs are taken at a time where each is to start at once.
const PROMPT: usize = 10;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    call: Call,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let call = Cli::parse().call;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
    let peer = Apalis {
        pool: pool.connect(&call.url).await?,
        claimer: WorkerContext::new("claimer"),
        named: AtomicU64::new(0),
    };
    println!("{}", run_to_line(peer, &call).await?);
    Ok(())
}

struct Apalis {
    pool: PgPool,
    claimer: WorkerContext,
    named: AtomicU64,
}

impl Apalis {
    fn storage(&self, batch: usize) -> PostgresStorage<Payload> {
        PostgresStorage::new(&self.pool).with_config(config(batch))
    }
}

fn config(batch: usize) -> Config {
    let config = Config::default().queue(QUEUE).batch_size(batch).lock_tasks(false);
    config.heartbeat_interval(HEARTBEAT)
}

/// The job: it counts, and that is all.
async fn no_op(job: Payload, seen: Data<Arc<Seen>>) -> Result<(), BoxDynError> {
    seen.began(job.at);
    Ok(())
}

#[async_trait]
impl Peer for Apalis {
    async fn set_up(&self) -> anyhow::Result<()> {
        Ok(PostgresStorage::<()>::setup(&self.pool).await?)
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        let pushed = self.storage(1).push(payload).await;
        pushed.map_err(|error| anyhow!("{error}"))
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let pushed = self.storage(payloads.len()).push_bulk(payloads).await;
        pushed.map_err(|error| anyhow!("{error}"))
    }

    async fn work(&self, way: Way, seen: Arc<Seen>, stop: Stop) -> anyhow::Result<()> {
        let (workers, batch, at_once) = match way {
            Way::Batches { batch, workers } => (workers, batch, batch),
            // A worker fetches for itself; so many workers fetch and finish one job each.
            Way::OneByOne { at_once } => (at_once, 1, 1),
            Way::Prompt => (1, PROMPT, PROMPT),
        };
        let mut working = JoinSet::new();
        for _ in 0..workers {
            let name = format!("worker-{}", self.named.fetch_add(1, Ordering::Relaxed));
            let (seen, mut stop, storage) = (Arc::clone(&seen), stop.clone(), self.storage(batch));
            working.spawn(async move {
                let asked = async move {
                    stop.asked().await;
                    Ok::<(), WorkerError>(())
                };
                // Its strategy of an interval does not wake a worker that found nothing twice; NOTIFY does.
                let worker = WorkerBuilder::new(name).backend(storage.with_pubsub());
                let worker = worker.concurrency(at_once).data(seen).build(no_op);
                worker.run_until(asked).await
            });
        }
        while let Some(ended) = working.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn any_unfinished(&self) -> anyhow::Result<bool> {
        let any = sqlx::query_scalar("select exists (select from apalis.jobs where status <> 'Done')");
        Ok(any.fetch_one(&self.pool).await?)
    }

    async fn timed_claim(&self) -> anyhow::Result<Option<Duration>> {
        let mut connection = self.pool.acquire().await?;
        // A job is claimed for a worker that is known; the call that makes it known asks for a type that is not public.
        let known = sqlx::query(
            "insert into apalis.workers (id, worker_type, storage_name, last_seen) values ($1, $2, 'PgStorage', now())
             on conflict do nothing",
        );
        known
            .bind(self.claimer.name())
            .bind(QUEUE)
            .execute(&mut *connection)
            .await?;
        let begun = Instant::now();
        let tasks = fetch_next(&mut *connection, &config(1), &self.claimer).await?;
        let time = begun.elapsed();
        ensure!(tasks.len() == 1, "a claim gave {} jobs", tasks.len());
        let result = TaskResult {
            task_id: tasks[0].task_id().context("a job without an id")?.clone(),
            attempt: 1,
            status: Status::Done,
            result: Ok(serde_json::Value::Null),
        };
        handle_results(&mut *connection, &[&result], self.claimer.name()).await?;
        Ok(Some(time))
    }

    fn does(&self, way: Way) -> String {
        match way {
            Way::Batches { batch, .. } => {
                format!("batch_size {batch}, lock_tasks off, woken by NOTIFY; a finish names the worker")
            }
            Way::OneByOne { at_once } => {
                format!("{at_once} workers, batch_size 1, lock_tasks off; a finish names the worker")
            }
            Way::Prompt => format!("concurrency {PROMPT}, woken by NOTIFY; a finish names the worker"),
        }
    }
}
