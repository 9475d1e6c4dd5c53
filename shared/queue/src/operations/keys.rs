//! API keys as they are stored: what they may do, and the hash of their secret. Their text is made elsewhere.

use std::collections::BTreeSet;

use domain::{KeyId, RobotId, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

use super::jobs::Page;
use crate::{
    codec::{self, Stored},
    engine::{Engine, Refusal},
    store::{Change, Committed, Key, Kind, Position, StoreError, Write},
};

/// What a key lets its holder do. Write does not include read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Reads of jobs, queues and stats.
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// Submit, cancel, retry, dead letters.
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// Registration of robots.
    #[serde(rename = "robots:register")]
    RobotsRegister,
    /// Reads of robots.
    #[serde(rename = "robots:read")]
    RobotsRead,
    /// Drain, resume and removal of robots.
    #[serde(rename = "robots:write")]
    RobotsWrite,
    /// Settings of queues.
    #[serde(rename = "queues:write")]
    QueuesWrite,
    /// All of these within the tenant, and keys.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::JobsRead,
        Self::JobsWrite,
        Self::RobotsRegister,
        Self::RobotsRead,
        Self::RobotsWrite,
        Self::QueuesWrite,
        Self::Admin,
    ];

    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobsRead => "jobs:read",
            Self::JobsWrite => "jobs:write",
            Self::RobotsRegister => "robots:register",
            Self::RobotsRead => "robots:read",
            Self::RobotsWrite => "robots:write",
            Self::QueuesWrite => "queues:write",
            Self::Admin => "admin",
        }
    }

    /// The scope of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: TenantName,
    /// What people call it.
    pub name: String,
    /// What it lets its holder do.
    pub scopes: BTreeSet<Scope>,
    /// The one robot it speaks for, if it is a robot's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
    /// SHA-256 of its secret, in hexadecimal digits.
    pub secret_sha256: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Engine {
    /// The key `id`, if it has not been revoked. Its expiry is the caller's to check.
    pub async fn find_key(&self, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.load_key(id).await?.map(|stored| stored.value))
    }

    /// Stores a new key, and its tenant if that is new.
    pub async fn create_key(&self, key: ApiKey) -> Result<(), Refusal> {
        self.make_tenant(&key.tenant, self.now()).await?;
        let outcome = self
            .store
            .commit(vec![codec::api_key_record(&Stored::new(key)).into()])
            .await?;
        // Ids are drawn from 122 random bits: a second one is a broken source of chance.
        if outcome == [Committed::Done] {
            Ok(())
        } else {
            Err(crate::engine::too_busy().into())
        }
    }

    /// One page of the keys of `tenant`.
    pub async fn keys(
        &self,
        tenant: &TenantName,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<ApiKey>, Refusal> {
        Ok(self.page(Kind::ApiKey, "", tenant.as_str(), after, limit).await?)
    }

    /// Removes a key of `tenant`: it is refused from the next request on.
    pub async fn revoke_key(&self, tenant: &TenantName, id: &KeyId) -> Result<(), Refusal> {
        let stored = self.load_key(id).await?.filter(|stored| stored.value.tenant == *tenant);
        let stored = stored.ok_or(Refusal::NotFound)?;
        let delete = Write::Delete(Key::common(Kind::ApiKey, id.as_str()), stored.version);
        // Keys are never changed, so a conflict means that somebody else revoked it just now.
        self.store
            .commit(vec![Change {
                writes: vec![delete],
                blobs: Vec::new(),
            }])
            .await?;
        Ok(())
    }

    pub(crate) async fn load_key(&self, id: &KeyId) -> Result<Option<Stored<ApiKey>>, StoreError> {
        let found = self.store.load(&[Key::common(Kind::ApiKey, id.as_str())]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .map(|record| codec::read(&record))
            .transpose()
    }
}
