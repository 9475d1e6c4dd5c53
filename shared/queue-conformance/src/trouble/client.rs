//! A client that keeps to the rules: what was not answered is asked again.

use std::collections::BTreeSet;

use domain::{JobId, TenantName, job::StateName};
use queue::{Idempotency, JobFilter, JobView, Submission};
use rand::{RngExt, rngs::StdRng};

use super::{of, world::World};
use crate::kit::{client, submission, words};

/// How many jobs a client wants done.
pub(super) const JOBS: usize = 30;

/// How many of them go in one request at most.
const AT_ONCE_MAX: usize = 4;

/// A payload that no store keeps in the record itself, in bytes.
const LARGE: usize = 3_000;

/// A client at work.
pub(super) struct Client {
    world: World,
    chance: StdRng,
    told: Told,
}

/// What a client asked for, and what it was told.
pub(super) struct Told {
    tenant: TenantName,
    submits: Vec<Submit>,
    cancelled: BTreeSet<JobId>,
}

/// A job that a client wants.
struct Submit {
    asked: Submission,
    answered: Option<JobId>,
}

impl Client {
    pub(super) fn new(world: World, chance: StdRng, tenant: TenantName) -> Self {
        let told = Told {
            tenant,
            submits: Vec::new(),
            cancelled: BTreeSet::new(),
        };
        Self { world, chance, told }
    }

    /// Until every job it wants was acknowledged.
    pub(super) async fn work(mut self) -> Told {
        while self.told.submits.len() < JOBS || self.told.open().next().is_some() {
            let more = self.chance.random_range(0..=AT_ONCE_MAX);
            for _ in 0..more.min(JOBS - self.told.submits.len()) {
                let asked = self.new_job();
                self.told.submits.push(Submit { asked, answered: None });
            }
            self.submit().await;
            if self.chance.random_ratio(1, 3) && !self.world.is_calm() {
                self.cancel_some_job().await;
            }
            self.look().await;
        }
        self.told
    }

    fn new_job(&mut self) -> Submission {
        let key = format!("key-{}", self.told.submits.len());
        let needs = if self.chance.random_ratio(1, 6) {
            words(&["browser"])
        } else {
            words(&[])
        };
        let run_seconds = if self.chance.random_ratio(1, 6) { 50 } else { 3_600 };
        let payload = match self.chance.random_range(0..3) {
            0 => None,
            1 => Some(format!("{{\"of\":\"{key}\"}}")),
            _ => Some(format!("\"{}\"", key.repeat(LARGE / key.len()))),
        };
        Submission {
            idempotency: Some(Idempotency {
                digest: key.clone(),
                key,
            }),
            payload,
            ..submission(|spec| {
                spec.requires.capabilities = needs;
                spec.timeouts.run_seconds = run_seconds;
            })
        }
    }

    /// Sends what was not answered, all in one request.
    async fn submit(&mut self) {
        let asked: Vec<Submission> = self.told.open().map(|submit| submit.asked.clone()).collect();
        if asked.is_empty() {
            return;
        }
        let server = self.world.server(&mut self.chance);
        // I2: whether it is new or was made by a request that was not answered, it is the one that was asked for.
        if let Ok(answers) = server.submit(&self.told.tenant, &client(), asked).await {
            let open = self.told.submits.iter_mut().filter(|submit| submit.answered.is_none());
            for (submit, answer) in open.zip(answers) {
                let taken = answer.expect("each key is used for one request");
                assert_eq!(taken.job.payload, submit.asked.payload);
                submit.answered = Some(taken.job.job.id);
            }
        }
    }

    async fn cancel_some_job(&mut self) {
        let answered: Vec<JobId> = self.told.submits.iter().filter_map(|submit| submit.answered).collect();
        if answered.is_empty() {
            return;
        }
        let job = answered[self.chance.random_range(0..answered.len())];
        let server = self.world.server(&mut self.chance);
        if let Ok(view) = server.cancel(&self.told.tenant, job, &client(), None).await
            && view.job.state.name() == StateName::Cancelled
        {
            self.told.cancelled.insert(job);
        }
    }

    /// Reads this and that, as people do; nothing depends on it.
    async fn look(&mut self) {
        let (server, tenant) = (self.world.server(&mut self.chance), &self.told.tenant);
        match self.told.submits.iter().find_map(|submit| submit.answered) {
            Some(job) => drop(tokio::join!(server.explain(tenant, job), server.stats(tenant))),
            None => drop(server.jobs(tenant, &JobFilter::default(), None, 10).await),
        }
    }
}

impl Told {
    /// What was not answered.
    fn open(&self) -> impl Iterator<Item = &Submit> {
        self.submits.iter().filter(|submit| submit.answered.is_none())
    }

    /// I1, I6, I13: what was acknowledged is there and has ended, once each, and what was said to be cancelled is.
    pub(super) fn hold(&self, jobs: &[JobView]) {
        let state = |id: &JobId| {
            let found = jobs.iter().find(|view| view.job.id == *id);
            found.map(|view| view.job.state.name())
        };
        let answered: BTreeSet<JobId> = self.submits.iter().filter_map(|submit| submit.answered).collect();
        assert_eq!(
            (answered.len(), jobs.len()),
            (JOBS, JOBS),
            "{}",
            of(&self.tenant, &"jobs")
        );
        for id in &answered {
            let state = state(id);
            assert!(
                state.is_some_and(StateName::is_terminal),
                "{id} was acknowledged and is {state:?}"
            );
        }
        for id in &self.cancelled {
            assert_eq!(state(id), Some(StateName::Cancelled), "{id}: its cancel was answered");
        }
    }
}
