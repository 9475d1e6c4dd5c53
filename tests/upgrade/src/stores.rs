//! A place on every store, fresh and empty, and the audit of what is there in the end.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use app::{App, OpenStore, Settings, settings};
use domain::TenantName;
use queue_conformance::audit;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A store of a test's own, and a folder for what lies beside it.
pub struct Place {
    /// The store's address.
    pub store: String,
    folder: TempDir,
}

impl Place {
    fn new(store: impl FnOnce(&Path) -> String) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        Place {
            store: store(folder.path()),
            folder,
        }
    }

    /// A folder that goes when this does.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Holds everything in the store to the invariants, as this version reads it; nothing may be under way.
    pub async fn audit(&self) {
        let variable = |name: &str| (name == settings::STORE).then(|| self.store.clone());
        let settings = Settings::from_variables(variable).expect("the address is good");
        let store = OpenStore::open(&settings).await.expect("the store is there");
        let app = App::on(&store, &settings);
        audit::hold(&app.engine, &TenantName::default_tenant()).await;
        store.close().await;
    }
}

/// A `SQLite` file, which both versions open.
pub fn sqlite() -> Place {
    Place::new(|folder| format!("sqlite:{}", folder.join("queue.db").display()))
}

/// A database of its own on the Postgres that tests share.
pub fn postgres() -> Place {
    let url = servers::shared().and_then(servers::Cluster::fresh_database);
    let url = url.expect("Postgres runs");
    Place::new(|_| url)
}

/// A table and a queue for hints of its own on the `DynamoDB` and the SQS that tests share.
pub fn sqs() -> Place {
    static PLACES: AtomicU32 = AtomicU32::new(0);
    let name = format!("upgrade-{}-{}", process::id(), PLACES.fetch_add(1, Ordering::Relaxed));
    let dynamodb = servers::shared_dynamodb().expect("DynamoDB Local runs");
    let sqs = servers::shared_sqs().expect("SQS runs");
    let made = sqs.call("CreateQueue", &json!({ "QueueName": name }).to_string());
    let made: Value = serde_json::from_str(&made.expect("the queue is made")).expect("in JSON");
    let queue = made["QueueUrl"].as_str().expect("it has a URL");
    Place::new(|_| format!("sqs://{name}?queue={queue}&dynamodb={}", dynamodb.endpoint()))
}
