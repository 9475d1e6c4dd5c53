//! Counts: what waits and runs, and which robots are there.

use std::collections::BTreeMap;

use domain::{
    Job, Queue, Robot, TenantName, Timestamp,
    job::{State, StateName},
    robot::RobotState,
};

use crate::{
    codec::{self, QUEUES, ROBOTS},
    engine::{Engine, Refusal},
    store::{Kind, Lane, Record, StoreError},
};

/// How many lanes of one queue are looked at for the oldest ready job.
const OLDEST_LANES_MAX: usize = 100;

/// How many jobs at the head of such a lane are looked at.
const OLDEST_HEADS: usize = 25;

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

    /// For how long the oldest ready job of all tenants has been ready, in seconds; `None` when none is. One that a lost
    /// robot had is ready since it was lost.
    ///
    /// Looked for among the first 25 jobs of each lane, for up to 100 lanes of each queue that is not paused, so that it
    /// costs what the lanes are and not what waits in them. It is exact where no more than that wait. Beyond, it may miss a
    /// job that waits behind more urgent ones of its lane, and never says more than is true.
    pub async fn oldest_ready_seconds(&self) -> Result<Option<u64>, StoreError> {
        let now = self.now();
        let mut oldest: Option<Timestamp> = None;
        for tenant in self.all_tenants().await? {
            let queues: Vec<Queue> = self.list_all(Kind::Queue, &tenant, QUEUES).await?;
            for queue in queues.iter().filter(|queue| !queue.paused) {
                let found = self.oldest_ready_of(&tenant, queue).await?;
                oldest = [oldest, found].into_iter().flatten().min();
            }
        }
        Ok(oldest.map(|since| now.since(since).as_secs()))
    }

    /// Since when the oldest job at the heads of the lanes of `queue` is ready.
    async fn oldest_ready_of(&self, tenant: &TenantName, queue: &Queue) -> Result<Option<Timestamp>, StoreError> {
        let prefix = Lane::queue_prefix(tenant, &queue.name);
        let lanes = self.store.lanes(&prefix, OLDEST_LANES_MAX).await?;
        let heads = lanes.chunks(1).map(|lane| self.store.ready(lane, OLDEST_HEADS));
        let heads = futures::future::try_join_all(heads).await?;
        // A job that cannot be read is left out; whoever asks for it by its id is told.
        let since = |record: &Record| match codec::read::<Job>(record).ok()?.value.state {
            State::Ready { since, .. } => Some(since),
            _ => None,
        };
        Ok(heads.iter().flatten().filter_map(since).min())
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
