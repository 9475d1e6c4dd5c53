//! What a client asks for: fixed at submit, never changed after.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    names::{BadName, JobId, LabelName, QueueName, RobotId, Word, WorkflowName},
    retry::RetryPolicy,
    time::Timestamp,
};

/// How urgent a job is: 0 to 20, and 20 goes first, on every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    /// The most urgent.
    pub const MAX: Self = Self(20);

    /// Takes 0 to 20.
    pub fn new(level: u8) -> Result<Self, BadName> {
        if level <= Self::MAX.0 {
            Ok(Self(level))
        } else {
            Err(BadName("must be an integer from 0 to 20"))
        }
    }

    /// The level, 0 to 20.
    pub const fn level(self) -> u8 {
        self.0
    }

    /// The place in a lane: 0 for the most urgent.
    pub const fn band(self) -> u8 {
        Self::MAX.0 - self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<u8> for Priority {
    type Error = BadName;

    fn try_from(level: u8) -> Result<Self, BadName> {
        Self::new(level)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> u8 {
        priority.0
    }
}

/// How long a job may wait and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Seconds from `ready_at` until a job that no robot took is given up; `None` waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_seconds: Option<u32>,
    /// Seconds from `started_at` until an attempt is ended.
    pub run_seconds: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            queue_seconds: None,
            run_seconds: 3_600,
        }
    }
}

/// What a robot must have, or it never gets the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requires {
    /// All of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<Word>,
    /// This environment; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Word>,
    /// This one robot; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
}

/// What makes one fit robot better than another; it never rules one out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefers {
    /// The more of these the better.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<Word>,
    /// This robot before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
}

/// What becomes of a job when the robot that runs it is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLost {
    /// It goes to another robot while its budget lasts.
    #[default]
    Retry,
    /// It ends: for jobs whose effects nobody can undo or repeat.
    Fail,
}

/// What a submit does when another unfinished job holds its dedup key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Answers with the one there is.
    #[default]
    Return,
    /// Refuses.
    Reject,
    /// Cancels the one there is if it has not been given to a robot, and takes its place.
    Replace,
}

/// At most one unfinished job of a queue holds a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dedup {
    /// The key, 1 to 255 characters, none of them control characters.
    pub key: String,
    /// What happens when it is held.
    pub on_conflict: OnConflict,
}

/// Everything a client says of a job but its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// What the robot is to run.
    pub workflow: WorkflowName,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_version: Option<Word>,
    /// Where it waits.
    pub queue: QueueName,
    /// How urgent it is.
    pub priority: Priority,
    /// Not finished by then, it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// How long it may wait and run.
    pub timeouts: Timeouts,
    /// How often and when it is tried again.
    pub retry: RetryPolicy,
    /// What a robot must have.
    #[serde(default)]
    pub requires: Requires,
    /// What a robot had better have.
    #[serde(default)]
    pub prefers: Prefers,
    /// What a lost robot means for it.
    pub on_lost: OnLost,
    /// Its dedup key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,
    /// The client's own names and values, at most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<LabelName, String>,
    /// The job that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<JobId>,
    /// The W3C trace context that came with the submit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl JobSpec {
    /// A job of `workflow` with the default of everything.
    pub fn new(workflow: WorkflowName) -> Self {
        Self {
            workflow,
            workflow_version: None,
            queue: QueueName::default_queue(),
            priority: Priority::default(),
            deadline: None,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            requires: Requires::default(),
            prefers: Prefers::default(),
            on_lost: OnLost::default(),
            dedup: None,
            labels: BTreeMap::new(),
            retry_of: None,
            traceparent: None,
        }
    }
}
