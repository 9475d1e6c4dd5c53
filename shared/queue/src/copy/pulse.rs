//! Whether somebody uses a store: robots that sync move their records.

use super::{CopyError, patient::Patient};
use crate::{
    codec::{ROBOTS, TENANTS},
    store::{Key, Kind, Version},
};

/// How many tenants are looked at, and how many robots of each.
const TENANTS_MAX: usize = 100;
const ROBOTS_MAX: usize = 20;

/// The versions of some robots at one moment. Where a server runs, a robot that is online moves its own within seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    robots: Vec<Key>,
    versions: Vec<Option<Version>>,
}

impl Pulse {
    /// The versions of robots in `store`, at most 20 of each of 100 tenants.
    pub(super) async fn take(store: &Patient) -> Result<Self, CopyError> {
        let mut robots = Vec::new();
        for tenant in store.list(Kind::Tenant, "", TENANTS, TENANTS_MAX).await? {
            robots.extend(store.list(Kind::Robot, &tenant.id, ROBOTS, ROBOTS_MAX).await?);
        }
        let versions = versions(store, &robots).await?;
        Ok(Self { robots, versions })
    }

    /// Whether there is no robot that could be heard.
    pub fn is_empty(&self) -> bool {
        self.robots.is_empty()
    }

    /// Fails with [`CopyError::InUse`] if a robot of `store` was written since.
    pub(super) async fn listen(&self, store: &Patient) -> Result<(), CopyError> {
        let now = versions(store, &self.robots).await?;
        let moved = self.versions.iter().zip(&now).position(|(then, now)| then != now);
        match moved {
            Some(place) => Err(CopyError::InUse {
                robot: self.robots[place].clone(),
            }),
            None => Ok(()),
        }
    }
}

async fn versions(store: &Patient, robots: &[Key]) -> Result<Vec<Option<Version>>, CopyError> {
    let found = store.load(robots).await?;
    Ok(found
        .into_iter()
        .map(|robot| robot.map(|robot| robot.version))
        .collect())
}
