//! Sessions that are bounded by their role, for poolers that refuse start-up options.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;

/// A database whose store leaves the session's settings to the role.
struct Database {
    cluster: &'static Cluster,
    url: String,
}

impl Database {
    fn fresh() -> Self {
        let cluster = servers::shared().unwrap();
        let url = cluster.fresh_database().unwrap();
        Self { cluster, url }
    }

    async fn store(&self) -> PostgresStore {
        let url = format!("{}?session=role", self.url);
        PostgresStore::connect(&url, PostgresOptions { max_connections: 1 })
            .await
            .unwrap()
    }

    /// What a new connection without any settings of its own says.
    fn sql(&self, statement: &str) -> String {
        let name = self.url.rsplit_once('/').unwrap().1;
        self.cluster.sql(name, statement).unwrap().trim().to_owned()
    }
}

#[tokio::test]
async fn a_role_is_given_the_bounds_of_its_sessions_and_state_says_while_it_lacks_them() {
    let database = Database::fresh();
    let store = database.store().await;
    let role_step = async || store.migrations().await.unwrap().remove(0);
    assert_eq!((role_step().await.number, role_step().await.applied_at), (0, None));

    // Two at once do the same as one.
    let (applied, others) = tokio::join!(store.migrate(), store.migrate());
    for applied in [applied.unwrap(), others.unwrap()] {
        assert!(
            applied.is_empty() || applied[0] == "0000 set the role's session limits",
            "{applied:?}"
        );
    }
    assert!(role_step().await.applied_at.is_some());
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    assert_eq!(database.sql("show statement_timeout"), "30s");
    assert_eq!(database.sql("show idle_in_transaction_session_timeout"), "5s");

    // In this database alone, for the role is that of many.
    let other = Database::fresh();
    assert_eq!(other.sql("show statement_timeout"), "0");
    assert!(other.store().await.migrations().await.unwrap()[0].applied_at.is_none());
}

#[tokio::test]
async fn what_an_administrator_set_otherwise_is_left_alone() {
    let database = Database::fresh();
    let name = database.url.rsplit_once('/').unwrap().1;
    database.sql(&format!("alter database \"{name}\" set statement_timeout = '7s'"));
    let store = database.store().await;
    store.migrate().await.unwrap();
    assert_eq!(database.sql("show statement_timeout"), "7s");
    assert_eq!(database.sql("show lock_timeout"), "5s");
    assert!(store.migrations().await.unwrap()[0].applied_at.is_some());
}

#[tokio::test]
async fn a_role_without_rights_can_bound_itself() {
    let database = Database::fresh();
    let role = format!("plain_{}", database.url.rsplit_once('/').unwrap().1);
    let name = database.url.rsplit_once('/').unwrap().1;
    database.sql(&format!("create role \"{role}\" login"));
    database.sql(&format!("grant all on schema public to \"{role}\""));
    let url = database.url.replacen("postgres@", &format!("{role}@"), 1) + "?session=role";
    let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 1 })
        .await
        .unwrap();
    store.migrate().await.unwrap();
    let given = database.sql(&format!(
        "select count(*) from pg_db_role_setting s cross join unnest(s.setconfig)
         where setrole = (select oid from pg_roles where rolname = '{role}')
           and setdatabase = (select oid from pg_database where datname = '{name}')"
    ));
    assert_eq!(given, "10");
    store.close().await;
    database.sql(&format!("drop owned by \"{role}\""));
    database.sql(&format!("drop role \"{role}\""));
}

#[tokio::test]
async fn without_it_sessions_bring_their_bounds() {
    let database = Database::fresh();
    let store = PostgresStore::connect(&database.url, PostgresOptions { max_connections: 1 })
        .await
        .unwrap();
    store.migrate().await.unwrap();
    assert!(store.migrations().await.unwrap().iter().all(|step| step.number > 0));
    assert_eq!(database.sql("select count(*) from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where d.datname = current_database()"), "0");
}
