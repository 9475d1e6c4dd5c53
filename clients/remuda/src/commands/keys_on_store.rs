//! `remuda keys` directly on the store: how the first key comes about, and keys for new tenants.

use std::collections::BTreeSet;

use app::{App, keys::NewKey};
use domain::{KeyId, TenantName, Timestamp};
use jiff::Timestamp as Moment;
use queue::{ApiKey, Scope};
use serde_json::{Value, json};

use super::keys::{CreateKey, Keys};
use crate::answers::Key;
use crate::cli::Global;
use crate::context::now;
use crate::failure::Failure;
use crate::local::{StoreOption, block_on, of_refusal};
use crate::output::Output;
use crate::render;

/// How many keys a list reads at a time.
const PAGE: usize = 200;

/// Does what was asked about keys on this store, for this tenant.
pub(crate) fn run(command: &Keys, store: &str, tenant: &str, global: &Global) -> Result<(), Failure> {
    let output = Output::of_this_process(global.json, global.quiet);
    let tenant = TenantName::parse(tenant).map_err(|error| Failure::Usage(format!("--tenant {error}")))?;
    let option = StoreOption {
        store: store.to_owned(),
    };
    block_on(async {
        let (store, app) = option.open().await?;
        let done = match command {
            Keys::Create(create) => create_key(create, tenant, &app, output).await,
            Keys::List(_) => list_keys(&tenant, &app, output).await,
            Keys::Revoke(key) => revoke(key.id(), &tenant, &app, output).await,
        };
        store.close().await;
        done
    })
}

async fn create_key(create: &CreateKey, tenant: TenantName, app: &App, output: Output) -> Result<(), Failure> {
    let expires_at = create
        .expires(now())?
        .map(|moment: Moment| Timestamp::from_micros(moment.as_microsecond()));
    let new = NewKey {
        tenant,
        name: create.name()?.to_owned(),
        scopes: create.scopes().filter_map(Scope::parse).collect::<BTreeSet<_>>(),
        robot: None,
        expires_at,
    };
    let (key, text) = app.create_key(new).await.map_err(of_refusal)?;
    if output.is_json() {
        let mut shown = key_json(&key);
        shown["key"] = json!(text.reveal());
        return output.line(&shown.to_string());
    }
    output.line(text.reveal())?;
    output.hint(&format!(
        "this is key {} of tenant {}; it is not shown again",
        key.id, key.tenant
    ));
    Ok(())
}

async fn list_keys(tenant: &TenantName, app: &App, output: Output) -> Result<(), Failure> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = app.engine.keys(tenant, after, PAGE).await.map_err(of_refusal)?;
        keys.extend(page.items.iter().map(key_json));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if output.is_json() {
        return output.line(&json!({ "items": keys, "next_cursor": null }).to_string());
    }
    let keys: Vec<Key> = keys
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Answer(error.to_string()))?;
    if keys.is_empty() {
        output.hint("no keys");
        return Ok(());
    }
    output.line(&render::keys(output.style(), &keys, now()))
}

async fn revoke(id: &str, tenant: &TenantName, app: &App, output: Output) -> Result<(), Failure> {
    let id = KeyId::parse(id).map_err(|error| Failure::Usage(format!("KEY_ID {error}")))?;
    app.engine.revoke_key(tenant, &id).await.map_err(of_refusal)?;
    if output.is_json() {
        return output.line("null");
    }
    output.hint(&format!("key {id} is revoked"));
    Ok(())
}

fn key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "scopes": key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "robot": key.robot,
        "created_at": key.created_at.to_string(),
        "expires_at": key.expires_at.map(|at| at.to_string()),
    })
}
