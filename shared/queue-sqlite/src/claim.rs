//! A claim: offer, decide, write what is granted, in one transaction of the one writer.

use queue::store::{Committed, Decide, Grant, Granted, Lane};
use sqlx::{Error, SqliteConnection, SqlitePool};

use crate::{
    columns::{self, limit},
    commit::put,
    reads::{READY, lanes_json},
};

pub(crate) async fn claim(
    pool: &SqlitePool,
    lanes: &[Lane],
    most: usize,
    decide: Decide,
) -> Result<Vec<Granted>, Error> {
    let mut transaction = pool.begin_with("begin immediate").await?;
    let rows = sqlx::query(READY)
        .bind(lanes_json(lanes))
        .bind(limit(most))
        .fetch_all(&mut *transaction)
        .await?;
    let grants = decide(columns::records(&rows)?);
    let mut granted = Vec::with_capacity(grants.len());
    for grant in &grants {
        granted.push(write(&mut transaction, grant).await?);
    }
    transaction.commit().await?;
    Ok(granted)
}

/// Writes the holder, and then its jobs.
async fn write(connection: &mut SqliteConnection, grant: &Grant) -> Result<Granted, Error> {
    if !put(connection, &grant.holder).await? {
        return Ok(Granted {
            holder: Committed::Conflict,
            jobs: vec![Committed::Conflict; grant.jobs.len()],
        });
    }
    let mut jobs = Vec::with_capacity(grant.jobs.len());
    for job in &grant.jobs {
        jobs.push(if put(connection, job).await? {
            Committed::Done
        } else {
            Committed::Conflict
        });
    }
    Ok(Granted {
        holder: Committed::Done,
        jobs,
    })
}
