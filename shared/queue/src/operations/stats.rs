//! Counts: what waits and runs, and which robots are there.

use std::collections::BTreeMap;

use domain::{Queue, Robot, TenantName, job::StateName, robot::RobotState};

use crate::{
    codec::{QUEUES, ROBOTS},
    engine::{Engine, Refusal},
    store::{Kind, StoreError},
};

/// What a tenant has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Its queues, by name.
    pub queues: Vec<QueueStats>,
    /// How many robots are in each state.
    pub robots: BTreeMap<RobotState, u64>,
}

/// What a queue has. Finished jobs are not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How many jobs wait for their time.
    pub scheduled: u64,
    /// How many a robot could take.
    pub ready: u64,
    /// How many were handed to a robot that has not begun.
    pub leased: u64,
    /// How many robots work on.
    pub running: u64,
    /// For how long the oldest ready job has been waiting, in seconds; `None` when there is none.
    pub oldest_ready_seconds: Option<u64>,
}

impl Engine {
    /// What `tenant` has now. Costs what is unfinished.
    pub async fn stats(&self, tenant: &TenantName) -> Result<Stats, Refusal> {
        let now = self.now();
        let queues: Vec<Queue> = self.list_all(Kind::Queue, tenant, QUEUES).await?;
        let mut by_name: BTreeMap<String, QueueStats> = queues
            .into_iter()
            .map(|queue| (queue.name.to_string(), empty(queue)))
            .collect();
        for count in self.store.count(tenant).await? {
            let Some(stats) = by_name.get_mut(count.lane.queue()) else {
                continue;
            };
            match StateName::parse(&count.shelf) {
                Some(StateName::Scheduled) => stats.scheduled += count.records,
                Some(StateName::Ready) => stats.ready += count.records,
                Some(StateName::Leased) => stats.leased += count.records,
                Some(StateName::Running) => stats.running += count.records,
                _ => {}
            }
            let age = count.oldest.map(|since| now.since(since).as_secs());
            stats.oldest_ready_seconds = stats.oldest_ready_seconds.max(age);
        }
        let mut robots: BTreeMap<RobotState, u64> = [
            RobotState::Idle,
            RobotState::Busy,
            RobotState::Draining,
            RobotState::Offline,
        ]
        .map(|state| (state, 0))
        .into();
        for robot in self.list_all::<Robot>(Kind::Robot, tenant, ROBOTS).await? {
            *robots.entry(robot.state(now)).or_default() += 1;
        }
        Ok(Stats {
            queues: by_name.into_values().collect(),
            robots,
        })
    }

    /// How many ready jobs there are over all tenants, counted no further than `limit`.
    pub async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.store.depth(limit).await
    }

    /// How many robots of all tenants were heard of lately.
    pub async fn robots_online(&self) -> Result<u64, StoreError> {
        let now = self.now();
        let mut online = 0;
        for tenant in self.all_tenants().await? {
            let robots: Vec<Robot> = self.list_all(Kind::Robot, &tenant, ROBOTS).await?;
            online += robots.iter().filter(|robot| robot.is_online(now)).count() as u64;
        }
        Ok(online)
    }

    /// Answers when the store does.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

fn empty(queue: Queue) -> QueueStats {
    QueueStats {
        name: queue.name.into(),
        paused: queue.paused,
        scheduled: 0,
        ready: 0,
        leased: 0,
        running: 0,
        oldest_ready_seconds: None,
    }
}
