//! A store with its schema and a key, as a function finds one when it starts.

use std::{any::Any, collections::BTreeSet};

use anyhow::Context;
use app::{App, OpenStore, Settings, keys::NewKey, settings};
use domain::TenantName;
use queue::Scope;
use serde_json::{Value, json};
use servers::{DynamoDb, Postgres, Sqs};
use url::Url;

use crate::builds::StoreFeature;

/// What the table and the queue are called.
const TABLE: &str = "remuda";
const QUEUE: &str = "hints";

/// A store, kept while this is.
pub(crate) struct Ground {
    store: StoreFeature,
    url: String,
    key: String,
    _server: Server,
}

/// What the store lies on, in one piece: gone when it is dropped.
type Server = Box<dyn Any>;

impl Ground {
    /// Makes a new, empty store with all that it needs.
    pub(crate) async fn make(store: StoreFeature) -> anyhow::Result<Self> {
        let (url, server) = match store {
            StoreFeature::Sqlite => file()?,
            StoreFeature::Postgres => postgres()?,
            StoreFeature::Sqs => aws()?,
        };
        let key = prepare(&url).await.with_context(|| format!("no store on {url}"))?;
        Ok(Self {
            store,
            url,
            key,
            _server: server,
        })
    }

    /// Which kind of store it is.
    pub(crate) fn store(&self) -> StoreFeature {
        self.store
    }

    /// A key that may do everything.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What a function on this store has set.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        vec![(settings::STORE.to_owned(), self.url.clone())]
    }
}

fn file() -> anyhow::Result<(String, Server)> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("remuda.db").display());
    Ok((url, Box::new(folder)))
}

fn postgres() -> anyhow::Result<(String, Server)> {
    let server = Postgres::start()?;
    let url = server.fresh_database()?;
    Ok((url, Box::new(server)))
}

fn aws() -> anyhow::Result<(String, Server)> {
    let (dynamodb, sqs) = (DynamoDb::start()?, Sqs::start()?);
    let made = sqs.call("CreateQueue", &json!({ "QueueName": QUEUE }).to_string())?;
    let made: Value = serde_json::from_str(&made)?;
    let queue = made["QueueUrl"].as_str().context("SQS names no queue")?;
    let parameters = [("queue", queue), ("dynamodb", &dynamodb.endpoint())];
    let url = Url::parse_with_params(&format!("sqs://{TABLE}"), parameters)?;
    Ok((url.into(), Box::new((dynamodb, sqs))))
}

/// Gives the store at `url` its schema, and makes a key there.
async fn prepare(url: &str) -> anyhow::Result<String> {
    let settings = Settings::from_variables(|name| (name == settings::STORE).then(|| url.to_owned()))?;
    let store = OpenStore::open(&settings).await?;
    store.migrate().await?;
    let app = App::on(&store, &settings);
    let (key, text) = app.mint(NewKey {
        tenant: TenantName::default_tenant(),
        name: "bench".to_owned(),
        scopes: BTreeSet::from([Scope::Admin]),
        robot: None,
        expires_at: None,
    });
    app.engine.create_key(key).await?;
    store.close().await;
    Ok(text.reveal().to_owned())
}
