//! pgmq, installed as SQL into its own schema by its crate, driven by its crate's calls.
//!
//! What makes it fast is to read, and to delete or archive, many messages a call (its README: `read_batch`,
//! `delete_batch`, `archive_batch`). Deleted messages are gone; archived ones are moved to another table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use bench_driver::{Call, Payload, Peer, Poll, Seen, Stop, Way, run_to_line};
use clap::Parser;
use pgmq::{Message, PGMQueueExt};
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const QUEUE: &str = "bench";

/// How long a message that was read is hidden from others, in seconds.
const HIDDEN_SECONDS: i32 = 300;

/// How often a worker that finds nothing asks. Its own waiting call polls inside the server, at the
/// finest each millisecond, and keeps a snapshot meanwhile.
const POLL: Duration = Duration::from_millis(2);

const CONNECTIONS_MAX: u32 = 12;

/// How many messages are read at a time where each is to start at once.
const PROMPT_BATCH: usize = 10;

#[derive(Parser)]
struct Cli {
    /// Move what is finished to the archive
    #[arg(long)]
    archive: bool,
    #[command(flatten)]
    call: Call,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
    let queue = PGMQueueExt::new_with_pool(pool.connect(&cli.call.url).await?).await;
    let peer = Pgmq {
        consumer: Consumer {
            queue,
            archives: cli.archive,
        },
        unfinished: Arc::default(),
    };
    println!("{}", run_to_line(peer, &cli.call).await?);
    Ok(())
}

struct Pgmq {
    consumer: Consumer,
    unfinished: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Consumer {
    queue: PGMQueueExt,
    archives: bool,
}

impl Consumer {
    async fn read(&self, batch: usize) -> anyhow::Result<Vec<Message<Payload, serde_json::Value>>> {
        let batch = i32::try_from(batch)?;
        Ok(self.queue.read_batch(QUEUE, HIDDEN_SECONDS, batch).await?)
    }

    async fn finish(&self, ids: &[i64]) -> anyhow::Result<()> {
        let finished = if self.archives {
            self.queue.archive_batch(QUEUE, ids).await?
        } else {
            self.queue.delete_batch(QUEUE, ids).await?
        };
        ensure!(finished.len() == ids.len(), "a message that was read is not there");
        Ok(())
    }

    async fn work(self, batch: usize, seen: Arc<Seen>, unfinished: Arc<AtomicU64>, stop: Stop) -> anyhow::Result<()> {
        let mut poll = Poll::each(POLL);
        while !stop.is_asked() {
            let messages = self.read(batch).await?;
            if messages.is_empty() {
                poll.next().await;
                continue;
            }
            unfinished.fetch_add(messages.len() as u64, Ordering::AcqRel);
            for message in &messages {
                seen.began(message.message.at);
            }
            let ids: Vec<i64> = messages.iter().map(|it| it.msg_id).collect();
            self.finish(&ids).await?;
            unfinished.fetch_sub(messages.len() as u64, Ordering::AcqRel);
        }
        Ok(())
    }
}

#[async_trait]
impl Peer for Pgmq {
    async fn set_up(&self) -> anyhow::Result<()> {
        let queue = &self.consumer.queue;
        queue.install_sql_from_embedded().await?;
        Ok(queue.create(QUEUE).await?)
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        self.consumer.queue.send(QUEUE, &payload).await?;
        Ok(())
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        self.consumer.queue.send_batch(QUEUE, &payloads).await?;
        Ok(())
    }

    async fn work(&self, way: Way, seen: Arc<Seen>, stop: Stop) -> anyhow::Result<()> {
        let (workers, batch) = match way {
            Way::Batches { batch, workers } => (workers, batch),
            Way::OneByOne { at_once } => (at_once, 1),
            Way::Prompt => (1, PROMPT_BATCH),
        };
        let mut working = JoinSet::new();
        for _ in 0..workers {
            let (consumer, unfinished) = (self.consumer.clone(), Arc::clone(&self.unfinished));
            working.spawn(consumer.work(batch, Arc::clone(&seen), unfinished, stop.clone()));
        }
        while let Some(ended) = working.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn any_unfinished(&self) -> anyhow::Result<bool> {
        Ok(self.unfinished.load(Ordering::Acquire) > 0)
    }

    async fn timed_claim(&self) -> anyhow::Result<Option<Duration>> {
        let begun = Instant::now();
        let messages = self.consumer.read(1).await?;
        let time = begun.elapsed();
        ensure!(messages.len() == 1, "a claim gave {} messages", messages.len());
        self.consumer.finish(&[messages[0].msg_id]).await?;
        Ok(Some(time))
    }

    fn poll(&self) -> Duration {
        POLL
    }

    fn does(&self, way: Way) -> String {
        let end = if self.consumer.archives { "archives" } else { "deletes" };
        match way {
            Way::Batches { batch, .. } => format!("reads {batch} a call and {end} them by another; unfenced"),
            Way::OneByOne { at_once } => format!("{at_once} connections, each reads one and {end} it; unfenced"),
            Way::Prompt => format!("one connection that reads each {} ms while idle", POLL.as_millis()),
        }
    }
}
