//! A database, and beside its tables a schema with their rows as they were.

use anyhow::Context as _;
use async_trait::async_trait;
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;

use super::Place;

// Not `truncate`, which makes new files, for tables as small as these.
const EMPTY: &str = "delete from record; delete from blob";

const REMEMBER: &str = "
    drop schema if exists remembered cascade;
    create schema remembered;
    create table remembered.record as table public.record;
    create table remembered.blob as table public.blob";

const PUT_BACK: &str = "
    delete from record;
    delete from blob;
    insert into record select * from remembered.record;
    insert into blob select * from remembered.blob";

pub(super) struct Database {
    cluster: &'static Cluster,
    url: String,
}

impl Database {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let cluster = servers::shared()?;
        let url = cluster.fresh_database()?;
        let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 1 }).await?;
        store.migrate().await?;
        Ok(Self { cluster, url })
    }

    fn run(&self, statements: &str) -> anyhow::Result<()> {
        let (_, name) = self.url.rsplit_once('/').context("a URL names its database")?;
        self.cluster.sql(name, statements)?;
        Ok(())
    }
}

#[async_trait]
impl Place for Database {
    async fn empty(&mut self) -> anyhow::Result<String> {
        self.run(EMPTY)?;
        Ok(self.url.clone())
    }

    async fn remember(&mut self) -> anyhow::Result<()> {
        self.run(REMEMBER)
    }

    async fn put_back(&mut self) -> anyhow::Result<String> {
        self.run(PUT_BACK)?;
        Ok(self.url.clone())
    }
}
