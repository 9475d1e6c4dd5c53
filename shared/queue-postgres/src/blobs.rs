//! Reads and writes of blobs.

use std::collections::{BTreeMap, HashMap};

use queue::{
    range::prefix_end,
    store::{Blob, BlobKey, BlobPut, Key},
};
use sqlx::{Error, Row};

use crate::{
    columns::{self, Keys, kind_code, limit},
    connect::Connections,
    errors::TRIES_MAX,
};

const BLOBS: &str = "
    select b.kind, b.tenant, b.id, b.name, b.body
    from unnest($1::smallint[], $2::text[], $3::text[], $4::text[]) as k (kind, tenant, id, name)
    cross join lateral (
        select * from blob where kind = k.kind and tenant = k.tenant and id = k.id and name = k.name limit 1
    ) b";

const NAMES: &str = "
    select name from blob
    where kind = $1 and tenant = $2 and id = $3 and name >= $4 and name < $5 and name > $6
    order by name limit $7";

const PUT: &str = "
    insert into blob (kind, tenant, id, name, body)
    select * from unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::bytea[])
    on conflict (kind, tenant, id, name) do update set body = excluded.body";

const PUT_NEW: &str = "
    insert into blob (kind, tenant, id, name, body) values ($1, $2, $3, $4, $5)
    on conflict (kind, tenant, id, name) do nothing";

/// Blobs as one array for each column; of two with one name the later one.
#[derive(Default)]
pub(crate) struct Blobs<'a> {
    pub(crate) owners: Keys<'a>,
    pub(crate) names: Vec<&'a str>,
    pub(crate) bodies: Vec<&'a [u8]>,
}

impl<'a> Blobs<'a> {
    pub(crate) fn of(blobs: impl Iterator<Item = &'a Blob>) -> Self {
        let latest: BTreeMap<&BlobKey, &[u8]> = blobs.map(|blob| (&blob.key, blob.body.as_slice())).collect();
        let mut columns = Self::default();
        for (key, body) in latest {
            columns.owners.push(&key.owner);
            columns.names.push(&key.name);
            columns.bodies.push(body);
        }
        columns
    }
}

/// Binds the arrays of [`Blobs`] in the order that the statements take them: owner, name, body.
macro_rules! bind_blobs {
    ($query:expr, $blobs:expr) => {
        $query
            .bind($blobs.owners.kinds)
            .bind($blobs.owners.tenants)
            .bind($blobs.owners.ids)
            .bind($blobs.names)
            .bind($blobs.bodies)
    };
}
pub(crate) use bind_blobs;

pub(crate) async fn blobs(connections: &Connections, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let owners = Keys::of(keys.iter().map(|key| &key.owner));
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let statement = sqlx::query(BLOBS)
        .bind(owners.kinds)
        .bind(owners.tenants)
        .bind(owners.ids)
        .bind(names);
    let rows = connections.fetch_all(statement).await?;
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
    connections: &Connections,
    owner: &Key,
    prefix: &str,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<String>, Error> {
    let statement = sqlx::query(NAMES)
        .bind(kind_code(owner.kind))
        .bind(owner.partition.as_str())
        .bind(owner.id.as_str())
        .bind(prefix)
        .bind(prefix_end(prefix))
        .bind(after.unwrap_or(""))
        .bind(limit(most));
    let rows = connections.fetch_all(statement).await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}

pub(crate) async fn put(connections: &Connections, blob: &Blob) -> Result<(), Error> {
    let blobs = Blobs::of(std::iter::once(blob));
    connections.execute(bind_blobs!(sqlx::query(PUT), blobs)).await?;
    Ok(())
}

pub(crate) async fn put_new(connections: &Connections, blob: Blob) -> Result<BlobPut, Error> {
    let owner = &blob.key.owner;
    for _ in 0..TRIES_MAX {
        let statement = sqlx::query(PUT_NEW)
            .bind(kind_code(owner.kind))
            .bind(owner.partition.as_str())
            .bind(owner.id.as_str())
            .bind(blob.key.name.as_str())
            .bind(blob.body.as_slice());
        if connections.execute(statement).await? == 1 {
            return Ok(BlobPut::Stored);
        }
        let there = blobs(connections, std::slice::from_ref(&blob.key)).await?;
        if let Some(body) = there.into_iter().flatten().next() {
            return Ok(BlobPut::Exists(body));
        }
        // It was there a moment ago, and was purged since: now there may be room.
    }
    Err(Error::RowNotFound)
}
