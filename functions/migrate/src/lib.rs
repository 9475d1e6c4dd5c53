//! Brings a store up to date, and makes keys without one: for whoever may invoke this function, which IAM decides.
//!
//! Nothing else sets it off, and no route of the HTTP API leads here. A key is in its answer and nowhere else.

mod event;
mod failed;

use app::{App, OpenStore, keys::NewKey};
use serde_json::{Value, json};
use tracing::info;

use self::event::Asked;
pub use self::failed::Failed;

/// Does what `event` asks, and answers what was done.
pub async fn handle(store: &OpenStore, app: &App, event: Value) -> Result<Value, Failed> {
    match event::read(&event, app.engine.now())? {
        Asked::Migrate => {
            let applied = store.migrate_made_elsewhere().await?;
            info!("Applied {} migrations", applied.len());
            state(store, applied).await
        }
        Asked::State => state(store, Vec::new()).await,
        Asked::CreateKey(new) => create_key(app, new).await,
    }
}

async fn state(store: &OpenStore, applied: Vec<String>) -> Result<Value, Failed> {
    Ok(json!({ "applied": applied, "migrations": store.migrations().await? }))
}

async fn create_key(app: &App, new: NewKey) -> Result<Value, Failed> {
    let (key, text) = app.create_key(new).await?;
    info!("Made key {} of tenant {}", key.id, key.tenant);
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    Ok(json!({ "key_id": key.id, "key": text.reveal(), "tenant": key.tenant, "scopes": scopes }))
}
