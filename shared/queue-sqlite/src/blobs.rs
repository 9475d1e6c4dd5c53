//! Reads and writes of blobs.

use std::collections::HashMap;

use queue::{
    range::prefix_end,
    store::{Blob, BlobKey, BlobPut, Key},
};
use sqlx::{Error, Row, SqliteConnection, SqlitePool};

use crate::columns::{self, json, kind_code, limit};

const BLOBS: &str = "
    select b.kind, b.tenant, b.id, b.name, b.body
    from json_each(?1) as k
    cross join blob b on b.kind = k.value ->> 0 and b.tenant = k.value ->> 1 and b.id = k.value ->> 2
        and b.name = k.value ->> 3";

const ONE: &str = "select body from blob where kind = ?1 and tenant = ?2 and id = ?3 and name = ?4";

const NAMES: &str = "
    select name from blob
    where kind = ?1 and tenant = ?2 and id = ?3 and name >= ?4 and name < ?5 and name > ?6
    order by name limit ?7";

const PUT: &str = "
    insert into blob (kind, tenant, id, name, body) values (?1, ?2, ?3, ?4, ?5)
    on conflict (kind, tenant, id, name) do update set body = excluded.body";

const PUT_NEW: &str = "
    insert into blob (kind, tenant, id, name, body) values (?1, ?2, ?3, ?4, ?5)
    on conflict (kind, tenant, id, name) do nothing";

pub(crate) async fn blobs(pool: &SqlitePool, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<(u8, &str, &str, &str)> = keys
        .iter()
        .map(|key| {
            (
                key.owner.kind as u8,
                key.owner.partition.as_str(),
                key.owner.id.as_str(),
                key.name.as_str(),
            )
        })
        .collect();
    let rows = sqlx::query(BLOBS).bind(json(&wanted)).fetch_all(pool).await?;
    let mut found: HashMap<BlobKey, Vec<u8>> = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(
            BlobKey {
                owner: columns::key(row)?,
                name: row.try_get("name")?,
            },
            row.try_get("body")?,
        );
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

pub(crate) async fn names(
    pool: &SqlitePool,
    owner: &Key,
    prefix: &str,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<String>, Error> {
    let rows = sqlx::query(NAMES)
        .bind(kind_code(owner.kind))
        .bind(owner.partition.as_str())
        .bind(owner.id.as_str())
        .bind(prefix)
        .bind(prefix_end(prefix))
        .bind(after.unwrap_or(""))
        .bind(limit(most))
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}

pub(crate) async fn put(connection: &mut SqliteConnection, blob: &Blob) -> Result<(), Error> {
    write(connection, PUT, blob).await.map(|_| ())
}

pub(crate) async fn put_new(connection: &mut SqliteConnection, blob: &Blob) -> Result<BlobPut, Error> {
    if write(connection, PUT_NEW, blob).await? {
        return Ok(BlobPut::Stored);
    }
    let row = sqlx::query(ONE)
        .bind(kind_code(blob.key.owner.kind))
        .bind(blob.key.owner.partition.as_str())
        .bind(blob.key.owner.id.as_str())
        .bind(blob.key.name.as_str())
        .fetch_one(connection)
        .await?;
    Ok(BlobPut::Exists(row.try_get("body")?))
}

/// Runs PUT or `PUT_NEW`; `false` when nothing was written.
async fn write(connection: &mut SqliteConnection, statement: &'static str, blob: &Blob) -> Result<bool, Error> {
    let written = sqlx::query(statement)
        .bind(kind_code(blob.key.owner.kind))
        .bind(blob.key.owner.partition.as_str())
        .bind(blob.key.owner.id.as_str())
        .bind(blob.key.name.as_str())
        .bind(blob.body.as_slice())
        .execute(connection)
        .await?;
    Ok(written.rows_affected() == 1)
}
