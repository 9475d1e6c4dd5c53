//! Remuda among the contestants: through the queue crate, as a server uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use bench_driver::{Payload, Peer, Poll, Seen, Stop, Way};
use queue::{Assignment, Engine, combine::Combined};
use queue_postgres::{PostgresOptions, PostgresStore};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};

use crate::engines::engine;
use crate::work::{Worker, submission, submit_these};

/// How often a robot that is given nothing asks. Robots poll; this is the share of it in a wait.
const POLL: Duration = Duration::from_millis(2);

/// As many as jobs one by one are at work, and one that submits.
const CONNECTIONS_MAX: u32 = 12;

/// How many jobs a robot takes at a time where each is to start at once.
const PROMPT_SLOTS: usize = 10;

/// The queue crate on Postgres.
pub(crate) struct Ours {
    store: Arc<PostgresStore>,
    engine: Engine,
    unfinished: Arc<AtomicU64>,
    claimer: Mutex<Option<Worker>>,
}

impl Ours {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PostgresOptions {
            max_connections: CONNECTIONS_MAX,
        };
        let store = Arc::new(PostgresStore::connect(url, options).await?);
        Ok(Self {
            engine: engine(Arc::new(Combined::new(Arc::clone(&store) as _))),
            store,
            unfinished: Arc::default(),
            claimer: Mutex::default(),
        })
    }
}

#[async_trait]
impl Peer for Ours {
    async fn set_up(&self) -> anyhow::Result<()> {
        let store = Arc::clone(&self.store);
        // What it waits on cannot be shown to be fit for any thread, so it gets one of its own.
        let migrate = move || Handle::current().block_on(store.migrate());
        spawn_blocking(migrate).await??;
        Ok(())
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        self.submit_many(vec![payload]).await
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let payloads = payloads.iter().map(serde_json::to_string);
        let jobs = payloads.map(|it| it.map(submission)).collect::<Result<_, _>>()?;
        submit_these(&self.engine, jobs).await
    }

    async fn work(&self, way: Way, seen: Arc<Seen>, stop: Stop) -> anyhow::Result<()> {
        let (robots, slots) = match way {
            Way::Batches { batch, workers } => (workers, batch),
            Way::OneByOne { at_once } => (at_once, 1),
            Way::Prompt => (1, PROMPT_SLOTS),
        };
        let mut working = JoinSet::new();
        for _ in 0..robots {
            let robot = Worker::register(&self.engine, u32::try_from(slots)?).await?;
            let (seen, counted, stop) = (Arc::clone(&seen), Arc::clone(&self.unfinished), stop.clone());
            match way {
                Way::Prompt => working.spawn(work_promptly(robot, slots, seen, counted, stop)),
                Way::Batches { .. } | Way::OneByOne { .. } => working.spawn(work(robot, slots, seen, counted, stop)),
            };
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
        let mut claimer = self.claimer.lock().await;
        let robot = match &mut *claimer {
            Some(robot) => robot,
            none => none.insert(Worker::register(&self.engine, 1).await?),
        };
        let begun = Instant::now();
        let assigned = robot.claim(1).await?;
        let time = begun.elapsed();
        ensure!(assigned.len() == 1, "a claim gave {} jobs", assigned.len());
        robot.finish(&assigned).await?;
        Ok(Some(time))
    }

    fn poll(&self) -> Duration {
        POLL
    }

    fn does(&self, way: Way) -> String {
        match way {
            Way::Batches { batch, .. } => format!("a sync is given {batch} jobs, one call finishes them; fenced"),
            Way::OneByOne { at_once } => format!("{at_once} robots with a slot each; fenced"),
            Way::Prompt => format!(
                "one robot with {PROMPT_SLOTS} slots that syncs each {} ms while idle, and while it reports",
                POLL.as_millis()
            ),
        }
    }
}

async fn work(
    mut robot: Worker,
    slots: usize,
    seen: Arc<Seen>,
    unfinished: Arc<AtomicU64>,
    stop: Stop,
) -> anyhow::Result<()> {
    let (slots, mut poll) = (u32::try_from(slots)?, Poll::each(POLL));
    while !stop.is_asked() {
        let assigned = robot.claim(slots).await?;
        if assigned.is_empty() {
            poll.next().await;
            continue;
        }
        unfinished.fetch_add(assigned.len() as u64, Ordering::AcqRel);
        for job in &assigned {
            seen.began(submitted_at(job)?);
        }
        robot.finish(&assigned).await?;
        unfinished.fetch_sub(assigned.len() as u64, Ordering::AcqRel);
    }
    Ok(())
}

/// Asks for more while it reports what it did, as a robot does that works on several jobs.
async fn work_promptly(
    mut robot: Worker,
    slots: usize,
    seen: Arc<Seen>,
    unfinished: Arc<AtomicU64>,
    stop: Stop,
) -> anyhow::Result<()> {
    let (mut free, mut reports, mut poll) = (slots, JoinSet::new(), Poll::each(POLL));
    while !stop.is_asked() {
        while let Some(reported) = reports.try_join_next() {
            free += reported??;
        }
        let assigned = match u32::try_from(free)? {
            0 => Vec::new(),
            free => robot.claim(free).await?,
        };
        if assigned.is_empty() {
            poll.next().await;
            continue;
        }
        free -= assigned.len();
        unfinished.fetch_add(assigned.len() as u64, Ordering::AcqRel);
        for job in &assigned {
            seen.began(submitted_at(job)?);
        }
        let (reporter, unfinished) = (robot.clone(), Arc::clone(&unfinished));
        reports.spawn(async move {
            reporter.finish(&assigned).await?;
            unfinished.fetch_sub(assigned.len() as u64, Ordering::AcqRel);
            anyhow::Ok(assigned.len())
        });
    }
    while let Some(reported) = reports.join_next().await {
        reported??;
    }
    Ok(())
}

fn submitted_at(job: &Assignment) -> anyhow::Result<u64> {
    let payload = job.payload.as_deref().context("a job came without its payload")?;
    Ok(serde_json::from_str::<Payload>(payload)?.at)
}
