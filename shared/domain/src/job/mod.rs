//! A job: what was asked, where it stands, and how it came there.

mod apply;
pub mod event;
pub mod spec;
pub mod state;

use serde::{Deserialize, Serialize};

pub use self::{
    event::{Actor, ErrorKind, Event, JobError, Loss, Outcome, Progress, Rejection, Report, Settlement},
    spec::{Dedup, JobSpec, OnConflict, OnLost, Prefers, Priority, Requires, Timeouts},
    state::{CANCEL_GRACE, End, Fence, Hold, Reason, State, StateName, UNSTARTED_MAX},
};
use crate::{
    names::{JobId, LeaseToken, TenantName},
    time::Timestamp,
};

/// A job. Its fate is decided in [`Job::apply`] and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantName,
    /// What was asked.
    pub spec: JobSpec,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When the client wanted it to become ready, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Its age in its lane: a job that lost its robot keeps the place it had.
    pub queued_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What its attempts came to.
    pub attempts: Attempts,
    /// When a client first asked to cancel it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// How far the robot is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The last error that a robot reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// The name of the payload beside the record; `None` is `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The name of the result beside the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The digest of the request that made it, if that came with an idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_digest: Option<String>,
    /// The attempts that a robot reported as over, so that a report sent again gets the same answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finishes: Vec<FinishMark>,
    /// What was done about it, if it was a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settlement>,
    /// What the person said who cancelled or settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The latest transitions, oldest first; those before lie beside the record.
    pub history: Vec<Transition>,
}

/// What a job's attempts came to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// How often it was handed out; also the number of the latest attempt.
    pub given: u32,
    /// How many attempts a robot began. Each burns one of `max_attempts`, whatever ends it.
    pub started: u32,
    /// How many of those were lost with their robot.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// How often in a row it was handed out without a robot beginning it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unstarted: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// That an attempt was reported as over, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishMark {
    /// Which attempt.
    pub attempt: u32,
    /// The token it was reported with.
    pub token: LeaseToken,
    /// The digest of the report.
    pub digest: String,
    /// The state that was answered.
    pub answer: StateName,
}

/// One step of a job from a state to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Counts a job's transitions from 1, without a gap.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// From which state; `None` for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StateName>,
    /// To which state.
    pub to: StateName,
    /// The number of the latest attempt, 0 before the first.
    pub attempt: u32,
    /// Who brought it about.
    pub actor: Actor,
    /// Why the job is in the new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Job {
    /// A new job that becomes ready at `run_at`, or now where that is past or `None`.
    pub fn new(
        id: JobId,
        tenant: TenantName,
        spec: JobSpec,
        run_at: Option<Timestamp>,
        by: Actor,
        now: Timestamp,
    ) -> Self {
        let state = match run_at {
            Some(until) if until > now => State::Scheduled { until, last: None },
            _ => State::Ready { since: now, last: None },
        };
        let to = state.name();
        Self {
            id,
            tenant,
            spec,
            created_at: now,
            run_at,
            queued_at: run_at.map_or(now, |until| until.max(now)),
            state,
            reason: None,
            attempts: Attempts::default(),
            cancel_requested_at: None,
            progress: None,
            error: None,
            payload: None,
            result: None,
            request_digest: None,
            finishes: Vec::new(),
            settled: None,
            note: None,
            history: vec![Transition {
                seq: 1,
                at: now,
                from: None,
                to,
                attempt: 0,
                actor: by,
                reason: None,
            }],
        }
    }

    /// How many more attempts may start.
    pub fn attempts_left(&self) -> u32 {
        self.spec.retry.max_attempts.saturating_sub(self.attempts.started)
    }

    /// Whether it failed, or ran out of time, and nobody has dealt with it.
    pub fn is_dead_letter(&self) -> bool {
        matches!(self.state.name(), StateName::Failed | StateName::TimedOut) && self.settled.is_none()
    }

    /// Whether the attempt that `fence` speaks for may still write logs and checkpoints: it is the latest, nobody has
    /// reported its end, and the job goes on.
    pub fn takes_notes_of(&self, fence: &Fence) -> bool {
        !self.state.name().is_terminal()
            && self.state.last_hold().is_some_and(|hold| hold.is(fence))
            && !self.finishes.iter().any(|mark| mark.attempt == fence.attempt)
    }

    /// The next moment at which [`Event::Tick`] changes it; `None` when time alone does not.
    pub fn next_timer(&self) -> Option<Timestamp> {
        let own = match &self.state {
            State::Scheduled { until, .. } => Some(*until),
            State::Ready { since, .. } => self.spec.timeouts.queue_seconds.map(|seconds| *since + secs(seconds)),
            State::Leased { lease_ends, .. } => Some(*lease_ends),
            State::Running { hold, lease_ends, .. } => Some(self.run_ends(hold).min(*lease_ends)),
            State::Ended { .. } => return None,
        };
        own.into_iter().chain(self.spec.deadline).min()
    }

    /// Whether [`Event::Tick`] would change it at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_timer().is_some_and(|at| at <= now)
    }

    fn run_ends(&self, hold: &Hold) -> Timestamp {
        hold.started_at.unwrap_or(hold.leased_at) + secs(self.spec.timeouts.run_seconds)
    }
}

fn secs(seconds: u32) -> std::time::Duration {
    std::time::Duration::from_secs(u64::from(seconds))
}
