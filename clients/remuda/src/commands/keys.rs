//! `remuda keys`: who may do what.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use remuda_client::segment;
use serde_json::json;

use crate::answers::{Key, NewKey};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::moments::{Moment, parse_moment};
use crate::paging::{Extent, list};
use crate::render;

/// Every scope that a key can have; write does not include read, `admin` includes all.
const SCOPES: [&str; 7] = [
    "jobs:read",
    "jobs:write",
    "robots:register",
    "robots:read",
    "robots:write",
    "queues:write",
    "admin",
];

/// What is wanted of keys, and where they are.
#[derive(Debug, Args)]
pub(crate) struct KeysAnywhere {
    /// Work on the store itself, without a server: sqlite:PATH or postgres://…
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) store: Option<String>,
    /// With --store: whose keys; a tenant comes into being with its first key
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = "default",
        requires = "store"
    )]
    pub(crate) tenant: String,
    /// What is wanted
    #[command(subcommand)]
    pub(crate) command: Keys,
}

/// What can be done about keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; its secret is printed once and never again
    Create(CreateKey),
    /// List keys, without their secrets
    List(Extent),
    /// Revoke a key; it is refused from the next request on
    Revoke(OneKey),
}

/// The key that is wanted.
#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What the key is for
    #[arg(required_unless_present = "name_option")]
    name: Option<String>,
    /// The same, as an option
    #[arg(long = "name", id = "name_option", value_name = "NAME", conflicts_with = "name")]
    name_option: Option<String>,
    /// What the key may do; write does not include read, admin includes all
    #[arg(long = "scope", required = true, value_name = "SCOPE", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(SCOPES))]
    scopes: Vec<String>,
    /// When the key ends: a time (RFC 3339) or a span from now (90d)
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    expires: Option<Moment>,
}

impl CreateKey {
    /// What the key is for.
    pub(crate) fn name(&self) -> Result<&str, Failure> {
        let name = self.name.as_deref().or(self.name_option.as_deref());
        name.ok_or_else(|| Failure::Usage("give the key a name".to_owned()))
    }

    /// What the key may do.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// When the key ends, if it does.
    pub(crate) fn expires(&self, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
        self.expires
            .map(|expires| expires.resolve(now))
            .transpose()
            .map_err(Failure::Usage)
    }
}

/// The key that is meant.
#[derive(Debug, Args)]
pub(crate) struct OneKey {
    /// The key's id (not the key itself)
    #[arg(value_name = "KEY_ID")]
    id: String,
}

impl OneKey {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// Does what was asked about keys.
pub(crate) async fn run(command: Keys, context: &Context) -> Result<(), Failure> {
    match command {
        Keys::Create(create) => create_key(&create, context).await,
        Keys::List(extent) => list_keys(&extent, context).await,
        Keys::Revoke(key) => revoke(&key, context).await,
    }
}

async fn create_key(create: &CreateKey, context: &Context) -> Result<(), Failure> {
    let mut body = json!({ "name": create.name()?, "scopes": create.scopes });
    if let Some(expires) = create.expires(now())? {
        body["expires_at"] = json!(expires.to_string());
    }
    let answer = context.post("/v1/keys", &body).await?;
    if context.output.is_json() {
        return context.output.line(answer.raw());
    }
    let key: NewKey = answer.read()?;
    context.output.line(&key.key)?;
    context
        .output
        .hint(&format!("this is key {}; it is not shown again", key.id));
    Ok(())
}

async fn list_keys(extent: &Extent, context: &Context) -> Result<(), Failure> {
    let listing = list(context, "/v1/keys", &[], extent).await?;
    context.show_list(&listing, "no keys", |keys: &[Key]| {
        render::keys(context.output.style(), keys, now())
    })
}

async fn revoke(key: &OneKey, context: &Context) -> Result<(), Failure> {
    let answer = context.delete(&format!("/v1/keys/{}", segment(&key.id))).await?;
    context.acknowledge(&answer, || format!("key {} is revoked", key.id))
}
