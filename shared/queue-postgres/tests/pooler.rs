//! Through `PgBouncer` in transaction mode, also of a version that does not keep apart what its clients prepare: with
//! `pooler=transaction` every promise of the seam is kept, and without it what is missing is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{str::FromStr, sync::Arc};

use queue::{
    Store,
    store::{Change, Committed, StoreError, Version, Write},
};
use queue_conformance::{
    Fixture,
    kit::Kit,
    operation_cases::storming,
    samples::{at, job, job_key, load, put},
    trouble,
};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::{Cluster, PgBouncer};
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

/// From here on `PgBouncer` can keep apart what its clients prepare.
const KEEPS_APART: (u32, u32) = (1, 21);

/// A database that has its schema, and the ways to it.
struct Database {
    cluster: &'static Cluster,
    direct: String,
}

impl Database {
    async fn migrated() -> Self {
        let cluster = servers::shared().unwrap();
        let direct = cluster.fresh_database().unwrap();
        let store = connect(&direct, 1).await;
        store.migrate().await.unwrap();
        store.close().await;
        Self { cluster, direct }
    }

    fn name(&self) -> &str {
        self.direct.rsplit_once('/').unwrap().1
    }

    /// How many sessions a pooler holds.
    fn sessions(&self) -> u32 {
        let count = "select count(*) from pg_stat_activity where application_name = 'remuda' and datname = ";
        let answer = self.cluster.sql("postgres", &format!("{count}'{}'", self.name()));
        answer.unwrap().parse().unwrap()
    }
}

async fn connect(url: &str, max_connections: u32) -> PostgresStore {
    PostgresStore::connect(url, PostgresOptions { max_connections })
        .await
        .unwrap()
}

/// Two processes, each with connections of its own, by a way with this parameter.
async fn two(through: &str, parameter: &str) -> Vec<Arc<dyn Store>> {
    let url = format!("{through}?{parameter}");
    vec![Arc::new(connect(&url, 4).await), Arc::new(connect(&url, 4).await)]
}

/// A pooler that does not keep apart what its clients prepare, with so many sessions for a database.
fn mixing(cluster: &Cluster, sessions: u32) -> PgBouncer {
    let pooler = || PgBouncer::before(cluster).pool_size(sessions);
    let plain = pooler().start().unwrap();
    if plain.version() < KEEPS_APART {
        return plain;
    }
    pooler().setting("max_prepared_statements", "0").start().unwrap()
}

async fn through_pgbouncer() -> Fixture {
    let database = Database::migrated().await;
    let through = servers::shared_pgbouncer()
        .unwrap()
        .instead_of(&database.direct)
        .unwrap();
    Fixture::new(connect(&format!("{through}?pooler=transaction"), 4).await)
}

queue_conformance::store_suite!(pgbouncer, through_pgbouncer);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_through_it_loses_nothing() {
    let fixture = through_pgbouncer().await;
    storming::a_storm_of_clients_robots_and_schedules_loses_nothing(&Kit::new(fixture.store())).await;
}

mod heavy {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_processes_share_two_sessions_and_lose_nothing() {
        let database = Database::migrated().await;
        let pooler = mixing(database.cluster, 2);
        let stores = two(&pooler.instead_of(&database.direct).unwrap(), "pooler=transaction").await;
        let endured = trouble::work_through(&stores, 1).await;
        // Eight connections, and no more sessions than there are.
        let sessions = database.sessions();
        assert!((1..=2).contains(&sessions), "{sessions}");
        println!("PgBouncer {:?}: {endured}", pooler.version());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault_comes_through_it_and_nothing_acknowledged_is_lost() {
        let database = Database::migrated().await;
        let pooler = mixing(database.cluster, 3);
        let stores = two(&pooler.instead_of(&database.direct).unwrap(), "pooler=transaction").await;
        println!("{}", trouble::endure(&stores, 1).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pooler_that_keeps_statements_apart_needs_no_more_than_settings_by_role() {
        let cluster = servers::shared().unwrap();
        let version = PgBouncer::before(cluster).start().unwrap().version();
        if version < KEEPS_APART {
            println!(
                "PgBouncer {version:?} cannot: name a later one in {}",
                servers::PGBOUNCER
            );
            return;
        }
        let database = Database::migrated().await;
        let pooler = PgBouncer::before(cluster)
            .pool_size(2)
            .setting("max_prepared_statements", "100");
        let pooler = pooler.start().unwrap();
        let stores = two(&pooler.instead_of(&database.direct).unwrap(), "session=role").await;
        println!("PgBouncer {version:?}: {}", trouble::work_through(&stores, 1).await);
    }
}

#[tokio::test]
async fn a_pooler_that_takes_no_settings_is_told_with_what_to_do() {
    let database = Database::migrated().await;
    let through = servers::shared_pgbouncer()
        .unwrap()
        .instead_of(&database.direct)
        .unwrap();
    assert_tells(&connect(&through, 1).await.ping().await.unwrap_err());
}

#[tokio::test]
async fn statements_that_a_pooler_mixes_up_are_told_with_what_to_do() {
    let database = Database::migrated().await;
    let pooler = mixing(database.cluster, 1);
    let through = pooler.instead_of(&database.direct).unwrap() + "?session=role";
    let (one, other) = (connect(&through, 1).await, connect(&through, 1).await);
    one.ping().await.unwrap();
    // On the same session, and by the same name.
    assert_tells(&other.ping().await.unwrap_err());
}

/// A read that was executed as the deletion of another client's placeholders would take away what it read.
#[tokio::test]
async fn a_question_that_a_pooler_mixes_up_deletes_nothing() {
    let database = Database::migrated().await;
    let kept = put(&connect(&database.direct, 1).await, job("kept")).await;
    let pooler = mixing(database.cluster, 2);
    let through = pooler.instead_of(&database.direct).unwrap();
    let by_role = format!("{through}?session=role");
    let (reader, writer) = (connect(&by_role, 1).await, connect(&by_role, 1).await);

    // Whoever is not held goes to the session that is let go.
    let (mut first, mut second) = (Hold::of(&through).await, Hold::of(&through).await);

    // On the second session the third statement of the writer deletes.
    second.let_go().await;
    writer.ping().await.unwrap();
    let change = Change {
        writes: vec![Write::Check(job_key("absent"), Version::ABSENT), Write::Put(job("new"))],
        blobs: Vec::new(),
    };
    assert_eq!(writer.commit(vec![change]).await.unwrap(), [Committed::Done]);
    second.take().await;

    // On the first session the third statement of the reader reads.
    first.let_go().await;
    reader.ping().await.unwrap();
    reader.due(at(0), 1).await.unwrap();
    assert_eq!(load(&reader, &kept.key).await.as_ref(), Some(&kept));
    first.take().await;

    // It reads once more, and comes to the second.
    second.let_go().await;
    assert_tells(&reader.load(&[job_key("kept")]).await.unwrap_err());
    assert_eq!(load(&connect(&database.direct, 1).await, &kept.key).await, Some(kept));
}

#[tokio::test]
async fn a_migration_is_refused_unless_there_is_nothing_to_do() {
    let cluster = servers::shared().unwrap();
    let direct = cluster.fresh_database().unwrap();
    let through = servers::shared_pgbouncer().unwrap().instead_of(&direct).unwrap();
    let store = connect(&format!("{through}?pooler=transaction"), 1).await;
    let error = store.migrate().await.unwrap_err();
    let StoreError::Unavailable(cause) = &error else {
        panic!("{error:?}")
    };
    assert!(cause.to_string().contains("own address"), "{cause}");
    assert!(
        store
            .migrations()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied_at.is_none())
    );

    connect(&direct, 1).await.migrate().await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn each_transaction_brings_its_bounds_and_leaves_none_behind() {
    let database = Database::migrated().await;
    let pooler = mixing(database.cluster, 1);
    let through = pooler.instead_of(&database.direct).unwrap();
    connect(&format!("{through}?pooler=transaction"), 1)
        .await
        .ping()
        .await
        .unwrap();
    assert_eq!(
        database.cluster.sql_at(&through, "show statement_timeout").unwrap(),
        "0",
        "the next client of the session is bounded by itself"
    );
}

/// Says what to add to the address.
fn assert_tells(error: &StoreError) {
    let StoreError::Unavailable(cause) = error else {
        panic!("{error:?}")
    };
    assert!(cause.to_string().contains("pooler=transaction"), "{cause}");
}

/// A client that holds a session of the pooler by a transaction.
struct Hold(PgConnection);

impl Hold {
    async fn of(through: &str) -> Self {
        let options = PgConnectOptions::from_str(through).unwrap().extra_float_digits(None);
        let mut hold = Self(options.connect().await.unwrap());
        hold.take().await;
        hold
    }

    async fn take(&mut self) {
        sqlx::raw_sql("begin").execute(&mut self.0).await.unwrap();
    }

    async fn let_go(&mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.unwrap();
    }
}
