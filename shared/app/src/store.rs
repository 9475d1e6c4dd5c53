//! The store that a setting names, opened once. Nothing ever falls back to another one.

use std::{sync::Arc, time::Duration};

use queue::{
    Engine, Store, StoreError,
    combine::Combined,
    hints::{Hints, NoHints},
};
#[cfg(feature = "sqs")]
use queue_aws::{AwsOptions, AwsStore, TableState};
#[cfg(feature = "postgres")]
use queue_postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "sqlite")]
use queue_sqlite::SqliteStore;
use serde::Serialize;

use crate::{
    clock::{SystemClock, SystemEntropy},
    settings::{Settings, StoreUrl},
    state::App,
};

/// A store that is kept open.
///
/// A program has the kinds that it was built with: the features `sqlite`, `postgres` and `sqs`.
#[derive(Clone)]
pub enum OpenStore {
    /// `SQLite`.
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<SqliteStore>),
    /// Postgres.
    #[cfg(feature = "postgres")]
    Postgres(Arc<PostgresStore>),
    /// `DynamoDB`, and what carries its hints.
    #[cfg(feature = "sqs")]
    Sqs(Arc<AwsStore>, Arc<dyn Hints>),
}

/// One step of a store's schema, and whether the store has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Its number.
    pub number: i64,
    /// What it does.
    pub name: String,
    /// When it was applied, in RFC 3339; `None` while it has not been.
    pub applied_at: Option<String>,
    /// Whether what was applied is what this version holds.
    pub intact: bool,
}

impl OpenStore {
    /// Opens the store of `settings`. One in memory has its schema at once; any other is left as it is.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        match &settings.store {
            #[cfg(feature = "sqlite")]
            StoreUrl::Sqlite(path) => {
                let store = SqliteStore::open(&path.to_string_lossy()).await?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
            #[cfg(feature = "sqlite")]
            StoreUrl::SqliteMemory => {
                let store = SqliteStore::open(":memory:").await?;
                store.migrate().await?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => {
                let options = PostgresOptions {
                    max_connections: settings.connections_max,
                };
                let store = PostgresStore::connect(url, options).await?;
                Ok(Self::Postgres(Arc::new(store)))
            }
            #[cfg(feature = "sqs")]
            StoreUrl::Sqs(address) => {
                let options = AwsOptions::parse(address).map_err(|error| StoreError::Unavailable(error.into()))?;
                let (store, hints) = queue_aws::connect(options).await;
                let hints = hints.map_or_else(|| Arc::new(NoHints) as Arc<dyn Hints>, |hints| Arc::new(hints));
                Ok(Self::Sqs(Arc::new(store), hints))
            }
            #[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "sqs")))]
            other => Err(StoreError::Unavailable(
                format!("this program was built without the store {other}").into(),
            )),
        }
    }

    /// The store as the queue sees it: where one process serves many, what they ask at one time goes together.
    pub fn shared(&self) -> Arc<dyn Store> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => Arc::new(Combined::new(Arc::clone(store) as Arc<dyn Store>)),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Arc::new(Combined::new(Arc::clone(store) as Arc<dyn Store>)),
            #[cfg(feature = "sqs")]
            Self::Sqs(store, _) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// What carries the hints of this store.
    fn hints(&self) -> Arc<dyn Hints> {
        match self {
            #[cfg(feature = "sqs")]
            Self::Sqs(_, hints) => Arc::clone(hints),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => Arc::new(NoHints),
        }
    }

    /// For how long a robot that was heard of need not be written down again: where each write is paid for, as long as may be.
    fn heartbeat(&self) -> Duration {
        match self {
            #[cfg(feature = "sqs")]
            Self::Sqs(..) => queue::Settings::HEARTBEAT_MAX,
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => Duration::ZERO,
        }
    }

    /// Applies every step of the schema that is missing, and says which.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.migrate().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.migrate().await,
            #[cfg(feature = "sqs")]
            Self::Sqs(store, _) => store.migrate().await,
        }
    }

    /// Applies every step of the schema that is missing, and says which, where a store is made by others: a `DynamoDB` table
    /// is only looked at, and what it lacks is an error that says who makes it. So a function needs no right to make one.
    pub async fn migrate_made_elsewhere(&self) -> Result<Vec<String>, StoreError> {
        match self {
            #[cfg(feature = "sqs")]
            Self::Sqs(store, _) => store.require_whole().await.map(|()| Vec::new()),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => self.migrate().await,
        }
    }

    /// Every step of the schema, oldest first.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        macro_rules! states {
            ($store:expr) => {
                $store
                    .migrations()
                    .await?
                    .into_iter()
                    .map(|step| Migration {
                        number: step.number,
                        name: step.name,
                        applied_at: step.applied_at,
                        intact: step.intact,
                    })
                    .collect()
            };
        }
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => states!(store),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => states!(store),
            #[cfg(feature = "sqs")]
            Self::Sqs(store, _) => vec![table_step(&store.state().await?)],
        })
    }

    /// Closes the store once what is under way is done.
    pub async fn close(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.close().await,
            // Each call is answered before it is over, and nothing goes on behind it.
            #[cfg(feature = "sqs")]
            Self::Sqs(..) => {}
        }
    }
}

#[cfg(feature = "sqs")]
fn table_step(state: &TableState) -> Migration {
    Migration {
        number: 1,
        name: "create table".to_owned(),
        applied_at: match state {
            TableState::Missing => None,
            TableState::Lacks(_) => Some("an unknown time".to_owned()),
            TableState::Made(at) => Some(at.clone().unwrap_or_else(|| "an unknown time".to_owned())),
        },
        intact: !matches!(state, TableState::Lacks(_)),
    }
}

/// Reads the address of a store on AWS, as far as this program can have one.
pub(crate) fn checked_sqs(address: &str) -> Result<String, String> {
    #[cfg(feature = "sqs")]
    AwsOptions::parse(address).map_err(|error| format!("cannot be used: {error}"))?;
    Ok(address.to_owned())
}

/// What is wrong with the address of a store on Postgres, as far as this program can have one.
pub(crate) fn check_postgres(address: &str, variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    #[cfg(feature = "postgres")]
    queue_postgres::check_address(address, variable).map_err(|error| format!("cannot be used: {error}"))?;
    #[cfg(not(feature = "postgres"))]
    let _ = (address, variable);
    Ok(())
}

/// The text of every step of the schema that `url`'s kind of store has, by number and name, oldest first: SQL, and for a
/// `DynamoDB` table its definition as `aws dynamodb create-table --cli-input-json` takes it.
pub fn migration_sql(url: &StoreUrl) -> Vec<(i64, String, String)> {
    match url {
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(_) | StoreUrl::SqliteMemory => queue_sqlite::migration_sql(),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(_) => queue_postgres::migration_sql(),
        #[cfg(feature = "sqs")]
        StoreUrl::Sqs(address) => {
            let table = AwsOptions::parse(address)
                .map(|options| options.table)
                .unwrap_or_default();
            let definition = serde_json::to_string_pretty(&queue_aws::table_definition(&table));
            vec![(1, "create table".to_owned(), definition.unwrap_or_default() + "\n")]
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "sqs")))]
        _ => Vec::new(),
    }
}

/// The queue on `store`, by the real clock and the system's chance.
pub fn engine(store: &OpenStore, settings: &Settings) -> Engine {
    let defaults = queue::Settings::default();
    let queue = queue::Settings {
        // While work waits, robots ask at least twice as often.
        busy_sync: defaults
            .busy_sync
            .min(settings.idle_sync / 2)
            .max(Duration::from_secs(1)),
        retention: settings.retention,
        backlog_max: settings.backlog_max,
        idle_sync: settings.idle_sync,
        heartbeat: store.heartbeat(),
        ..defaults
    };
    Engine::new(
        store.shared(),
        store.hints(),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        queue,
    )
}

impl App {
    /// The app that `settings` describe.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let store = OpenStore::open(settings).await?;
        Ok(Self::on(&store, settings))
    }

    /// The app on `store`.
    pub fn on(store: &OpenStore, settings: &Settings) -> Self {
        let app = Self::new(engine(store, settings), Arc::new(SystemEntropy));
        match &settings.metrics {
            // Where Lambda takes a function's log from.
            Some(deployment) => app.with_metrics(deployment.clone(), Box::new(std::io::stdout())),
            None => app,
        }
    }
}
