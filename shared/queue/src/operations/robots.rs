//! Robots as operators see them: registration, listing, drain, removal.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Event, LabelName, QueueName, Robot, RobotId, TenantName, Word,
    job::{Actor, Fence, Loss},
    robot::{Mode, Reservation},
};
use tracing::info;

use super::{jobs::Page, keys::ApiKey};
use crate::{
    codec::{self, ROBOTS, Stored, robot_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    store::{Change, Committed, Kind, Position, StoreError, Write},
};

/// What a robot says of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRobot {
    /// What people call it.
    pub name: String,
    /// The queues it serves.
    pub queues: Vec<QueueName>,
    /// What it can do.
    pub capabilities: BTreeSet<Word>,
    /// The environment it stands in.
    pub environment: Option<Word>,
    /// How many jobs it may hold at once.
    pub max_jobs: u32,
    /// The version of its software.
    pub version: Option<String>,
    /// The owner's own names and values.
    pub labels: BTreeMap<LabelName, String>,
}

impl Engine {
    /// Registers a robot together with the key that speaks for it, which must name it.
    pub async fn register(
        &self,
        tenant: &TenantName,
        new: NewRobot,
        id: RobotId,
        key: ApiKey,
    ) -> Result<Robot, Refusal> {
        let now = self.now();
        self.make_queues(tenant, new.queues.iter(), now).await?;
        let robot = Robot {
            id,
            tenant: tenant.clone(),
            key: key.id.clone(),
            name: new.name,
            queues: new.queues,
            capabilities: new.capabilities,
            environment: new.environment,
            max_jobs: new.max_jobs,
            version: new.version,
            labels: new.labels,
            created_at: now,
            drain: false,
            epoch: 0,
            seq: None,
            mode: Mode::Idle,
            free_slots: 0,
            seen_at: Some(now),
            next_sync_at: None,
            assigned_at: None,
            recent: Vec::new(),
            holds: Vec::new(),
            answered: Vec::new(),
        };
        let writes = vec![
            Write::Put(codec::robot_record(&Stored::new(robot.clone()))),
            Write::Put(codec::api_key_record(&Stored::new(key))),
        ];
        if self
            .store
            .commit(vec![Change {
                writes,
                blobs: Vec::new(),
            }])
            .await?
            != [Committed::Done]
        {
            return Err(too_busy().into());
        }
        info!("Registered robot {} of tenant {tenant}", robot.id);
        Ok(robot)
    }

    /// One page of the robots of `tenant`.
    pub async fn robots(
        &self,
        tenant: &TenantName,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<Robot>, Refusal> {
        Ok(self.page(Kind::Robot, tenant.as_str(), ROBOTS, after, limit).await?)
    }

    /// The robot `id` of `tenant`.
    pub async fn robot(&self, tenant: &TenantName, id: &RobotId) -> Result<Robot, Refusal> {
        Ok(self.load_robot(tenant, id).await?.ok_or(Refusal::NotFound)?.value)
    }

    /// Has the robot take nothing new, or take jobs again.
    pub async fn set_drain(&self, tenant: &TenantName, id: &RobotId, drain: bool) -> Result<Robot, Refusal> {
        for _ in 0..TRIES_MAX {
            let robot = self.load_robot(tenant, id).await?.ok_or(Refusal::NotFound)?;
            let next = robot.with(Robot {
                drain,
                ..robot.value.clone()
            });
            if self.store.commit(vec![codec::robot_record(&next).into()]).await? == [Committed::Done] {
                info!("Robot {id} of tenant {tenant}: drain is {drain}");
                return Ok(next.value);
            }
        }
        Err(too_busy().into())
    }

    /// Removes a robot and its key; the jobs it has are lost at once.
    pub async fn remove_robot(&self, tenant: &TenantName, id: &RobotId, by: &Actor) -> Result<(), Refusal> {
        for _ in 0..TRIES_MAX {
            let robot = self.load_robot(tenant, id).await?.ok_or(Refusal::NotFound)?;
            let mut writes = vec![Write::Delete(robot_key(tenant, id), robot.version)];
            if let Some(key) = self.load_key(&robot.value.key).await? {
                writes.push(Write::Delete(codec::api_key_record(&key).key, key.version));
            }
            if self
                .store
                .commit(vec![Change {
                    writes,
                    blobs: Vec::new(),
                }])
                .await?
                == [Committed::Done]
            {
                info!("Removed robot {id} of tenant {tenant}");
                self.lose(tenant, &robot.value.holds, Loss::Removed, by).await?;
                return Ok(());
            }
        }
        Err(too_busy().into())
    }

    /// Ends the leases of `holds` that are still held.
    pub(crate) async fn lose(
        &self,
        tenant: &TenantName,
        holds: &[Reservation],
        loss: Loss,
        by: &Actor,
    ) -> Result<(), Refusal> {
        for hold in holds {
            let fence = Fence {
                attempt: hold.attempt,
                token: hold.token.clone(),
            };
            let event = Event::Lose {
                fence,
                loss,
                by: by.clone(),
            };
            match self.transition(tenant, hold.job, |_| Ok(event.clone())).await {
                // Its lease was over already, or the job is gone.
                Ok(_) | Err(Refusal::Job(_) | Refusal::NotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    pub(crate) async fn load_robot(
        &self,
        tenant: &TenantName,
        id: &RobotId,
    ) -> Result<Option<Stored<Robot>>, StoreError> {
        let found = self.store.load(&[robot_key(tenant, id)]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .map(|record| codec::read(&record))
            .transpose()
    }
}
