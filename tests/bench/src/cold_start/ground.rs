//! A store with its schema and a key, as a function finds one when it starts.

use std::{any::Any, collections::BTreeSet, path::Path};

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

/// Where the system's certificates lie in one file, as they do on Lambda. Debian has a folder of some hundred beside it,
/// which takes longer to read than all else of a start.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

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
        let mut environment = vec![(settings::STORE.to_owned(), self.url.clone())];
        if let Some(bundle) = BUNDLES.into_iter().find(|it| Path::new(it).exists()) {
            environment.push(("SSL_CERT_FILE".to_owned(), bundle.to_owned()));
        }
        environment
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
