//! Engines on each store, as they run in production: real clock, real chance, durable writes.

use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use domain::Timestamp;
use queue::{Clock, Engine, Entropy, Settings, Store, combine::Combined, hints::NoHints, memory::MemoryStore};
use queue_postgres::{PostgresOptions, PostgresStore};
use queue_sqlite::SqliteStore;
use servers::Postgres;

use crate::On;

/// A store to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreChoice {
    /// In this process: what the queue itself costs.
    Memory,
    /// A file in a temporary folder.
    Sqlite,
    /// A server of its own, with fsync and synchronous commit on.
    Postgres,
}

impl StoreChoice {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What has to live as long as the stores do.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    postgres: Option<Postgres>,
    postgres_url: Option<String>,
}

impl Ground {
    pub(crate) fn new(on: &On) -> anyhow::Result<Self> {
        let starts = on.postgres_url.is_none() && on.store.contains(&StoreChoice::Postgres);
        let postgres = if starts {
            Some(servers::Postgres::builder().start()?)
        } else {
            None
        };
        Ok(Self {
            folder: tempfile::tempdir()?,
            postgres,
            postgres_url: on.postgres_url.clone(),
        })
    }

    /// An engine on a new, empty store.
    pub(crate) async fn engine(&self, choice: StoreChoice) -> anyhow::Result<Engine> {
        Ok(engine(self.open(choice, &self.url(choice)?).await?))
    }

    /// The address of a new, empty database; one in memory has none.
    pub(crate) fn url(&self, choice: StoreChoice) -> anyhow::Result<String> {
        match (choice, &self.postgres_url, &self.postgres) {
            (StoreChoice::Memory, ..) => Ok(String::new()),
            (StoreChoice::Sqlite, ..) => {
                let path = self.folder.path().join(format!("{}.db", rand::random::<u64>()));
                Ok(path
                    .to_str()
                    .context("the temporary folder has a name in Unicode")?
                    .to_owned())
            }
            (StoreChoice::Postgres, Some(url), _) => Ok(url.clone()),
            (StoreChoice::Postgres, None, Some(server)) => server.fresh_database(),
            (StoreChoice::Postgres, None, None) => anyhow::bail!("Postgres was not started"),
        }
    }

    /// The store at `url`, with its tables.
    pub(crate) async fn open(&self, choice: StoreChoice, url: &str) -> anyhow::Result<Arc<dyn Store>> {
        Ok(match choice {
            StoreChoice::Memory => Arc::new(MemoryStore::new()),
            StoreChoice::Sqlite => {
                let store = SqliteStore::open(url).await?;
                store.migrate().await?;
                Arc::new(Combined::new(Arc::new(store)))
            }
            StoreChoice::Postgres => {
                let store = PostgresStore::connect(url, PostgresOptions { max_connections: 8 }).await?;
                store.migrate().await?;
                Arc::new(Combined::new(Arc::new(store)))
            }
        })
    }
}

/// An engine on this store.
pub(crate) fn engine(store: Arc<dyn Store>) -> Engine {
    Engine::new(
        store,
        Arc::new(NoHints),
        Arc::new(WallClock),
        Arc::new(Dice),
        Settings::default(),
    )
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

struct Dice;

impl Entropy for Dice {
    fn draw(&self) -> [u8; 16] {
        rand::random()
    }
}
