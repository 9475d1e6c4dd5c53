//! Guarded writes, within the transaction of the one writer: what a check has seen holds until the commit.

use domain::Timestamp;
use queue::store::{Change, Committed, Key, Lane, Record, Version, Write};
use sqlx::{Error, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use crate::{
    blobs,
    columns::{self, kind_code, limit, signed},
};

/// A new record at the version after the one it names.
const INSERT: &str = "
    insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
    values (?1, ?2, ?3, ?4 + 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    on conflict (kind, tenant, id) do nothing";

const UPDATE: &str = "
    update record
    set version = version + 1, lane = ?5, band = ?6, since = ?7, due_at = ?8, shelf = ?9, listed_at = ?10,
        expires_at = ?11, body = ?12
    where kind = ?1 and tenant = ?2 and id = ?3 and version = ?4";

const VERSION: &str = "select version from record where kind = ?1 and tenant = ?2 and id = ?3";

const DELETE: &str = "delete from record where kind = ?1 and tenant = ?2 and id = ?3";

const DELETE_BLOBS: &str = "delete from blob where kind = ?1 and tenant = ?2 and id = ?3";

const EXPIRED: &str = "
    select kind, tenant, id from record
    where expires_at <= ?1 order by expires_at limit ?2";

/// Does all of `change` or none of it.
pub(crate) async fn write_change(connection: &mut SqliteConnection, change: &Change) -> Result<Committed, Error> {
    if let [Write::Put(record)] = change.writes.as_slice() {
        if !put(connection, record).await? {
            return Ok(Committed::Conflict);
        }
    } else {
        for write in &change.writes {
            if version(connection, write.key()).await? != write.version() {
                return Ok(Committed::Conflict);
            }
        }
        for write in &change.writes {
            do_write(connection, write).await?;
        }
    }
    for blob in &change.blobs {
        blobs::put(connection, blob).await?;
    }
    Ok(Committed::Done)
}

async fn do_write(connection: &mut SqliteConnection, write: &Write) -> Result<(), Error> {
    match write {
        Write::Put(record) => put(connection, record).await.map(|_| ()),
        Write::Delete(key, _) => delete(connection, key).await,
        Write::Check(_, _) => Ok(()),
    }
}

/// Writes `record` if what is there has its version; `false` when it has not.
pub(crate) async fn put(connection: &mut SqliteConnection, record: &Record) -> Result<bool, Error> {
    let statement = if record.version == Version::ABSENT {
        INSERT
    } else {
        UPDATE
    };
    run(connection, statement, record, record.version).await
}

/// Writes `record` at the version it carries if there is none of its key.
pub(crate) async fn restore(connection: &mut SqliteConnection, record: &Record) -> Result<Committed, Error> {
    let is_new = run(connection, INSERT, record, record.version.previous()).await?;
    Ok(if is_new { Committed::Done } else { Committed::Conflict })
}

/// Runs INSERT or UPDATE; `false` when nothing was written.
async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
    record: &Record,
    before: Version,
) -> Result<bool, Error> {
    let written = sqlx::query(statement)
        .bind(kind_code(record.key.kind))
        .bind(record.key.partition.as_str())
        .bind(record.key.id.as_str())
        .bind(signed(before.0))
        .bind(record.lane.as_ref().map(Lane::as_str))
        .bind(record.rank.map(|rank| i64::from(rank.band)))
        .bind(record.rank.map(|rank| rank.since.as_micros()))
        .bind(record.due_at.map(Timestamp::as_micros))
        .bind(record.shelf.as_str())
        .bind(record.listed_at.as_micros())
        .bind(record.expires_at.map(Timestamp::as_micros))
        .bind(record.body.as_str())
        .execute(connection)
        .await?;
    Ok(written.rows_affected() == 1)
}

async fn version(connection: &mut SqliteConnection, key: &Key) -> Result<Version, Error> {
    let found: Option<SqliteRow> = sqlx::query(VERSION)
        .bind(kind_code(key.kind))
        .bind(key.partition.as_str())
        .bind(key.id.as_str())
        .fetch_optional(connection)
        .await?;
    found.as_ref().map_or(Ok(Version::ABSENT), columns::version)
}

async fn delete(connection: &mut SqliteConnection, key: &Key) -> Result<(), Error> {
    for statement in [DELETE, DELETE_BLOBS] {
        sqlx::query(statement)
            .bind(kind_code(key.kind))
            .bind(key.partition.as_str())
            .bind(key.id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn purge(pool: &SqlitePool, now: Timestamp, most: usize) -> Result<usize, Error> {
    let mut transaction = pool.begin_with("begin immediate").await?;
    let rows = sqlx::query(EXPIRED)
        .bind(now.as_micros())
        .bind(limit(most))
        .fetch_all(&mut *transaction)
        .await?;
    let expired: Vec<Key> = rows.iter().map(columns::key).collect::<Result<_, _>>()?;
    for key in &expired {
        delete(&mut transaction, key).await?;
    }
    transaction.commit().await?;
    Ok(expired.len())
}
