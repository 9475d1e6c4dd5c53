//! A robot that keeps to the rules: it begins only what was renewed, reports until it is answered, and forgets what it did
//! when it crashes, but not its reports.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, RobotId, TenantName,
    job::{ErrorKind, Outcome, StateName},
    robot::{Mode, SyncRejection},
};
use queue::{LeaseStatus, Listed, Refusal, SyncAnswer, SyncRequest};
use rand::{RngExt, rngs::StdRng};

use super::{of, world::World};
use crate::kit::{Held, Kit, failed, report};

/// How many jobs a robot may hold.
pub(super) const MAX_JOBS: u32 = 2;

/// A robot at work.
pub(super) struct Robot {
    world: World,
    chance: StdRng,
    /// `None` until a session was opened.
    epoch: Option<u64>,
    seq: u64,
    /// A sync that was not answered.
    open: Option<SyncRequest>,
    working: Vec<Work>,
    kept: Kept,
}

/// A job that a robot has.
struct Work {
    held: Held,
    begun: bool,
    /// How many chunks of its log were taken.
    chunks: u32,
    /// What is to be reported, until that is answered.
    done: Option<Outcome>,
}

/// What a robot was told that is to be kept.
pub(super) struct Kept {
    tenant: TenantName,
    id: RobotId,
    /// Jobs whose success was answered, with the attempt that did it.
    succeeded: BTreeMap<JobId, u32>,
    /// Chunks of logs: of which attempt, and which.
    chunks: BTreeSet<(JobId, u32, u32)>,
}

impl Robot {
    pub(super) fn new(world: World, chance: StdRng, tenant: TenantName, id: RobotId) -> Self {
        Self {
            world,
            chance,
            epoch: None,
            seq: 0,
            open: None,
            working: Vec::new(),
            kept: Kept {
                tenant,
                id,
                succeeded: BTreeMap::new(),
                chunks: BTreeSet::new(),
            },
        }
    }

    /// Until all jobs have ended and it has nothing left, as the last sync told it.
    pub(super) async fn work(mut self) -> Kept {
        loop {
            if !self.world.is_calm() && self.chance.random_ratio(1, 30) {
                self.crash();
            }
            self.report().await;
            if self.epoch.is_none() {
                self.open_session().await;
            }
            let is_closed = self.world.is_closed();
            if self.sync().await && is_closed && self.working.is_empty() {
                return self.kept;
            }
            self.note().await;
            self.conclude();
        }
    }

    fn crash(&mut self) {
        (self.epoch, self.open) = (None, None);
        // Reports lie on its disk; what it was working on is gone.
        self.working.retain(|work| work.done.is_some());
    }

    /// Sends every report that was not answered.
    async fn report(&mut self) {
        let mut kept = Vec::new();
        for work in std::mem::take(&mut self.working) {
            let Some(outcome) = work.done.clone() else {
                kept.push(work);
                continue;
            };
            let (job, report) = (work.held.job, report(&work.held, outcome, Some("1")));
            let server = self.world.server(&mut self.chance);
            match server.finish(&self.kept.tenant, &self.kept.id, job, report).await {
                Ok(answered) if answered.state == StateName::Succeeded => {
                    self.kept.succeeded.insert(job, work.held.fence.attempt);
                }
                Err(Refusal::Store(_)) => kept.push(work),
                Ok(_) | Err(_) => {}
            }
        }
        self.working = kept;
    }

    async fn open_session(&mut self) {
        let held = |work: &Work| (work.held.job, work.held.fence.clone());
        let holding: Vec<_> = self.working.iter().map(held).collect();
        let server = self.world.server(&mut self.chance);
        if let Ok(epoch) = server.open_session(&self.kept.tenant, &self.kept.id, &holding).await {
            (self.epoch, self.seq, self.open) = (Some(epoch), 0, None);
        }
    }

    /// Whether it was answered.
    async fn sync(&mut self) -> bool {
        let Some(request) = self.next_sync() else { return false };
        let server = self.world.server(&mut self.chance);
        match server.sync(&self.kept.tenant, &self.kept.id, request.clone()).await {
            Ok(answer) => {
                assert!(answer.assign.len() <= MAX_JOBS as usize, "I10: {}", self.kept.id);
                self.open = None;
                self.hear(&answer);
                return true;
            }
            Err(Refusal::Sync(SyncRejection::SessionSuperseded)) => self.epoch = None,
            Err(_) => self.open = Some(request),
        }
        false
    }

    /// Mostly the sync that was not answered, once more; otherwise a new one.
    fn next_sync(&mut self) -> Option<SyncRequest> {
        let epoch = self.epoch?;
        if let Some(open) = self.open.clone()
            && self.chance.random_ratio(4, 5)
        {
            return Some(open);
        }
        self.seq += 1;
        let working = u32::try_from(self.working.len()).expect("a robot works on few jobs");
        let listed = |work: &Work| Listed {
            job: work.held.job,
            fence: work.held.fence.clone(),
            progress: None,
        };
        Some(SyncRequest {
            epoch,
            seq: self.seq,
            mode: if working == 0 { Mode::Idle } else { Mode::Busy },
            free_slots: MAX_JOBS.saturating_sub(working),
            running: self.working.iter().map(listed).collect(),
        })
    }

    fn hear(&mut self, answer: &SyncAnswer) {
        for lease in &answer.leases {
            let of = |work: &Work| work.held.job == lease.job && work.held.fence.attempt == lease.attempt;
            match lease.status {
                LeaseStatus::Renewed => {
                    let renewed = self.working.iter_mut().filter(|work| of(work));
                    renewed.for_each(|work| work.begun = true);
                }
                // A report that is on its way is sent all the same.
                LeaseStatus::Lost => self.working.retain(|work| !of(work) || work.done.is_some()),
                LeaseStatus::Cancel => {
                    let stopped = self.working.iter_mut().filter(|work| of(work) && work.done.is_none());
                    stopped.for_each(|work| work.done = Some(Outcome::Cancelled));
                }
            }
        }
        for given in &answer.assign {
            assert_eq!(given.job.tenant, self.kept.tenant, "I11");
            let held = Held::from(given);
            self.world.was_given(&self.kept.id, &held);
            if !self.working.iter().any(|work| work.held == held) {
                self.working.push(Work {
                    held,
                    begun: false,
                    chunks: 0,
                    done: None,
                });
            }
        }
    }

    /// Writes the next chunk of the logs of what has begun, or the same one again if that was not answered.
    async fn note(&mut self) {
        for work in self.working.iter_mut().filter(|work| work.begun && work.done.is_none()) {
            let (held, seq) = (work.held.clone(), work.chunks);
            let server = self.world.server(&mut self.chance);
            let noted = server.append_log(
                &self.kept.tenant,
                &self.kept.id,
                held.job,
                held.fence.clone(),
                seq,
                chunk(&held, seq),
            );
            match noted.await {
                Ok(()) => {
                    work.chunks += 1;
                    self.kept.chunks.insert((held.job, held.fence.attempt, seq));
                }
                Err(Refusal::LogGap { next_seq }) => {
                    panic!("I15: {}: chunk {seq} was taken, and {next_seq} is wanted", held.job)
                }
                Err(refusal) => assert!(
                    !matches!(refusal, Refusal::ChunkConflict),
                    "I14: {}: its own chunk {seq} was another's",
                    held.job
                ),
            }
        }
    }

    /// Some of what has begun comes to an end; once all is calm, all of it, and well.
    fn conclude(&mut self) {
        let is_calm = self.world.is_calm();
        for work in self.working.iter_mut().filter(|work| work.begun && work.done.is_none()) {
            work.done = match self.chance.random_range(0..10) {
                _ if is_calm => Some(Outcome::Succeeded),
                0..3 => Some(Outcome::Succeeded),
                3 => Some(failed(ErrorKind::Application)),
                _ => None,
            };
        }
    }
}

/// What this attempt writes into its log.
fn chunk(held: &Held, seq: u32) -> Vec<u8> {
    format!("{} {} {seq}\n", held.job, held.fence.token).into_bytes()
}

impl Kept {
    /// I6, I15: what was answered is there.
    pub(super) async fn hold(&self, kit: &Kit) {
        for (job, attempt) in &self.succeeded {
            let there = kit.engine.job(&self.tenant, *job).await;
            let job = there
                .unwrap_or_else(|error| panic!("{}: {error}", of(&self.tenant, job)))
                .job;
            let last = job.state.last_hold().map(|hold| hold.attempt);
            assert_eq!(
                (job.state.name(), last),
                (StateName::Succeeded, Some(*attempt)),
                "{}: its success was answered",
                job.id
            );
        }
        for (job, attempt, seq) in &self.chunks {
            let chunks = kit.engine.log_chunks(&self.tenant, *job, *attempt, *seq, 1).await;
            let chunks = chunks.expect("the store answers");
            assert_eq!(
                chunks.len(),
                1,
                "chunk {seq} of the log of attempt {attempt} of {job} was taken"
            );
        }
    }
}
