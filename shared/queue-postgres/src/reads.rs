//! Reads of records. Each costs what it gives: `tests/plans.rs` holds their plans.

use std::collections::HashMap;

use domain::{TenantName, Timestamp};
use queue::store::{Count, Key, Kind, Lane, Position, Record};
use sqlx::{Error, PgPool, Row};

use crate::columns::{self, Keys, kind_code, limit, signed};

const LOAD: &str = "
    select r.* from unnest($1::smallint[], $2::text[], $3::text[]) as k (kind, tenant, id)
    join record r on r.kind = k.kind and r.tenant = k.tenant and r.id = k.id";

/// A loose index scan: one probe for each lane, however many records it holds.
const LANES: &str = "
    with recursive found as (
        (select lane from record where band is not null and lane >= $1 and lane < $2 order by lane limit 1)
        union all
        select (
            select r.lane from record r
            where r.band is not null and r.lane > found.lane and r.lane < $2 order by r.lane limit 1
        ) from found where found.lane is not null
    )
    select lane from found where lane is not null limit $3";

const READY: &str = "
    select r.* from unnest($1::text[]) as l (lane)
    cross join lateral (
        select * from record where lane = l.lane and band is not null order by band, since, id limit $2
    ) r
    order by r.band, r.since, r.id limit $2";

const DUE: &str = "select * from record where due_at is not null and due_at <= $1 order by due_at limit $2";

const LIST: &str = "
    select r.* from unnest($3::text[]) as s (shelf)
    cross join lateral (
        select * from record
        where kind = $1 and tenant = $2 and shelf = s.shelf and (listed_at, id) < ($4, $5)
        order by listed_at desc, id desc limit $6
    ) r
    order by r.listed_at desc, r.id desc limit $6";

const COUNT: &str = "
    select lane, shelf, count(*) as records, min(since) filter (where band is not null) as oldest
    from record where due_at is not null and tenant = $1 and lane is not null
    group by lane, shelf order by lane, shelf";

const DEPTH: &str = "select count(*) as depth from (select 1 from record where band is not null limit $1) as ready";

pub(crate) async fn ping(pool: &PgPool) -> Result<(), Error> {
    // Refused by a server that only reads, and by a database that was not migrated.
    let row = sqlx::query("select pg_is_in_recovery() as standby, to_regclass('record') is not null as migrated")
        .fetch_one(pool)
        .await?;
    if row.try_get("standby")? {
        return Err(Error::Protocol("the server is a standby and takes no writes".into()));
    }
    if !row.try_get::<bool, _>("migrated")? {
        return Err(Error::Protocol(
            "the database has no tables yet: run 'remuda store migrate'".into(),
        ));
    }
    Ok(())
}

pub(crate) async fn load(pool: &PgPool, keys: &[Key]) -> Result<Vec<Option<Record>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Keys::of(keys.iter());
    let rows = sqlx::query(LOAD)
        .bind(wanted.kinds)
        .bind(wanted.tenants)
        .bind(wanted.ids)
        .fetch_all(pool)
        .await?;
    let found: HashMap<Key, Record> = columns::records(&rows)?
        .into_iter()
        .map(|record| (record.key.clone(), record))
        .collect();
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

pub(crate) async fn lanes(pool: &PgPool, prefix: &str, most: usize) -> Result<Vec<Lane>, Error> {
    // Every text that begins with the prefix lies below the prefix with the last character there is.
    let beyond = format!("{prefix}{}", char::MAX);
    let rows = sqlx::query(LANES)
        .bind(prefix)
        .bind(beyond)
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| Ok(Lane::from_stored(row.try_get("lane")?)))
        .collect()
}

pub(crate) async fn ready(pool: &PgPool, lanes: &[Lane], most: usize) -> Result<Vec<Record>, Error> {
    let lanes: Vec<&str> = lanes.iter().map(Lane::as_str).collect();
    columns::records(&sqlx::query(READY).bind(lanes).bind(limit(most)).fetch_all(pool).await?)
}

pub(crate) async fn due(pool: &PgPool, now: Timestamp, most: usize) -> Result<Vec<Record>, Error> {
    columns::records(
        &sqlx::query(DUE)
            .bind(now.as_micros())
            .bind(limit(most))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn list(
    pool: &PgPool,
    kind: Kind,
    partition: &str,
    shelves: &[&str],
    after: Option<&Position>,
    most: usize,
) -> Result<Vec<Record>, Error> {
    let (before, id) = after.map_or((i64::MAX, ""), |after| (after.listed_at.as_micros(), after.id.as_str()));
    let mut shelves = shelves.to_vec();
    shelves.sort_unstable();
    shelves.dedup();
    let rows = sqlx::query(LIST)
        .bind(kind_code(kind))
        .bind(partition)
        .bind(shelves)
        .bind(before)
        .bind(id)
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    columns::records(&rows)
}

pub(crate) async fn count(pool: &PgPool, tenant: &TenantName) -> Result<Vec<Count>, Error> {
    let rows = sqlx::query(COUNT).bind(tenant.as_str()).fetch_all(pool).await?;
    let count = |row: &sqlx::postgres::PgRow| {
        let records: i64 = row.try_get("records")?;
        Ok(Count {
            lane: Lane::from_stored(row.try_get("lane")?),
            shelf: row.try_get("shelf")?,
            records: u64::try_from(records).unwrap_or(0),
            oldest: row.try_get::<Option<i64>, _>("oldest")?.map(Timestamp::from_micros),
        })
    };
    rows.iter().map(count).collect()
}

pub(crate) async fn depth(pool: &PgPool, most: u64) -> Result<u64, Error> {
    let row = sqlx::query(DEPTH).bind(signed(most)).fetch_one(pool).await?;
    Ok(u64::try_from(row.try_get::<i64, _>("depth")?).unwrap_or(0))
}
