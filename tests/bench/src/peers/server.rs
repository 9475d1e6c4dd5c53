//! The one Postgres of a run, and what it tells of itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use servers::Postgres;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::sleep;
use url::Url;

/// What a server of our own is set to, the same for everybody: memory as in production, and no checkpoint by time in the
/// middle of what is measured. What keeps data (`fsync`, `synchronous_commit`, `full_page_writes`) is left as it is, on.
const SETTINGS: [(&str, &str); 3] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "1h"),
];

/// What is told of every server, also of one that is not ours.
const TOLD: [&str; 6] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
];

/// Whether anybody is connected but who asks, and but a transaction that is held open.
const WORKING: &str = "
    select exists (
        select from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend'
            and pid <> pg_backend_pid() and application_name <> 'bench-held'
    )";

/// How often, and how many times at most, it is looked whether the others have left.
const LEAVING_LOOK: Duration = Duration::from_millis(20);
const LEAVING_LOOKS_MAX: usize = 100;

/// A Postgres on which databases can be made.
pub(crate) struct Server {
    address: Url,
    admin: PgConnectOptions,
    /// Stopped when dropped.
    _ours: Option<Postgres>,
}

/// A setting of the server.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

impl Server {
    /// The Postgres at this URL, whose user may make databases, or one of our own.
    pub(crate) fn start(url: Option<&str>) -> anyhow::Result<Self> {
        let set = |builder: servers::Builder, (name, value)| builder.setting(name, value);
        let start = || SETTINGS.into_iter().fold(Postgres::builder(), set).start();
        let ours = if url.is_none() { Some(start()?) } else { None };
        let address = match (&ours, url) {
            (Some(ours), _) => ours.url("postgres"),
            (None, url) => url.unwrap_or_default().to_owned(),
        };
        let address = Url::parse(&address).context("not the URL of a Postgres")?;
        Ok(Self {
            admin: address.as_str().parse()?,
            address,
            _ours: ours,
        })
    }

    /// What it is set to.
    pub(crate) async fn settings(&self) -> anyhow::Result<Vec<Setting>> {
        let mut connection = self.admin.connect().await?;
        let mut settings = Vec::new();
        for name in TOLD {
            let value = sqlx::query_scalar("select current_setting($1)").bind(name);
            let value = value.fetch_one(&mut connection).await?;
            settings.push(Setting { name, value });
        }
        Ok(settings)
    }

    /// A new database. What was written before it is on disk, so that nobody pays for another's pages.
    pub(crate) async fn fresh_database(&self) -> anyhow::Result<Database> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.admin.connect().await?;
        self.execute(&mut admin, format!("create database {name}")).await?;
        // Whoever may not do this goes without: it is the same for all.
        let _ = self.execute(&mut admin, "checkpoint".to_owned()).await;
        let mut url = self.address.clone();
        url.set_path(&name);
        Ok(Database {
            options: self.admin.clone().database(&name),
            url: url.into(),
            name,
        })
    }

    /// Takes a database away, whoever is still connected to it.
    pub(crate) async fn drop_database(&self, database: &Database) -> anyhow::Result<()> {
        let mut admin = self.admin.connect().await?;
        let drop = format!("drop database if exists {} with (force)", database.name);
        self.execute(&mut admin, drop).await
    }

    async fn execute(&self, admin: &mut PgConnection, statement: String) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await?;
        Ok(())
    }
}

/// A database of one contestant, for one measurement.
pub(crate) struct Database {
    options: PgConnectOptions,
    name: String,
    pub(crate) url: String,
}

/// What was written so far.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Written {
    /// By the whole server, in bytes.
    pub(crate) wal_bytes: i64,
    /// Rows of this database that were updated or deleted, and so left a dead version.
    pub(crate) rows_died: i64,
    /// Dead versions that lie there still.
    pub(crate) rows_dead: i64,
}

/// A transaction that keeps every row version which it could see.
pub(crate) struct Held(PgConnection);

impl Database {
    /// Tells the planner what is there, and leaves nothing for a vacuum in the middle.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut connection = self.options.connect().await?;
        sqlx::raw_sql("vacuum (analyze)").execute(&mut connection).await?;
        Ok(())
    }

    /// What was written so far, once those who wrote have left: a process counts what it did when it goes.
    pub(crate) async fn written(&self) -> anyhow::Result<Written> {
        let mut connection = self.options.connect().await?;
        for _ in 0..LEAVING_LOOKS_MAX {
            let working: bool = sqlx::query_scalar(WORKING).fetch_one(&mut connection).await?;
            if !working {
                break;
            }
            sleep(LEAVING_LOOK).await;
        }
        sqlx::raw_sql("select pg_stat_force_next_flush()")
            .execute(&mut connection)
            .await?;
        let written = sqlx::query_as(
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as wal_bytes,
                    coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint as rows_died,
                    coalesce(sum(n_dead_tup), 0)::bigint as rows_dead
             from pg_stat_user_tables",
        );
        Ok(written.fetch_one(&mut connection).await?)
    }

    /// Opens a transaction and leaves it open.
    pub(crate) async fn hold(&self) -> anyhow::Result<Held> {
        let mut connection = self.options.clone().application_name("bench-held").connect().await?;
        // The first statement takes the snapshot.
        sqlx::raw_sql("begin isolation level repeatable read; select count(*) from pg_class")
            .execute(&mut connection)
            .await?;
        Ok(Held(connection))
    }
}

impl Held {
    pub(crate) async fn release(self) -> anyhow::Result<()> {
        Ok(self.0.close().await?)
    }
}
