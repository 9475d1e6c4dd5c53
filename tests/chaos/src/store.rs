//! The store of a run, which is stopped and started under everybody's hands where it is a server of its own.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Value, json};
use servers::{DynamoDb, Postgres, Sqs};

/// The table, and the queue for hints.
const NAME: &str = "chaos";

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// A file, and one server.
    Sqlite,
    /// A database, and two servers.
    Postgres,
    /// A table and a queue for hints, and two servers.
    Sqs,
}

impl StoreKind {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            StoreKind::Sqlite => "SQLite",
            StoreKind::Postgres => "Postgres",
            StoreKind::Sqs => "SQS and DynamoDB",
        }
    }

    /// How many servers work on it.
    pub(crate) const fn servers(self) -> usize {
        match self {
            StoreKind::Sqlite => 1,
            StoreKind::Postgres | StoreKind::Sqs => 2,
        }
    }

    /// How many jobs a second are submitted for each robot. The emulators do one thing at a time.
    pub(crate) const fn jobs_per_robot_second(self) -> f64 {
        match self {
            StoreKind::Sqlite | StoreKind::Postgres => 1.0,
            StoreKind::Sqs => 0.4,
        }
    }
}

/// A store of a run's own. Dropped, its server is stopped and its data are gone.
pub(crate) struct Store {
    /// Where it is, as a setting.
    pub(crate) address: String,
    server: Server,
}

enum Server {
    /// It has none.
    None,
    Postgres(Box<Postgres>),
    Aws {
        dynamodb: Box<DynamoDb>,
        sqs: Box<Sqs>,
    },
}

impl Store {
    /// Starts one of this kind, empty; what has no server of its own lies in the folder.
    pub(crate) fn start(kind: StoreKind, folder: &Path) -> anyhow::Result<Store> {
        match kind {
            StoreKind::Sqlite => {
                let folder = folder.join("store");
                fs::create_dir(&folder).context("cannot make a folder")?;
                Ok(Store {
                    address: format!("sqlite:{}", folder.join("remuda.db").display()),
                    server: Server::None,
                })
            }
            StoreKind::Postgres => {
                // What was acknowledged outlives the server's end also without waiting for a disk.
                let postgres = Postgres::builder().quick().start()?;
                Ok(Store {
                    address: postgres.create_database(NAME)?,
                    server: Server::Postgres(Box::new(postgres)),
                })
            }
            StoreKind::Sqs => {
                let (dynamodb, sqs) = (DynamoDb::builder().on_disk().start()?, Sqs::start()?);
                let made = sqs.call("CreateQueue", &json!({ "QueueName": NAME }).to_string())?;
                let made: Value = serde_json::from_str(&made).context("SQS answers in JSON")?;
                let queue = made["QueueUrl"].as_str().context("a queue has a URL")?;
                Ok(Store {
                    address: format!("sqs://{NAME}?queue={queue}&dynamodb={}", dynamodb.endpoint()),
                    server: Server::Aws {
                        dynamodb: Box::new(dynamodb),
                        sqs: Box::new(sqs),
                    },
                })
            }
        }
    }

    /// Stops the store at once, as a power cut would.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::None => Ok(()),
            Server::Postgres(postgres) => postgres.stop(),
            Server::Aws { dynamodb, .. } => dynamodb.stop(),
        }
    }

    /// Starts a stopped store with what it kept; it takes connections when this returns.
    pub(crate) fn start_again(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::None => Ok(()),
            Server::Postgres(postgres) => postgres.start_again(),
            Server::Aws { dynamodb, .. } => dynamodb.start_again(),
        }
    }

    /// Holds the store still, where that can be done: it takes connections and answers nothing.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::Aws { dynamodb, .. } => dynamodb.pause(),
            _ => Ok(()),
        }
    }

    /// Lets a store that was held still go on.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::Aws { dynamodb, .. } => dynamodb.resume(),
            _ => Ok(()),
        }
    }

    /// Stops what carries hints, and loses those that are under way.
    pub(crate) fn stop_hints(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::Aws { sqs, .. } => sqs.stop(),
            _ => Ok(()),
        }
    }

    /// Starts what carries hints again.
    pub(crate) fn start_hints_again(&self) -> anyhow::Result<()> {
        match &self.server {
            Server::Aws { sqs, .. } => sqs.start_again(),
            _ => Ok(()),
        }
    }
}
