//! What Postgres allows: the least SQL by which a job lives as many row versions as a queue that keeps it gives it. One is
//! inserted, one claimed, one finished; the job stays. No history, no timers, no robots, no retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use bench_driver::{Payload, Peer, Poll, Seen, Stop, Way};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

/// How often a worker that finds nothing asks.
const POLL: Duration = Duration::from_millis(2);

/// As many as jobs one by one are at work, and one that submits.
const CONNECTIONS_MAX: u32 = 12;

/// How many jobs are taken at a time where each is to start at once.
const PROMPT_BATCH: usize = 10;

/// Finished jobs are in no index but that of their key.
const SET_UP: &str = "
    create table job (
        id      bigint generated always as identity primary key,
        state   smallint not null default 0,
        attempt integer not null default 0,
        payload text not null
    );
    create index job_ready on job (id) where state = 0";

const SUBMIT: &str = "insert into job (payload) values ($1)";

const SUBMIT_MANY: &str = "insert into job (payload) select * from unnest($1::text[])";

/// Materialised, or the planner may look more than once and claim more than it was asked to.
const CLAIM: &str = "
    with ready as materialized (
        select id from job where state = 0 order by id limit $1 for update skip locked
    )
    update job set state = 1, attempt = attempt + 1 from ready where job.id = ready.id
    returning job.id, job.attempt, job.payload";

/// The attempt is the fence.
const FINISH: &str = "
    update job set state = 2 from unnest($1::bigint[], $2::integer[]) as done (id, attempt)
    where job.id = done.id and job.attempt = done.attempt and job.state = 1";

/// SQL by hand.
pub(crate) struct Raw {
    pool: PgPool,
    unfinished: Arc<AtomicU64>,
}

impl Raw {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
        Ok(Self {
            pool: options.connect(url).await?,
            unfinished: Arc::default(),
        })
    }
}

#[async_trait]
impl Peer for Raw {
    async fn set_up(&self) -> anyhow::Result<()> {
        sqlx::raw_sql(SET_UP).execute(&self.pool).await?;
        Ok(())
    }

    async fn submit(&self, payload: Payload) -> anyhow::Result<()> {
        let text = serde_json::to_string(&payload)?;
        sqlx::query(SUBMIT).bind(text).execute(&self.pool).await?;
        Ok(())
    }

    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let texts: Vec<String> = payloads.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        sqlx::query(SUBMIT_MANY).bind(texts).execute(&self.pool).await?;
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
            let unfinished = Arc::clone(&self.unfinished);
            working.spawn(work(
                self.pool.clone(),
                batch,
                Arc::clone(&seen),
                unfinished,
                stop.clone(),
            ));
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
        let claimed = claim(&self.pool, 1).await?;
        let time = begun.elapsed();
        ensure!(claimed.len() == 1, "a claim gave {} jobs", claimed.len());
        finish(&self.pool, &claimed).await?;
        Ok(Some(time))
    }

    fn poll(&self) -> Duration {
        POLL
    }

    fn does(&self, way: Way) -> String {
        match way {
            Way::Batches { batch, .. } => format!("one update claims {batch} rows, one finishes them; fenced"),
            Way::OneByOne { at_once } => format!("{at_once} connections, a claim and a finish for each row; fenced"),
            Way::Prompt => format!("one connection that asks each {} ms while idle", POLL.as_millis()),
        }
    }
}

type Claimed = (i64, i32, String);

async fn work(
    pool: PgPool,
    batch: usize,
    seen: Arc<Seen>,
    unfinished: Arc<AtomicU64>,
    stop: Stop,
) -> anyhow::Result<()> {
    let mut poll = Poll::each(POLL);
    while !stop.is_asked() {
        let claimed = claim(&pool, batch).await?;
        if claimed.is_empty() {
            poll.next().await;
            continue;
        }
        unfinished.fetch_add(claimed.len() as u64, Ordering::AcqRel);
        for (_, _, payload) in &claimed {
            seen.began(serde_json::from_str::<Payload>(payload)?.at);
        }
        finish(&pool, &claimed).await?;
        unfinished.fetch_sub(claimed.len() as u64, Ordering::AcqRel);
    }
    Ok(())
}

async fn claim(pool: &PgPool, batch: usize) -> anyhow::Result<Vec<Claimed>> {
    let claimed = sqlx::query_as(CLAIM).bind(i64::try_from(batch)?).fetch_all(pool);
    Ok(claimed.await?)
}

async fn finish(pool: &PgPool, claimed: &[Claimed]) -> anyhow::Result<()> {
    let (ids, attempts): (Vec<i64>, Vec<i32>) = claimed.iter().map(|(id, attempt, _)| (*id, *attempt)).unzip();
    let finished = sqlx::query(FINISH).bind(ids).bind(attempts).execute(pool).await?;
    ensure!(
        finished.rows_affected() == claimed.len() as u64,
        "a row that was claimed is not there"
    );
    Ok(())
}
