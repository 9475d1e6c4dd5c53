//! Claims of several processes that are offered the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use queue::store::{
    Committed::{Conflict, Done},
    Grant, Granted, Record, Store,
};
use queue_conformance::samples::{at, claim_for, ids, lane, leased, put_all, ready_job, robot};
use queue_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn claims_that_met_are_offered_what_nobody_else_is() {
    let cluster = servers::shared().unwrap();
    let url = cluster.fresh_database().unwrap();
    let store = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    let lanes = [lane("default", ""), lane("default", "browser")];
    let jobs = ["a", "b", "c", "d", "e"].into_iter().zip(lanes.iter().cycle());
    put_all(&store, jobs.map(|(id, lane)| ready_job(id, lane, 0, at(0)))).await;

    let mut session = PgConnection::connect(&url).await.unwrap();
    let mut other = session.begin().await.unwrap();

    // While this one decides, another writes the first job that it was offered.
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let decide = move |offered: Vec<Record>| {
        let written = "update record set version = version + 1 where id = 'a'";
        cluster.sql(&database, written).unwrap();
        let jobs = offered.into_iter().map(leased).collect();
        let holder = robot("first");
        vec![Grant { holder, jobs }]
    };
    let granted = store.claim(&lanes, 2, Box::new(decide)).await.unwrap();
    let jobs = vec![Conflict, Done];
    assert_eq!(granted, [Granted { holder: Done, jobs }]);

    // Now what another is offered is left to it.
    sqlx::query("select from record where id = 'a' for update")
        .fetch_all(&mut *other)
        .await
        .unwrap();
    let (offered, granted) = claim_for(&store, robot("second"), &lanes, 3).await;
    assert_eq!(ids(&offered), ["c", "d", "e"]);
    assert_eq!(granted.jobs, [Done; 3]);
    other.rollback().await.unwrap();
}
