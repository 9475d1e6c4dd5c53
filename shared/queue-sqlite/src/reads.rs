//! Reads of records. Each costs what it gives.

use std::collections::HashMap;

use domain::{TenantName, Timestamp};
use queue::{
    range::prefix_end,
    store::{Count, Key, Kind, Lane, Position, Record},
};
use sqlx::{Error, Row, SqlitePool, sqlite::SqliteRow};

use crate::columns::{self, keys_json, kind_code, limit, signed, texts_json};

const LOAD: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body
    from json_each(?1) as k
    cross join record r on r.kind = k.value ->> 0 and r.tenant = k.value ->> 1 and r.id = k.value ->> 2";

/// A loose index scan: one probe for each lane, however many records it holds.
const LANES: &str = "
    with recursive found (lane) as (
        select (
            select lane from record where band is not null and lane >= ?1 and lane < ?2 order by lane limit 1
        )
        union all
        select (
            select r.lane from record r
            where r.band is not null and r.lane > found.lane and r.lane < ?2 order by r.lane limit 1
        ) from found where found.lane is not null
    )
    select lane from found where lane is not null limit ?3";

pub(crate) const READY: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body
    from json_each(?1) as l
    cross join record r on r.rowid in (
        select h.rowid from record h
        where h.lane = l.value and h.band is not null order by h.band, h.since, h.id limit ?2
    )
    order by r.band, r.since, r.id limit ?2";

const DUE: &str = "
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
    from record where due_at <= ?1 order by due_at, id limit ?2";

const LIST: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body
    from json_each(?3) as s
    cross join record r on r.rowid in (
        select h.rowid from record h
        where h.kind = ?1 and h.tenant = ?2 and h.shelf = s.value and (h.listed_at, h.id) < (?4, ?5)
        order by h.listed_at desc, h.id desc limit ?6
    )
    order by r.listed_at desc, r.id desc limit ?6";

/// Its condition is the predicate of the index, to the letter.
const COUNT: &str = "
    select lane, shelf, count(*) as records, min(since) as oldest
    from record where (due_at is not null or band is not null) and lane >= ?1 and lane < ?2
    group by lane, shelf order by lane, shelf";

const DEPTH: &str = "select count(*) as depth from (select 1 from record where band is not null limit ?1)";

const SCAN: &str = "
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
    from record where (kind, tenant, id) > (?1, ?2, ?3) order by kind, tenant, id limit ?4";

pub(crate) async fn load(pool: &SqlitePool, keys: &[Key]) -> Result<Vec<Option<Record>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(LOAD).bind(keys_json(keys.iter())).fetch_all(pool).await?;
    let found: HashMap<Key, Record> = columns::records(&rows)?
        .into_iter()
        .map(|record| (record.key.clone(), record))
        .collect();
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

pub(crate) async fn lanes(pool: &SqlitePool, prefix: &str, most: usize) -> Result<Vec<Lane>, Error> {
    let rows = sqlx::query(LANES)
        .bind(prefix)
        .bind(prefix_end(prefix))
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| Ok(Lane::from_stored(row.try_get("lane")?)))
        .collect()
}

pub(crate) async fn ready(pool: &SqlitePool, lanes: &[Lane], most: usize) -> Result<Vec<Record>, Error> {
    columns::records(
        &sqlx::query(READY)
            .bind(lanes_json(lanes))
            .bind(limit(most))
            .fetch_all(pool)
            .await?,
    )
}

/// The texts of `lanes` as a JSON array, each once.
pub(crate) fn lanes_json(lanes: &[Lane]) -> String {
    let mut texts: Vec<&str> = lanes.iter().map(Lane::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts_json(&texts)
}

pub(crate) async fn due(pool: &SqlitePool, now: Timestamp, most: usize) -> Result<Vec<Record>, Error> {
    columns::records(
        &sqlx::query(DUE)
            .bind(now.as_micros())
            .bind(limit(most))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn list(
    pool: &SqlitePool,
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
        .bind(texts_json(&shelves))
        .bind(before)
        .bind(id)
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    columns::records(&rows)
}

pub(crate) async fn count(pool: &SqlitePool, tenant: &TenantName) -> Result<Vec<Count>, Error> {
    let prefix = format!("{tenant}/");
    let rows = sqlx::query(COUNT)
        .bind(&prefix)
        .bind(prefix_end(&prefix))
        .fetch_all(pool)
        .await?;
    let count = |row: &SqliteRow| {
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

pub(crate) async fn depth(pool: &SqlitePool, most: u64) -> Result<u64, Error> {
    let row = sqlx::query(DEPTH).bind(signed(most)).fetch_one(pool).await?;
    Ok(u64::try_from(row.try_get::<i64, _>("depth")?).unwrap_or(0))
}

/// Up to `most` records in the order of their keys, after `after`.
pub(crate) async fn scan(pool: &SqlitePool, after: Option<&Key>, most: usize) -> Result<Vec<Record>, Error> {
    // Every kind has a number above 0.
    let (kind, tenant, id) = after.map_or((0, "", ""), |key| {
        (kind_code(key.kind), key.partition.as_str(), key.id.as_str())
    });
    let rows = sqlx::query(SCAN)
        .bind(kind)
        .bind(tenant)
        .bind(id)
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    columns::records(&rows)
}
