//! Databases of earlier schemas, and of later ones: this version works on them as they are, and brings them up to date with
//! everything in them, under servers that go on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use queue::store::{Store, StoreError};
use queue_conformance::{kit::Kit, upgrades};
use queue_postgres::{PostgresOptions, PostgresStore, migration_sql};
use sqlx::{Connection, PgConnection};

/// The first schema with which a ready job that no time ends has no due time. Before it each was looked at after a day.
const NO_DAILY_LOOK: i64 = 4;

/// What a version of an earlier schema wrote otherwise.
const DAILY_LOOK: &str = "update record set due_at = since + 86400000000 where shelf = 'ready' and due_at is null";

/// A database, and the store on it.
struct Database {
    url: String,
    store: Arc<PostgresStore>,
}

impl Database {
    /// A database as it was when the step of this number was the newest; 0 is before the first.
    async fn at_schema(number: i64) -> Self {
        let url = servers::shared().unwrap().fresh_database().unwrap();
        let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 2 })
            .await
            .unwrap();
        if number > 0 {
            let migrations = sqlx::migrate!("../../migrations/postgres");
            let mut connection = PgConnection::connect(&url).await.unwrap();
            migrations.run_to(number, &mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Self {
            url,
            store: Arc::new(store),
        }
    }

    async fn sql(&self, statements: &'static str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn kit(&self) -> Kit {
        Kit::new(self.store.clone())
    }
}

fn newest() -> i64 {
    migration_sql().last().unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_earlier_schema_is_brought_up_to_date_with_everything_in_it() {
    for number in 1..newest() {
        let database = Database::at_schema(number).await;
        let kit = database.kit();
        let left = upgrades::fill(&kit).await;
        if number < NO_DAILY_LOOK {
            database.sql(DAILY_LOOK).await;
        }
        let applied = database.store.migrate().await.unwrap();
        assert_eq!(i64::try_from(applied.len()).unwrap(), newest() - number);
        left.is_as_it_was(&kit).await;
        left.goes_on_to_the_end(&kit).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_version_works_on_every_earlier_schema() {
    for number in 1..=newest() {
        let kit = Database::at_schema(number).await.kit();
        let left = upgrades::fill(&kit).await;
        left.is_as_it_was(&kit).await;
        left.goes_on_to_the_end(&kit).await;
    }
}

#[tokio::test]
async fn before_the_first_schema_it_says_to_migrate() {
    let database = Database::at_schema(0).await;
    for error in [
        database.store.ping().await.unwrap_err(),
        database.store.depth(1).await.unwrap_err(),
    ] {
        let StoreError::Unavailable(cause) = &error else {
            panic!("{error:?}")
        };
        assert!(cause.to_string().contains("remuda store migrate"), "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_a_later_version_is_left_as_it_is_and_worked_on() {
    let database = Database::at_schema(newest()).await;
    let kit = database.kit();
    let left = upgrades::fill(&kit).await;
    database
        .sql(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'add robot pool', true, '\\x00', 0);
             alter table record add column pool text;
             create index record_pool on record (pool) where pool is not null",
        )
        .await;
    assert_eq!(database.store.migrate().await.unwrap(), [""; 0]);
    let steps = database.store.migrations().await.unwrap();
    assert!(
        steps.iter().all(|step| step.applied_at.is_some() && step.intact),
        "{steps:?}"
    );
    left.is_as_it_was(&kit).await;
    left.goes_on_to_the_end(&kit).await;
}
