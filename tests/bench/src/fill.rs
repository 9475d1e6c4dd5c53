//! Fills a store by SQL with copies of two jobs that went through the engine: ten million would take it hours.

use anyhow::Context;
use domain::JobId;
use queue::Engine;
use sqlx::{PgPool, SqlitePool};

use crate::work::{self, Worker};

/// One job of so many is ready; the others have succeeded.
const READY_EACH: u64 = 10;

/// A copy has the number of its place for an id, which sorts before the ids of all jobs that are submitted.
const POSTGRES: [&str; 2] = [
    "with place as (
        select place, '00000000-0000-7000-8000-' || lpad(to_hex(place), 12, '0') as id
        from generate_series($1::bigint, $2::bigint) place
    )
    insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
    select r.kind, r.tenant, place.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at, r.expires_at,
        replace(r.body, r.id, place.id)
    from place join record r on r.kind = 1 and r.tenant = $5 and r.id = case place.place % 10 when 0 then $3 else $4 end",
    "with place as (
        select place, '00000000-0000-7000-8000-' || lpad(to_hex(place), 12, '0') as id
        from generate_series($1::bigint, $2::bigint) place
    )
    insert into blob (kind, tenant, id, name, body)
    select b.kind, b.tenant, place.id, b.name, b.body
    from place join blob b on b.kind = 1 and b.tenant = $5 and b.id = case place.place % 10 when 0 then $3 else $4 end",
];

/// `cross join` keeps the places outside: turned around, the places were counted anew for each record there is.
const SQLITE: [&str; 2] = [
    "with recursive number (place) as (select ?1 union all select place + 1 from number where place < ?2), place as (
        select place, printf('00000000-0000-7000-8000-%012x', place) as id from number
    )
    insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
    select r.kind, r.tenant, place.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at, r.expires_at,
        replace(r.body, r.id, place.id)
    from place cross join record r on r.kind = 1 and r.tenant = ?5 and r.id = case place.place % 10 when 0 then ?3 else ?4 end",
    "with recursive number (place) as (select ?1 union all select place + 1 from number where place < ?2), place as (
        select place, printf('00000000-0000-7000-8000-%012x', place) as id from number
    )
    insert into blob (kind, tenant, id, name, body)
    select b.kind, b.tenant, place.id, b.name, b.body
    from place cross join blob b on b.kind = 1 and b.tenant = ?5 and b.id = case place.place % 10 when 0 then ?3 else ?4 end",
];

/// Writes copies beside the engine.
pub(crate) struct Filler {
    pool: Pool,
    ready: String,
    finished: String,
}

enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Filler {
    /// One for the store at `url`, on which `engine` works; it has one job done by `worker` and leaves one that waits.
    pub(crate) async fn new(url: &str, engine: &Engine, worker: &mut Worker) -> anyhow::Result<Self> {
        work::submit(engine, 1, 1).await?;
        let finished = worker.claim(1).await?;
        worker.finish(&finished).await?;
        let ready = engine
            .submit(&work::tenant(), &work::client(), work::submissions(1))
            .await?;
        let ready = ready.into_iter().next().context("one was submitted")??;
        let pool = if url.starts_with("postgres") {
            Pool::Postgres(PgPool::connect(url).await?)
        } else {
            Pool::Sqlite(SqlitePool::connect(&format!("sqlite:{url}")).await?)
        };
        Ok(Self {
            pool,
            ready: ready.job.job.id.to_string(),
            finished: finished.first().context("one was claimed")?.job.id.to_string(),
        })
    }

    /// Writes the copies from `first` to `last`.
    pub(crate) async fn fill(&self, first: u64, last: u64) -> anyhow::Result<()> {
        let (first, last) = (i64::try_from(first)?, i64::try_from(last)?);
        let tenant = work::tenant();
        for place in 0..POSTGRES.len() {
            match &self.pool {
                Pool::Postgres(pool) => {
                    let statement = sqlx::query(POSTGRES[place]).bind(first).bind(last);
                    let statement = statement.bind(&self.ready).bind(&self.finished);
                    statement.bind(tenant.as_str()).execute(pool).await?;
                }
                Pool::Sqlite(pool) => {
                    let statement = sqlx::query(SQLITE[place]).bind(first).bind(last);
                    let statement = statement.bind(&self.ready).bind(&self.finished);
                    statement.bind(tenant.as_str()).execute(pool).await?;
                }
            }
        }
        Ok(())
    }

    /// Has the database see what was written, as it does by itself after a while.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        if let Pool::Postgres(pool) = &self.pool {
            sqlx::query("vacuum (analyze)").execute(pool).await?;
            sqlx::query("checkpoint").execute(pool).await?;
        }
        Ok(())
    }
}

/// The last copy of the first `count` that is ready.
pub(crate) fn last_ready(count: u64) -> anyhow::Result<JobId> {
    let place = count / READY_EACH * READY_EACH;
    JobId::parse(&format!("00000000-0000-7000-8000-{place:012x}")).context("it is a UUID")
}
