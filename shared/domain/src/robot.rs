//! A robot: what it can do, what it holds, and when it was heard of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    job::{Job, Requires},
    names::{JobId, KeyId, LabelName, LeaseToken, QueueName, RobotId, TenantName, Word, WorkflowName},
    time::Timestamp,
};

/// A robot that has not been heard of for so long is offline.
pub const OFFLINE_AFTER: Duration = Duration::from_mins(2);

/// How many workflows a robot is remembered for, the latest first.
pub const RECENT_MAX: usize = 8;

/// A robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Robot {
    /// Its id.
    pub id: RobotId,
    /// Whose it is.
    pub tenant: TenantName,
    /// The key that speaks for it.
    pub key: KeyId,
    /// What people call it.
    pub name: String,
    /// The queues it serves.
    pub queues: Vec<QueueName>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<Word>,
    /// The environment it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Word>,
    /// How many jobs it may hold at once, leased or running.
    pub max_jobs: u32,
    /// The version of its software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The owner's own names and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<LabelName, String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Whether an operator wants it to take nothing new.
    #[serde(default)]
    pub drain: bool,
    /// Its session, counted from 1; 0 before the first.
    #[serde(default)]
    pub epoch: u64,
    /// The latest sync of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What it said of itself in that sync.
    #[serde(default)]
    pub mode: Mode,
    /// How many more jobs it said it could take.
    #[serde(default)]
    pub free_slots: u32,
    /// When it was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// When it was told to sync next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sync_at: Option<Timestamp>,
    /// When it was last given a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    /// What it was given lately, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<WorkflowName>,
    /// The jobs reserved for it: no lease without an entry here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Reservation>,
    /// What the answer to the latest sync assigned, to give it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Reservation>,
}

/// What a robot says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It has nothing to do.
    #[default]
    Idle,
    /// It works.
    Busy,
    /// It finishes what it has and takes nothing new.
    Draining,
}

/// What people see of a robot's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RobotState {
    /// It could take a job.
    Idle,
    /// It holds jobs.
    Busy,
    /// It takes nothing new.
    Draining,
    /// It has not been heard of for [`OFFLINE_AFTER`], or never.
    Offline,
}

/// A job that a robot's record holds a slot for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The job.
    pub job: JobId,
    /// Which attempt of it.
    pub attempt: u32,
    /// The token of that lease.
    pub token: LeaseToken,
    /// Whether a sync has given it to the robot.
    #[serde(default)]
    pub handed_over: bool,
}

/// What a sync is in the order of syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The next one.
    New,
    /// The latest one again: its answer was lost.
    Again,
}

/// Why a sync is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncRejection {
    /// Another session was opened since, or none was.
    #[error("the session was superseded")]
    SessionSuperseded,
    /// A later sync of this session was answered already.
    #[error("a later sync was answered already")]
    StaleSequence,
}

impl Robot {
    /// What the sync `seq` of session `epoch` is in the order of this robot's syncs.
    pub fn turn(&self, epoch: u64, seq: u64) -> Result<Turn, SyncRejection> {
        if epoch != self.epoch || epoch == 0 {
            return Err(SyncRejection::SessionSuperseded);
        }
        match self.seq {
            Some(latest) if seq == latest => Ok(Turn::Again),
            Some(latest) if seq < latest => Err(SyncRejection::StaleSequence),
            _ => Ok(Turn::New),
        }
    }

    /// This robot with a new session.
    #[must_use]
    pub fn with_new_session(&self, now: Timestamp) -> Self {
        Self {
            epoch: self.epoch + 1,
            seq: None,
            mode: Mode::Idle,
            free_slots: 0,
            seen_at: Some(now),
            next_sync_at: None,
            answered: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether `next`, this robot after a sync, says nothing new but that it was heard of: it may do without being written,
    /// and the sync that is written next says the same.
    pub fn was_only_heard(&self, next: &Self) -> bool {
        let heard = Self {
            seq: next.seq,
            mode: next.mode,
            seen_at: next.seen_at,
            next_sync_at: next.next_sync_at,
            answered: Vec::new(),
            ..self.clone()
        };
        heard == *next && self.takes_jobs() == next.takes_jobs()
    }

    /// What people see of its state at `now`.
    pub fn state(&self, now: Timestamp) -> RobotState {
        if !self.is_online(now) {
            RobotState::Offline
        } else if self.drain || self.mode == Mode::Draining {
            RobotState::Draining
        } else if self.mode == Mode::Busy || !self.holds.is_empty() {
            RobotState::Busy
        } else {
            RobotState::Idle
        }
    }

    /// Whether it was heard of within [`OFFLINE_AFTER`].
    pub fn is_online(&self, now: Timestamp) -> bool {
        self.seen_at.is_some_and(|seen| now.since(seen) < OFFLINE_AFTER)
    }

    /// Whether it takes new jobs at all.
    pub fn takes_jobs(&self) -> bool {
        !self.drain && self.mode != Mode::Draining
    }

    /// How many more jobs it may be given: never beyond what it said, and never beyond `max_jobs` with what it holds.
    pub fn free(&self) -> u32 {
        if !self.takes_jobs() {
            return 0;
        }
        let held = u32::try_from(self.holds.len()).unwrap_or(u32::MAX);
        let undelivered = u32::try_from(self.holds.iter().filter(|hold| !hold.handed_over).count()).unwrap_or(u32::MAX);
        self.max_jobs
            .saturating_sub(held)
            .min(self.free_slots.saturating_sub(undelivered))
    }

    /// Whether it could be given a job when it next asks, as far as can be known.
    pub fn could_take(&self) -> bool {
        let held = u32::try_from(self.holds.len()).unwrap_or(u32::MAX);
        self.takes_jobs() && held < self.max_jobs && (self.seq.is_none() || self.free_slots > 0)
    }

    /// Reserves a slot for `job`, which must have just been claimed for this robot.
    pub fn reserve(&mut self, job: &Job, now: Timestamp) {
        let Some(hold) = job.state.hold() else { return };
        self.holds.push(Reservation {
            job: job.id,
            attempt: hold.attempt,
            token: hold.token.clone(),
            handed_over: false,
        });
        self.assigned_at = Some(now);
        self.recent.retain(|workflow| *workflow != job.spec.workflow);
        self.recent.insert(0, job.spec.workflow.clone());
        self.recent.truncate(RECENT_MAX);
    }

    /// What this robot lacks for jobs that require `requires` in `queue`; empty when it fits.
    pub fn missing(&self, queue: &QueueName, requires: &Requires) -> Vec<String> {
        let other_robot = requires
            .robot
            .iter()
            .filter(|robot| **robot != self.id)
            .map(|robot| format!("robot:{robot}"));
        let queue = (!self.queues.contains(queue)).then(|| format!("queue:{queue}"));
        let environment = requires
            .environment
            .iter()
            .filter(|wanted| self.environment.as_ref() != Some(wanted))
            .map(|wanted| format!("environment:{wanted}"));
        let capabilities = requires
            .capabilities
            .difference(&self.capabilities)
            .map(|lack| format!("capability:{lack}"));
        other_robot
            .chain(queue)
            .chain(environment)
            .chain(capabilities)
            .collect()
    }

    /// Whether it may have jobs that require `requires` in `queue`.
    pub fn fits(&self, queue: &QueueName, requires: &Requires) -> bool {
        self.queues.contains(queue)
            && requires.robot.as_ref().is_none_or(|robot| *robot == self.id)
            && requires
                .environment
                .as_ref()
                .is_none_or(|wanted| self.environment.as_ref() == Some(wanted))
            && requires.capabilities.is_subset(&self.capabilities)
    }
}
