//! Graphile Worker's rewrite in Rust.
//!
//! What makes it fast is from its own benchmark (`benches/perf_test.rs`): 500 jobs in hand, a local queue filled by one
//! fetch, finished jobs written together after 5 ms, a poll each 5 ms; and from its guide (`docs/src/guides/local-queue.md`).
//! One by one it has neither local queue nor batches.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bench_driver::{Call, Payload, Peer, Seen, Stop, Way, run_to_line};
use clap::Parser;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const SCHEMA: &str = "graphile_worker";

/// As in its own benchmark.
const CONCURRENCY: usize = 500;
const POLL: Duration = Duration::from_millis(5);
const COMPLETE_DELAY: Duration = Duration::from_millis(5);
const CONNECTIONS_MAX: u32 = 50;

/// How many jobs are in hand where each is to start at once.
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
    let pool = pool.connect(&call.url).await?;
    let peer = GraphileWorker {
        utils: WorkerUtils::new(pool.clone(), SCHEMA),
        pool,
    };
    println!("{}", run_to_line(peer, &call).await?);
    Ok(())
}

#[derive(Clone, Serialize, Deserialize)]
struct NoOp(Payload);

#[derive(Clone)]
struct Counted(Arc<Seen>);

impl Debug for Counted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Counted")
    }
}

impl TaskHandler for NoOp {
    const IDENTIFIER: &'static str = "no_op";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(counted) = context.get_ext::<Counted>() else {
            return Err("nobody counts".to_owned());
        };
        counted.0.began(self.0.at);
        Ok(())
    }
}

struct GraphileWorker {
    pool: PgPool,
    utils: WorkerUtils,
}

impl GraphileWorker {
    fn options(&self, way: Way) -> WorkerOptions {
        let options = WorkerOptions::default().pg_pool(self.pool.clone()).schema(SCHEMA);
        match way {
            Way::Batches { batch, .. } => options
                .concurrency(CONCURRENCY)
                .poll_interval(POLL)
                .complete_job_batch_delay(COMPLETE_DELAY)
                .local_queue(LocalQueueConfig::default().with_size(batch)),
            Way::OneByOne { at_once } => options.concurrency(at_once).poll_interval(POLL),
            // Woken by NOTIFY, as is its default.
            Way::Prompt => options.concurrency(PROMPT),
        }
    }
}

#[async_trait]
impl Peer for GraphileWorker {
    async fn set_up(&self) -> anyhow::Result<()> {
        Ok(self.utils.migrate().await?)
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        self.utils.add_job(NoOp(payload), JobSpec::default()).await?;
        Ok(())
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let spec = JobSpec::default();
        let jobs: Vec<_> = payloads.into_iter().map(|it| (NoOp(it), &spec)).collect();
        self.utils.add_jobs::<NoOp>(&jobs).await?;
        Ok(())
    }

    async fn work(&self, way: Way, seen: Arc<Seen>, stop: Stop) -> anyhow::Result<()> {
        let count = match way {
            Way::Batches { workers, .. } => workers,
            Way::OneByOne { .. } | Way::Prompt => 1,
        };
        let mut working = tokio::task::JoinSet::new();
        for _ in 0..count {
            let options = self.options(way).add_extension(Counted(Arc::clone(&seen)));
            let worker = Arc::new(options.define_job::<NoOp>().init().await?);
            let (running, mut stop) = (Arc::clone(&worker), stop.clone());
            working.spawn(async move { running.run().await });
            tokio::spawn(async move {
                stop.asked().await;
                worker.request_shutdown();
            });
        }
        while let Some(ended) = working.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn any_unfinished(&self) -> anyhow::Result<bool> {
        // Finished jobs are deleted.
        let any = sqlx::query_scalar("select exists (select from graphile_worker._private_jobs)");
        Ok(any.fetch_one(&self.pool).await?)
    }

    async fn timed_claim(&self) -> anyhow::Result<Option<Duration>> {
        // Jobs are fetched by the worker alone.
        Ok(None)
    }

    fn does(&self, way: Way) -> String {
        match way {
            Way::Batches { batch, .. } => format!(
                "concurrency {CONCURRENCY}, local queue of {batch}, completions batched for 5 ms; deletes what is finished"
            ),
            Way::OneByOne { at_once } => format!("concurrency {at_once}; deletes what is finished"),
            Way::Prompt => format!("concurrency {PROMPT}, woken by NOTIFY; deletes what is finished"),
        }
    }
}
