//! The store that a setting names, opened once. Nothing ever falls back to another one.

use std::{sync::Arc, time::Duration};

use queue::{Engine, Store, StoreError, hints::NoHints};
use queue_postgres::{PostgresOptions, PostgresStore};
use queue_sqlite::SqliteStore;

use crate::{
    clock::{SystemClock, SystemEntropy},
    settings::{Settings, StoreUrl},
    state::App,
};

/// A store that is kept open.
#[derive(Clone, Debug)]
pub enum OpenStore {
    /// `SQLite`.
    Sqlite(Arc<SqliteStore>),
    /// Postgres.
    Postgres(Arc<PostgresStore>),
}

/// One step of a store's schema, and whether the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            StoreUrl::Sqlite(path) => {
                let store = SqliteStore::open(&path.to_string_lossy()).await?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
            StoreUrl::SqliteMemory => {
                let store = SqliteStore::open(":memory:").await?;
                store.migrate().await?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
            StoreUrl::Postgres(url) => {
                let options = PostgresOptions {
                    max_connections: settings.connections_max,
                };
                let store = PostgresStore::connect(url, options).await?;
                Ok(Self::Postgres(Arc::new(store)))
            }
        }
    }

    /// The store as the queue sees it.
    pub fn shared(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Applies every step of the schema that is missing, and says which.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(store) => store.migrate().await,
            Self::Postgres(store) => store.migrate().await,
        }
    }

    /// Every step of the schema, oldest first.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
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
            Self::Sqlite(store) => states!(store),
            Self::Postgres(store) => states!(store),
        })
    }

    /// Closes the store once what is under way is done.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// The SQL of every step of the schema that `url`'s kind of store has, by number and name, oldest first.
pub fn migration_sql(url: &StoreUrl) -> Vec<(i64, String, String)> {
    match url {
        StoreUrl::Sqlite(_) | StoreUrl::SqliteMemory => queue_sqlite::migration_sql(),
        StoreUrl::Postgres(_) => queue_postgres::migration_sql(),
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
    };
    Engine::new(
        store.shared(),
        Arc::new(NoHints),
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
        Self::new(engine(store, settings), Arc::new(SystemEntropy))
    }
}
