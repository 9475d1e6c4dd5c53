//! Where the matrix takes place: a store that is emptied, filled once for each scenario, and put back as it was filled
//! before each crash.

mod dynamodb;
mod postgres;
mod sqlite;

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use queue::Store;
use queue_postgres::{PostgresOptions, PostgresStore};
use queue_sqlite::SqliteStore;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ground {
    /// A file.
    Sqlite,
    /// A database on the Postgres that tests share.
    Postgres,
    /// Tables on the `DynamoDB` that tests share: slow, one table a crash.
    Dynamodb,
}

impl Ground {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
            Self::Dynamodb => "DynamoDB",
        }
    }

    /// A place of this kind.
    pub async fn place(self) -> anyhow::Result<Box<dyn Place>> {
        Ok(match self {
            Self::Sqlite => Box::new(sqlite::File::new().await?),
            Self::Postgres => Box::new(postgres::Database::new().await?),
            Self::Dynamodb => Box::new(dynamodb::Tables::new()?),
        })
    }
}

/// A store that can be put back as it was.
///
/// Nobody has it open when these are called.
#[async_trait]
pub trait Place {
    /// Empties it and gives its address.
    async fn empty(&mut self) -> anyhow::Result<String>;

    /// Remembers what is in it.
    async fn remember(&mut self) -> anyhow::Result<()>;

    /// Puts back what was remembered and gives its address.
    async fn put_back(&mut self) -> anyhow::Result<String>;
}

/// A store that is open.
pub enum Open {
    /// A file.
    Sqlite(Arc<SqliteStore>),
    /// Anything else.
    Other(Arc<dyn Store>),
}

impl Open {
    /// Opens the store at `address`.
    pub async fn at(address: &str) -> anyhow::Result<Self> {
        if address.starts_with("sqlite:") {
            return Ok(Self::Sqlite(Arc::new(SqliteStore::open(address).await?)));
        }
        if address.starts_with("postgres:") {
            let store = PostgresStore::connect(address, PostgresOptions { max_connections: 2 }).await?;
            return Ok(Self::Other(Arc::new(store)));
        }
        let table = address.strip_prefix("dynamodb:").context("no address of a store")?;
        Ok(Self::Other(Arc::new(dynamodb::open(table).await?)))
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Other(store) => store.clone(),
        }
    }

    /// Closes it, so that a file can be copied.
    pub async fn close(self) {
        if let Self::Sqlite(store) = self {
            store.close().await;
        }
    }
}
