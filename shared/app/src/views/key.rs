//! A key, without its secret.

use queue::{ApiKey, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::moment;
use crate::keys::KeyText;

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Its id.
    #[schema(example = "key_4f1c")]
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// What it lets its holder do; empty for a robot's.
    pub scopes: Vec<&'static str>,
    /// The one robot it speaks for, if it is a robot's.
    pub robot: Option<String>,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// From when on it is refused.
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
}

/// A new key. Its text is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NewKey)]
pub struct NewKeyView {
    /// The text to send as a bearer token.
    #[schema(example = "rk_…")]
    pub key: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: KeyView,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.into(),
            tenant: key.tenant.into(),
            name: key.name,
            scopes: key.scopes.into_iter().map(Scope::as_str).collect(),
            robot: key.robot.map(String::from),
            created_at: moment(key.created_at),
            expires_at: key.expires_at.map(moment),
        }
    }
}

impl NewKeyView {
    /// `key` with its text.
    pub fn new(key: ApiKey, text: &KeyText) -> Self {
        Self {
            key: text.reveal().to_owned(),
            kept: key.into(),
        }
    }
}
