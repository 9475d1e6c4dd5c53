//! The operations keep every promise of the contract on Postgres.

use queue_conformance::Fixture;
use queue_postgres::{PostgresOptions, PostgresStore};

async fn on_postgres() -> Fixture {
    let url = servers::shared()
        .expect("Postgres runs")
        .fresh_database()
        .expect("a database can be made");
    let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 4 })
        .await
        .expect("the URL is right");
    store.migrate().await.expect("the schema can be made");
    Fixture::new(store)
}

queue_conformance::operation_suite!(postgres, on_postgres);
