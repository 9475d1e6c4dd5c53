//! Guarded writes.
//!
//! A change of one put, as almost all are, goes with all others of its call into one insert and one update. A change of
//! more goes into a transaction of its own.

use std::collections::HashSet;

use domain::Timestamp;
use queue::store::{Blob, Change, Committed, Key, Record, Version, Write};
use sqlx::{Error, PgConnection, PgPool, Row, postgres::PgRow};

use crate::{
    blobs::{self, Blobs},
    columns::{self, Records, bind_records, kind_code, limit, signed},
    errors::is_worth_another_try,
};

/// How often a transaction that met a deadlock is tried.
const TRIES_MAX: usize = 4;

/// Tries again at once what met a deadlock: the other transaction has got through by then. A macro, because a closure that
/// gives a future cannot promise that the future may move between threads.
macro_rules! again_on_deadlock {
    ($work:expr) => {{
        let mut tries = 1;
        loop {
            match $work.await {
                Err(error) if tries < TRIES_MAX && is_worth_another_try(&error) => tries += 1,
                outcome => break outcome,
            }
        }
    }};
}

/// New records with the blobs of those that were really new, in one statement.
const INSERT: &str = "
    with made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, version + 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
                    $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
          as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        on conflict (kind, tenant, id) do nothing
        returning kind, tenant, id
    ), beside as (
        insert into blob (kind, tenant, id, name, body)
        select b.kind, b.tenant, b.id, b.name, b.body
        from unnest($13::smallint[], $14::text[], $15::text[], $16::text[], $17::bytea[])
          as b (kind, tenant, id, name, body)
        join made on made.kind = b.kind and made.tenant = b.tenant and made.id = b.id
        on conflict (kind, tenant, id, name) do update set body = excluded.body
    )
    select kind, tenant, id from made";

/// New versions of records that still have the version that was read, with the blobs of those.
const UPDATE: &str = "
    with made as (
        update record r
        set version = r.version + 1, lane = given.lane, band = given.band, since = given.since,
            due_at = given.due_at, shelf = given.shelf, listed_at = given.listed_at,
            expires_at = given.expires_at, body = given.body
        from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
                    $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
          as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        where r.kind = given.kind and r.tenant = given.tenant and r.id = given.id and r.version = given.version
        returning r.kind, r.tenant, r.id
    ), beside as (
        insert into blob (kind, tenant, id, name, body)
        select b.kind, b.tenant, b.id, b.name, b.body
        from unnest($13::smallint[], $14::text[], $15::text[], $16::text[], $17::bytea[])
          as b (kind, tenant, id, name, body)
        join made on made.kind = b.kind and made.tenant = b.tenant and made.id = b.id
        on conflict (kind, tenant, id, name) do update set body = excluded.body
    )
    select kind, tenant, id from made";

const DELETE: &str = "delete from record where kind = $1 and tenant = $2 and id = $3 and version = $4";

const DELETE_BLOBS: &str = "delete from blob where kind = $1 and tenant = $2 and id = $3";

const CHECK: &str = "
    select version from record where kind = $1 and tenant = $2 and id = $3 for update";

const PURGE: &str = "
    with gone as materialized (
        select kind, tenant, id from record
        where expires_at is not null and expires_at <= $1 order by expires_at limit $2 for update skip locked
    ), beside as (
        delete from blob b using gone where b.kind = gone.kind and b.tenant = gone.tenant and b.id = gone.id
    ), removed as (
        delete from record r using gone where r.kind = gone.kind and r.tenant = gone.tenant and r.id = gone.id
        returning 1
    )
    select count(*) as removed from removed";

/// The puts of single records of one call, new ones and others.
#[derive(Default)]
struct Singles {
    new: Vec<(Record, Vec<Blob>)>,
    changed: Vec<(Record, Vec<Blob>)>,
}

pub(crate) async fn commit(pool: &PgPool, changes: Vec<Change>) -> Result<Vec<Committed>, Error> {
    let mut singles = Singles::default();
    let mut groups: Vec<(usize, Change)> = Vec::new();
    let mut keys: Vec<Option<Key>> = Vec::with_capacity(changes.len());
    for (place, mut change) in changes.into_iter().enumerate() {
        if let [Write::Put(record)] = change.writes.as_slice()
            && change.blobs.iter().all(|blob| blob.key.owner == record.key)
        {
            keys.push(Some(record.key.clone()));
            let Some(Write::Put(record)) = change.writes.pop() else {
                continue;
            };
            let put = (record, change.blobs);
            if put.0.version == Version::ABSENT {
                singles.new.push(put);
            } else {
                singles.changed.push(put);
            }
        } else {
            keys.push(None);
            groups.push((place, change));
        }
    }
    let mut done = put_all(pool, INSERT, singles.new).await?;
    done.extend(put_all(pool, UPDATE, singles.changed).await?);
    let outcome = |key: Option<Key>| {
        if key.is_some_and(|key| done.contains(&key)) {
            Committed::Done
        } else {
            Committed::Conflict
        }
    };
    let mut outcomes: Vec<Committed> = keys.into_iter().map(outcome).collect();
    for (place, change) in groups {
        outcomes[place] = commit_group(pool, &change).await?;
    }
    Ok(outcomes)
}

/// Runs INSERT or UPDATE over `puts` and says which records were written.
async fn put_all(
    pool: &PgPool,
    statement: &'static str,
    mut puts: Vec<(Record, Vec<Blob>)>,
) -> Result<HashSet<Key>, Error> {
    if puts.is_empty() {
        return Ok(HashSet::new());
    }
    // Rows are locked in one order by everybody, as far as the planner keeps it.
    puts.sort_by(|(one, _), (other, _)| one.key.cmp(&other.key));
    let rows = again_on_deadlock!(put_once(pool, statement, &puts))?;
    rows.iter().map(columns::key).collect()
}

async fn put_once(pool: &PgPool, statement: &'static str, puts: &[(Record, Vec<Blob>)]) -> Result<Vec<PgRow>, Error> {
    let mut records = Records::default();
    let mut blobs = Vec::new();
    for (record, beside) in puts {
        records.push(record.clone());
        blobs.extend(beside.iter().cloned());
    }
    let Blobs { owners, names, bodies } = Blobs::of(blobs);
    bind_records!(sqlx::query(statement), records)
        .bind(owners.kinds)
        .bind(owners.tenants)
        .bind(owners.ids)
        .bind(names)
        .bind(bodies)
        .fetch_all(pool)
        .await
}

/// Does all of `change` or none of it.
async fn commit_group(pool: &PgPool, change: &Change) -> Result<Committed, Error> {
    again_on_deadlock!(commit_group_once(pool, change))
}

async fn commit_group_once(pool: &PgPool, change: &Change) -> Result<Committed, Error> {
    let mut transaction = pool.begin().await?;
    let mut writes: Vec<&Write> = change.writes.iter().collect();
    writes.sort_by(|one, other| one.key().cmp(other.key()));
    for write in writes {
        if !do_write(&mut transaction, write).await? {
            transaction.rollback().await?;
            return Ok(Committed::Conflict);
        }
    }
    if !change.blobs.is_empty() {
        blobs::put(&mut *transaction, change.blobs.clone()).await?;
    }
    transaction.commit().await?;
    Ok(Committed::Done)
}

/// Does one write; `false` when the record is not at its version.
async fn do_write(connection: &mut PgConnection, write: &Write) -> Result<bool, Error> {
    match write {
        Write::Put(record) => {
            let mut records = Records::default();
            let statement = if record.version == Version::ABSENT {
                INSERT
            } else {
                UPDATE
            };
            records.push(record.clone());
            let none = Blobs::default();
            let rows = bind_records!(sqlx::query(statement), records)
                .bind(none.owners.kinds)
                .bind(none.owners.tenants)
                .bind(none.owners.ids)
                .bind(none.names)
                .bind(none.bodies)
                .fetch_all(connection)
                .await?;
            Ok(rows.len() == 1)
        }
        Write::Delete(key, version) => delete(connection, key, *version).await,
        Write::Check(key, version) => {
            let found: Option<PgRow> = sqlx::query(CHECK)
                .bind(kind_code(key.kind))
                .bind(key.partition.as_str())
                .bind(key.id.as_str())
                .fetch_optional(connection)
                .await?;
            let there = found
                .map(|row| row.try_get::<i64, _>("version"))
                .transpose()?
                .unwrap_or(0);
            Ok(there == signed(version.0))
        }
    }
}

async fn delete(connection: &mut PgConnection, key: &Key, version: Version) -> Result<bool, Error> {
    let removed = sqlx::query(DELETE)
        .bind(kind_code(key.kind))
        .bind(key.partition.as_str())
        .bind(key.id.as_str())
        .bind(signed(version.0))
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query(DELETE_BLOBS)
        .bind(kind_code(key.kind))
        .bind(key.partition.as_str())
        .bind(key.id.as_str())
        .execute(connection)
        .await?;
    Ok(true)
}

pub(crate) async fn purge(pool: &PgPool, now: Timestamp, most: usize) -> Result<usize, Error> {
    let row = again_on_deadlock!(
        sqlx::query(PURGE)
            .bind(now.as_micros())
            .bind(limit(most))
            .fetch_one(pool)
    )?;
    Ok(usize::try_from(row.try_get::<i64, _>("removed")?).unwrap_or(0))
}
