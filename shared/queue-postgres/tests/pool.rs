//! The pool of connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use queue::store::{Change, Committed, Store, Version, Write};
use queue_conformance::samples::{job, job_key, load, put};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;
use tokio::time::{sleep, timeout};

/// How many callers there are for each connection, and how often each of them calls.
const CALLERS: u32 = 20;
const CALLS: u32 = 20;

/// After how long a connection is not taken to be alive any more.
const RESTED: Duration = Duration::from_millis(1100);

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

struct Database {
    cluster: &'static Cluster,
    name: String,
    store: Arc<PostgresStore>,
}

impl Database {
    async fn new(max_connections: u32) -> Self {
        let cluster = servers::shared().unwrap();
        let url = cluster.fresh_database().unwrap();
        let options = PostgresOptions { max_connections };
        let store = PostgresStore::connect(&url, options).await.unwrap();
        store.migrate().await.unwrap();
        Self {
            cluster,
            name: url.rsplit_once('/').unwrap().1.to_owned(),
            store: Arc::new(store),
        }
    }

    /// What `asked` of the sessions of the store is.
    fn sessions(&self, asked: &str) -> String {
        let statement = format!(
            "select {asked} from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        );
        self.cluster.sql(&self.name, &statement).unwrap().trim().to_owned()
    }
}

/// A change that takes a transaction: what has to be absent is held so by a placeholder.
fn in_a_transaction(id: &str) -> Change {
    let absent = job_key(&format!("{id}-absent"));
    Change {
        writes: vec![Write::Put(job(id)), Write::Check(absent, Version::ABSENT)],
        blobs: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_few_connections_and_none_is_left_waiting() {
    let connections = 2;
    let database = Database::new(connections).await;
    let callers = (0..CALLERS * connections).map(|caller| {
        let store = Arc::clone(&database.store);
        async move {
            for call in 0..CALLS {
                let id = format!("{caller}-{call}");
                // One who is cut off leaves the place of its connection to the others.
                drop(timeout(Duration::from_micros(200), store.ping()).await);
                drop(
                    timeout(
                        Duration::from_micros(400),
                        store.commit(vec![in_a_transaction("cut off")]),
                    )
                    .await,
                );
                let change = in_a_transaction(&id);
                assert_eq!(store.commit(vec![change]).await.unwrap(), [Committed::Done]);
                let written = load(&*store, &job_key(&id)).await.unwrap();
                assert_eq!(written.version, Version::ABSENT.next());
            }
        }
    });
    timeout(PATIENCE, join_all(callers)).await.unwrap();
    // A session ends a moment after its connection.
    let end = Instant::now() + PATIENCE;
    while database.sessions("count(*)").parse::<u32>().unwrap() > connections {
        assert!(
            Instant::now() < end,
            "there are more sessions than there may be connections"
        );
    }
}

#[tokio::test]
async fn calls_one_after_the_other_go_by_one_connection() {
    let database = Database::new(2).await;
    put(&*database.store, job("one")).await;
    let session = database.sessions("pid");
    for call in 0..CALLS {
        put(&*database.store, job(&call.to_string())).await;
        let change = in_a_transaction(&format!("{call} too"));
        assert_eq!(database.store.commit(vec![change]).await.unwrap(), [Committed::Done]);
    }
    assert_eq!(database.sessions("pid"), session);
}

#[tokio::test]
async fn a_connection_that_dies_at_rest_fails_no_more_than_the_next_call() {
    let database = Database::new(1).await;
    let kept = put(&*database.store, job("kept")).await;
    database.sessions("pg_terminate_backend(pid, 5000)");
    drop(database.store.ping().await);
    assert_eq!(load(&*database.store, &kept.key).await, Some(kept.clone()));
    // One that rested for longer is asked first.
    database.sessions("pg_terminate_backend(pid, 5000)");
    sleep(RESTED).await;
    assert_eq!(load(&*database.store, &kept.key).await, Some(kept));
}

#[tokio::test]
async fn a_store_that_is_closed_has_no_session_and_takes_no_call() {
    let database = Database::new(1).await;
    put(&*database.store, job("one")).await;
    timeout(PATIENCE, database.store.close()).await.unwrap();
    assert!(database.store.ping().await.is_err());
    let end = Instant::now() + PATIENCE;
    while database.sessions("count(*)") != "0" {
        assert!(Instant::now() < end, "a session is left");
    }
}
