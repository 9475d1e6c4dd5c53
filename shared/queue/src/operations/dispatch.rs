//! Matching over a whole fleet: ready jobs are reserved for robots that are about to ask.
//!
//! A job is bound to a robot as late as possible: a robot that will not ask for a while gets nothing, because another
//! may ask sooner and something more urgent may come. What is left over is found by the robots' own syncs.

use std::collections::BTreeMap;

use domain::{Event, Job, Queue, QueueName, Robot, TenantName, Timestamp, plan::plan};
use futures::channel::oneshot;
use tracing::info;

use super::sync::{LANES_MAX, lease_of};
use crate::{
    codec::{self, QUEUES, ROBOTS, Stored, TENANTS, Tenant},
    engine::Engine,
    store::{Committed, Grant, Kind, Lane, Record, StoreError},
};

/// How many jobs one dispatch of one tenant looks at.
const DISPATCH_MAX: usize = 500;

/// How many records are listed at a time.
const LIST_PAGE: usize = 500;

/// How many pages of one list a dispatch reads.
const LIST_PAGES_MAX: usize = 200;

/// What a dispatch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dispatched {
    /// How many jobs were reserved for robots.
    pub assigned: u64,
    /// How many were meant to be, but somebody else was quicker.
    pub conflicts: u64,
}

impl Engine {
    /// Matches the ready jobs of every tenant with robots.
    pub async fn dispatch(&self) -> Result<Dispatched, StoreError> {
        let mut total = Dispatched::default();
        for tenant in self.all_tenants().await? {
            let queues: Vec<Queue> = self.list_all(Kind::Queue, &tenant, QUEUES).await?;
            let done = self.dispatch_queues(&tenant, queues).await?;
            total.assigned += done.assigned;
            total.conflicts += done.conflicts;
        }
        Ok(total)
    }

    /// Matches the ready jobs of one queue with robots.
    pub async fn dispatch_queue(&self, tenant: &TenantName, queue: &QueueName) -> Result<Dispatched, StoreError> {
        let queue = self.load_queue(tenant, queue).await?;
        self.dispatch_queues(tenant, queue.into_iter().collect()).await
    }

    async fn dispatch_queues(&self, tenant: &TenantName, queues: Vec<Queue>) -> Result<Dispatched, StoreError> {
        let queues: BTreeMap<QueueName, Queue> = queues
            .into_iter()
            .filter(|queue| !queue.paused)
            .map(|queue| (queue.name.clone(), queue))
            .collect();
        let prefixes: Vec<String> = queues.keys().map(|name| Lane::queue_prefix(tenant, name)).collect();
        let found = self.store.lanes_of(&prefixes, LANES_MAX);
        let mut lanes: Vec<Lane> = found.await?.into_iter().flatten().collect();
        if lanes.is_empty() {
            return Ok(Dispatched::default());
        }
        let now = self.now();
        let robots = self.robots_about_to_ask(tenant, now).await?;
        let wanted: Vec<&Robot> = robots.iter().map(|robot| &robot.value).collect();
        lanes.retain(|lane| somebody_fits(lane, &wanted));
        if lanes.is_empty() {
            return Ok(Dispatched::default());
        }
        let slots: usize = wanted.iter().map(|robot| robot.free() as usize).sum();
        let (tell, mut told) = oneshot::channel();
        let engine = self.clone();
        let decide = Box::new(move |offered: Vec<Record>| {
            let mut assigned: Vec<Job> = Vec::new();
            let grants = engine.grants(&queues, &robots, &offered, now, &mut assigned);
            tell.send(assigned).ok();
            grants
        });
        let granted = self.store.claim(&lanes, slots.min(DISPATCH_MAX), decide).await?;
        let assigned: Vec<Job> = told.try_recv().ok().flatten().unwrap_or_default();
        self.watch(assigned.iter(), now).await;
        let mut done = Dispatched::default();
        for outcome in granted.iter().flat_map(|grant| &grant.jobs) {
            match outcome {
                Committed::Done => done.assigned += 1,
                Committed::Conflict => done.conflicts += 1,
            }
        }
        info!(
            "Dispatch of tenant {tenant} reserved {} jobs for {} robots",
            done.assigned,
            granted.len()
        );
        Ok(done)
    }

    /// Plans `offered` onto `robots`, and adds the jobs that are to be leased to `assigned`.
    fn grants(
        &self,
        queues: &BTreeMap<QueueName, Queue>,
        robots: &[Stored<Robot>],
        offered: &[Record],
        now: Timestamp,
        assigned: &mut Vec<Job>,
    ) -> Vec<Grant> {
        let jobs: Vec<Stored<Job>> = offered.iter().filter_map(|record| codec::read(record).ok()).collect();
        let ready: Vec<&Stored<Job>> = jobs
            .iter()
            .filter(|job: &&Stored<Job>| !job.value.is_due(now))
            .collect();
        let values: Vec<&Job> = ready.iter().map(|job| &job.value).collect();
        let fleet: Vec<&Robot> = robots.iter().map(|robot| &robot.value).collect();
        let strategy = |name: &QueueName| queues.get(name).map(|queue| queue.strategy).unwrap_or_default();
        let mut grants: BTreeMap<usize, (Stored<Robot>, Vec<Record>)> = BTreeMap::new();
        for found in plan(&values, &fleet, strategy, self.word()) {
            let job = ready[found.job];
            let (robot, records) = grants
                .entry(found.robot)
                .or_insert_with(|| (robots[found.robot].clone(), Vec::new()));
            let event = Event::Claim {
                robot: robot.value.id.clone(),
                token: self.new_token(),
                lease: lease_of(queues, &job.value.spec.queue),
            };
            if let Ok(leased) = job.value.apply(&event, now) {
                robot.value.reserve(&leased, now);
                let leased = job.with(leased);
                records.push(self.job_record(&leased, now));
                assigned.push(leased.value);
            }
        }
        let grant = |(robot, jobs): (Stored<Robot>, Vec<Record>)| Grant {
            holder: codec::robot_record(&robot),
            jobs,
        };
        grants.into_values().map(grant).collect()
    }

    /// The robots with room that are expected to sync within the shortest interval, and are not overdue by as much.
    async fn robots_about_to_ask(&self, tenant: &TenantName, now: Timestamp) -> Result<Vec<Stored<Robot>>, StoreError> {
        let near = self.settings.busy_sync;
        let records = self.list_records(Kind::Robot, tenant.as_str(), ROBOTS).await?;
        let robots: Vec<Stored<Robot>> = records.iter().map(codec::read).collect::<Result<_, _>>()?;
        let about_to_ask = |robot: &Stored<Robot>| {
            let expected = robot.value.next_sync_at.filter(|_| robot.value.seq.is_some());
            robot.value.free() > 0 && expected.is_some_and(|at| at <= now + near && now <= at + near)
        };
        Ok(robots.into_iter().filter(about_to_ask).collect())
    }

    /// Every tenant there is.
    pub(crate) async fn all_tenants(&self) -> Result<Vec<TenantName>, StoreError> {
        let records = self.list_records(Kind::Tenant, "", TENANTS).await?;
        records
            .iter()
            .map(|record| Ok(codec::read::<Tenant>(record)?.value.name))
            .collect()
    }

    /// Everything on one shelf of a tenant, as values.
    pub(crate) async fn list_all<T: serde::de::DeserializeOwned>(
        &self,
        kind: Kind,
        tenant: &TenantName,
        shelf: &str,
    ) -> Result<Vec<T>, StoreError> {
        let records = self.list_records(kind, tenant.as_str(), shelf).await?;
        records.iter().map(|record| Ok(codec::read(record)?.value)).collect()
    }

    async fn list_records(&self, kind: Kind, partition: &str, shelf: &str) -> Result<Vec<Record>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..LIST_PAGES_MAX {
            let page = self
                .store
                .list(kind, partition, &[shelf], after.as_ref(), LIST_PAGE)
                .await?;
            let last = page.len() < LIST_PAGE;
            after = page.last().map(Record::position);
            all.extend(page);
            if last {
                break;
            }
        }
        Ok(all)
    }
}

fn somebody_fits(lane: &Lane, robots: &[&Robot]) -> bool {
    let (Ok(queue), Some(requires)) = (QueueName::parse(lane.queue()), codec::lane_requires(lane)) else {
        return false;
    };
    robots.iter().any(|robot| robot.fits(&queue, &requires))
}
