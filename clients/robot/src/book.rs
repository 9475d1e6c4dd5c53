//! What this robot holds, and what follows from what the server says: pure decisions, made with values.
//!
//! The book never reads a clock, never starts or stops anything and never calls the server: it answers with
//! [`Order`]s, which the agent carries out. Leases are counted from the moment *before* the request was sent, so this robot
//! gives a lease up no later than the server does.

mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use held::{Held, Phase};

use crate::protocol::{
    Assignment, Directive, JobKey, Lease, LeaseAnswer, LeaseStatus, Progress, RobotState, RunningJob, SyncAnswer,
    SyncRequest,
};

/// How often to ask while the server's verdict on such a job is awaited: it keeps a slot.
const OVERRUN_SYNC: Duration = Duration::from_secs(2);

/// The shortest and the longest wait between two syncs, whatever the server says.
const SYNC_WAIT_MIN: Duration = Duration::from_millis(50);
const SYNC_WAIT_MAX: Duration = Duration::from_mins(5);

/// No wait is longer than this part of the shortest lease: one sync may fail, and the next one is still in time.
const LEASE_PARTS: u32 = 3;

/// How far the wait is spread, each way, so that a fleet does not call in step.
const SYNC_JITTER: f64 = 0.1;

/// What the agent has to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// The server has marked the job as running: start its work.
    Start(Box<Assignment>),
    /// Stop the work politely, then hard after `grace` (the settings' if the server names none), and report `cancelled`.
    Cancel { key: JobKey, grace: Option<Duration> },
    /// Stop the work; it is no longer this robot's, so report nothing.
    Abandon { key: JobKey },
    /// Report `cancelled`: there is no process to stop.
    ReportCancelled { lease: Lease },
    /// Report that the run timeout ended the job: the server did not say so itself.
    ReportOverrun { lease: Lease },
    /// Give the unstarted job back.
    Release { lease: Lease },
    /// Open a new session: the server keeps leases whose work has ended here.
    NewSession,
}

/// When a sync was sent first and when its answer was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) first_sent: Instant,
    pub(crate) now: Instant,
}

#[derive(Debug)]
pub(crate) struct Book {
    slots: u32,
    held: BTreeMap<JobKey, Held>,
    /// Jobs given up here because their lease ran out unrenewed; the answer under way may still renew them.
    given_up: BTreeSet<JobKey>,
    stopping: bool,
    told_to_drain: bool,
}

impl Book {
    pub(crate) fn new(slots: u32) -> Book {
        Book {
            slots,
            held: BTreeMap::new(),
            given_up: BTreeSet::new(),
            stopping: false,
            told_to_drain: false,
        }
    }

    /// Notes a finish kept from an earlier run of this robot: its lease is still held, its work is over.
    pub(crate) fn note_unreported(&mut self, lease: Lease, now: Instant) {
        let held = Held {
            lease_token: lease.lease_token,
            lease_until: now,
            lease_ttl: SYNC_WAIT_MAX,
            progress: None,
            phase: Phase::Reporting,
        };
        self.held.insert(lease.key, held);
    }

    /// The leases to name when a session is opened: those whose work runs here, or whose finish is on its way.
    pub(crate) fn holding(&self) -> Vec<Lease> {
        self.listed().map(|(key, held)| held.lease(key)).collect()
    }

    /// The leases whose work is over and whose finish is not answered.
    pub(crate) fn unreported(&self) -> Vec<Lease> {
        let reporting = self
            .held
            .iter()
            .filter(|(_, held)| matches!(held.phase, Phase::Reporting));
        reporting.map(|(key, held)| held.lease(key)).collect()
    }

    /// The next sync; jobs handed over but not started are listed as running by it, which asks for leave to start.
    pub(crate) fn request(&mut self, epoch: u64, seq: u64) -> SyncRequest {
        for held in self.held.values_mut() {
            if let Phase::Assigned { listed, .. } = &mut held.phase {
                *listed = true;
            }
        }
        let running = self
            .listed()
            .map(|(key, held)| RunningJob {
                lease: held.lease(key),
                progress: held.progress.clone(),
            })
            .collect();
        SyncRequest {
            epoch,
            seq,
            state: self.state(),
            free_slots: self.free_slots(),
            running,
        }
    }

    /// What follows from a sync's answer.
    pub(crate) fn apply(&mut self, answer: SyncAnswer, at: Exchange) -> Vec<Order> {
        self.told_to_drain = answer.directives.contains(&Directive::Drain);
        let mut orders: Vec<Order> = answer
            .leases
            .iter()
            .filter_map(|lease| self.apply_lease(lease, at))
            .collect();
        // No later sync lists these, so no later answer speaks of them.
        self.given_up.clear();
        for assignment in answer.assign {
            orders.extend(self.take(assignment, at));
        }
        orders
    }

    fn apply_lease(&mut self, lease: &LeaseAnswer, at: Exchange) -> Option<Order> {
        match lease.status {
            LeaseStatus::Renewed => self.renewed(lease, at),
            LeaseStatus::Lost => self.lost(&lease.key),
            LeaseStatus::Cancel => self.cancelled(lease, at),
            LeaseStatus::Unknown => None,
        }
    }

    fn renewed(&mut self, lease: &LeaseAnswer, at: Exchange) -> Option<Order> {
        if self.given_up.contains(&lease.key) {
            return Some(Order::NewSession);
        }
        let held = self.held.get_mut(&lease.key)?;
        held.extend(lease, at);
        let over = held.lease_until <= at.now;
        match std::mem::replace(&mut held.phase, Phase::Running) {
            Phase::Assigned {
                assignment,
                listed: true,
            } if !over => return Some(Order::Start(assignment)),
            assigned @ Phase::Assigned { .. } => {
                // An answer that took longer than the lease gives no leave to start, as the job may be another's by now: a
                // fresh one will tell.
                held.lease_until = at.now + held.lease_ttl;
                held.phase = assigned;
            }
            Phase::Abandoning { .. } => held.phase = Phase::Abandoning { renewed: true },
            other => held.phase = other,
        }
        None
    }

    fn lost(&mut self, key: &JobKey) -> Option<Order> {
        let held = self.held.get_mut(key)?;
        match held.phase {
            Phase::Running | Phase::Cancelling => {
                held.phase = Phase::Abandoning { renewed: false };
                Some(Order::Abandon { key: key.clone() })
            }
            Phase::Abandoning { .. } => None,
            // No process is left: an overrun is settled by this, and a finish on its way is judged by the server.
            Phase::Assigned { .. } | Phase::Overrun { .. } | Phase::Reporting => {
                self.held.remove(key);
                None
            }
        }
    }

    fn cancelled(&mut self, lease: &LeaseAnswer, at: Exchange) -> Option<Order> {
        let held = self.held.get_mut(&lease.key)?;
        held.extend(lease, at);
        match held.phase {
            Phase::Running => {
                held.phase = Phase::Cancelling;
                Some(Order::Cancel {
                    key: lease.key.clone(),
                    grace: lease.grace_ms.map(Duration::from_millis),
                })
            }
            Phase::Assigned { .. } | Phase::Overrun { .. } => {
                held.phase = Phase::Reporting;
                Some(Order::ReportCancelled {
                    lease: held.lease(&lease.key),
                })
            }
            Phase::Cancelling | Phase::Abandoning { .. } | Phase::Reporting => None,
        }
    }

    fn take(&mut self, assignment: Assignment, at: Exchange) -> Option<Order> {
        let key = assignment.key();
        if self.held.contains_key(&key) {
            return None;
        }
        if self.stopping {
            return Some(Order::Release {
                lease: assignment.lease(),
            });
        }
        let lease_ttl = Duration::from_millis(assignment.lease_ttl_ms);
        let held = Held {
            lease_token: assignment.lease_token.clone(),
            // Only the sync that lists it gives leave to start, so this bounds no more than the waiting for it.
            lease_until: at.now + lease_ttl,
            lease_ttl,
            progress: None,
            phase: Phase::Assigned {
                assignment: Box::new(assignment),
                listed: false,
            },
        };
        self.held.insert(key, held);
        None
    }

    /// What follows from time having passed: leases that ran out unrenewed, overruns that the server did not settle.
    pub(crate) fn pass(&mut self, now: Instant) -> Vec<Order> {
        let due: Vec<JobKey> = self
            .held
            .iter()
            .filter(|(_, held)| held.due().is_some_and(|due| due <= now))
            .map(|(key, _)| key.clone())
            .collect();
        due.into_iter().filter_map(|key| self.pass_one(key)).collect()
    }

    fn pass_one(&mut self, key: JobKey) -> Option<Order> {
        let held = self.held.get_mut(&key)?;
        match held.phase {
            Phase::Running => {
                held.phase = Phase::Abandoning { renewed: false };
                Some(Order::Abandon { key })
            }
            Phase::Overrun { .. } => {
                held.phase = Phase::Reporting;
                Some(Order::ReportOverrun {
                    lease: held.lease(&key),
                })
            }
            _ => {
                // If a sync has listed it, the server may have marked it as running, and its answer may still come.
                self.held.remove(&key);
                self.given_up.insert(key);
                None
            }
        }
    }

    /// The next moment at which [`Book::pass`] has something to do.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.held.values().filter_map(Held::due).min()
    }

    /// Begins to leave: takes no more, gives back what no sync has listed yet.
    pub(crate) fn stop(&mut self) -> Vec<Order> {
        self.stopping = true;
        let unstarted: Vec<Lease> = self
            .held
            .iter()
            .filter(|(_, held)| held.is_unlisted())
            .map(|(key, held)| held.lease(key))
            .collect();
        for lease in &unstarted {
            self.held.remove(&lease.key);
        }
        unstarted.into_iter().map(|lease| Order::Release { lease }).collect()
    }

    pub(crate) fn progressed(&mut self, key: &JobKey, progress: Progress) {
        if let Some(held) = self.held.get_mut(key) {
            held.progress = Some(progress);
        }
    }

    /// The work is over and its finish is on its way: the lease is kept until that is answered.
    pub(crate) fn reporting(&mut self, key: &JobKey) {
        if let Some(held) = self.held.get_mut(key) {
            held.phase = Phase::Reporting;
        }
    }

    /// The work was stopped for its run timeout.
    ///
    /// Nothing is reported: a finish could only say `failed`, and the server's own timer says `timed_out` or tries again by
    /// the job's rules. The lease is kept meanwhile, so that the job does not count as lost by its robot.
    pub(crate) fn overran(&mut self, key: &JobKey, now: Instant) {
        if let Some(held) = self.held.get_mut(key) {
            held.phase = Phase::Overrun { since: now };
        }
    }

    /// Nothing is left to do about the attempt.
    pub(crate) fn forget(&mut self, key: &JobKey) -> Option<Order> {
        match self.held.remove(key)?.phase {
            Phase::Abandoning { renewed: true } => Some(Order::NewSession),
            Phase::Abandoning { renewed: false } => {
                self.given_up.insert(key.clone());
                None
            }
            _ => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a job waits for the sync that asks for leave to start it.
    pub(crate) fn wants_sync(&self) -> bool {
        self.held.values().any(Held::is_unlisted)
    }

    /// How long to wait for the next sync, of what the server asks for; `chance` (0 to 1) spreads it.
    pub(crate) fn wait(&self, next_sync_ms: u64, chance: f64) -> Duration {
        let bound = self.shortest_lease().map_or(SYNC_WAIT_MAX, |lease| lease / LEASE_PARTS);
        let asked = Duration::from_millis(next_sync_ms).min(bound).max(SYNC_WAIT_MIN);
        let overrun = self
            .held
            .values()
            .any(|held| matches!(held.phase, Phase::Overrun { .. }));
        let wait = if overrun { asked.min(OVERRUN_SYNC) } else { asked };
        wait.mul_f64(1.0 + SYNC_JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0))
    }

    /// The shortest lease at hand: what a call may take hangs on it.
    pub(crate) fn shortest_lease(&self) -> Option<Duration> {
        self.held.values().map(|held| held.lease_ttl).min()
    }

    fn listed(&self) -> impl Iterator<Item = (&JobKey, &Held)> {
        self.held
            .iter()
            .filter(|(_, held)| !matches!(held.phase, Phase::Abandoning { .. }))
    }

    fn state(&self) -> RobotState {
        match () {
            () if self.stopping || self.told_to_drain => RobotState::Draining,
            () if self.held.is_empty() => RobotState::Idle,
            () => RobotState::Busy,
        }
    }

    fn free_slots(&self) -> u32 {
        if self.state() == RobotState::Draining {
            return 0;
        }
        self.slots
            .saturating_sub(u32::try_from(self.held.len()).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
