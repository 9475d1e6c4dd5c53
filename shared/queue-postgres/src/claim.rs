//! A claim: lock what is offered, decide, write what is granted, in one transaction.

use std::collections::HashSet;

use queue::store::{Committed, Decide, Grant, Granted, Key, Lane};
use sqlx::{Error, PgConnection, PgPool};

use crate::columns::{self, Records, bind_records, limit};

/// The heads of lanes that nobody else is being offered. Materialised, or the planner may run the sub-select more than
/// once and lock more than the limit.
const OFFER: &str = "
    with offered as materialized (
        select r.* from unnest($1::text[]) as l (lane)
        cross join lateral (
            select * from record where lane = l.lane and band is not null
            order by band, since, id limit $2 for update skip locked
        ) r
    )
    select * from offered order by band, since, id limit $2";

/// New versions of records that still have the version that was read.
const PUT: &str = "
    update record r
    set version = r.version + 1, lane = given.lane, band = given.band, since = given.since,
        due_at = given.due_at, shelf = given.shelf, listed_at = given.listed_at,
        expires_at = given.expires_at, body = given.body
    from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
                $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
      as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
    where r.kind = given.kind and r.tenant = given.tenant and r.id = given.id and r.version = given.version
    returning r.kind, r.tenant, r.id";

pub(crate) async fn claim(
    pool: &PgPool,
    lanes: &[Lane],
    most: usize,
    decide: Decide<'_>,
) -> Result<Vec<Granted>, Error> {
    let lanes: Vec<&str> = lanes.iter().map(Lane::as_str).collect();
    let mut transaction = pool.begin().await?;
    let rows = sqlx::query(OFFER)
        .bind(lanes)
        .bind(limit(most))
        .fetch_all(&mut *transaction)
        .await?;
    let grants = decide(columns::records(&rows)?);
    let granted = write(&mut transaction, grants).await?;
    transaction.commit().await?;
    Ok(granted)
}

/// Writes the holders, and then the jobs of those that were written.
async fn write(connection: &mut PgConnection, grants: Vec<Grant>) -> Result<Vec<Granted>, Error> {
    let mut holders = Records::default();
    grants.iter().for_each(|grant| holders.push(grant.holder.clone()));
    let held = put(connection, holders).await?;
    let mut jobs = Records::default();
    for grant in grants.iter().filter(|grant| held.contains(&grant.holder.key)) {
        grant.jobs.iter().for_each(|job| jobs.push(job.clone()));
    }
    let written = put(connection, jobs).await?;
    let outcome = |done: &HashSet<Key>, key: &Key| {
        if done.contains(key) {
            Committed::Done
        } else {
            Committed::Conflict
        }
    };
    let granted = |grant: &Grant| Granted {
        holder: outcome(&held, &grant.holder.key),
        jobs: grant.jobs.iter().map(|job| outcome(&written, &job.key)).collect(),
    };
    Ok(grants.iter().map(granted).collect())
}

async fn put(connection: &mut PgConnection, records: Records) -> Result<HashSet<Key>, Error> {
    if records.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = bind_records!(sqlx::query(PUT), records).fetch_all(connection).await?;
    rows.iter().map(columns::key).collect()
}
