//! Where a job stands, and why.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    names::{LeaseToken, RobotId},
    time::Timestamp,
};

/// One handing of a job to a robot. It stays on the job until the next one, so that a late report can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// What the robot has to show with each report.
    pub token: LeaseToken,
    /// Who has, or had, it.
    pub robot: RobotId,
    /// When it was handed out.
    pub leased_at: Timestamp,
    /// When the robot began; `None` while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// What a robot shows to speak for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The attempt it speaks for.
    pub attempt: u32,
    /// The token it was given with it.
    pub token: LeaseToken,
}

impl Hold {
    /// The fence of this hold.
    pub fn fence(&self) -> Fence {
        Fence {
            attempt: self.attempt,
            token: self.token.clone(),
        }
    }

    /// Whether `fence` speaks for this very hold.
    pub fn is(&self, fence: &Fence) -> bool {
        self.attempt == fence.attempt && self.token == fence.token
    }
}

/// Where a job stands. Each state holds what it needs and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its time.
    Scheduled {
        /// When it becomes ready.
        until: Timestamp,
        /// The attempt before, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Hold>,
    },
    /// A robot could take it now.
    Ready {
        /// Since when.
        since: Timestamp,
        /// The attempt before, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Hold>,
    },
    /// It was handed to a robot that has not begun.
    Leased {
        /// To whom.
        hold: Hold,
        /// When the lease ends unless it is renewed.
        lease_ends: Timestamp,
    },
    /// A robot works on it.
    Running {
        /// Who.
        hold: Hold,
        /// When the lease ends unless it is renewed.
        lease_ends: Timestamp,
        /// When the robot first heard that it is to stop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancel_told_at: Option<Timestamp>,
    },
    /// It is over, for good.
    Ended {
        /// How.
        end: End,
        /// When.
        at: Timestamp,
        /// The last attempt, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Hold>,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The robot did it.
    Succeeded,
    /// It could not be done.
    Failed,
    /// A time ran out.
    TimedOut,
    /// Somebody did not want it any more.
    Cancelled,
}

/// The state without what it holds, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// It waits for its time.
    Scheduled,
    /// A robot could take it now.
    Ready,
    /// It was handed to a robot that has not begun.
    Leased,
    /// A robot works on it.
    Running,
    /// The robot did it.
    Succeeded,
    /// It could not be done.
    Failed,
    /// A time ran out.
    TimedOut,
    /// Somebody did not want it any more.
    Cancelled,
}

impl StateName {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Ready,
        Self::Leased,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing can change it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled)
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl From<End> for StateName {
    fn from(end: End) -> Self {
        match end {
            End::Succeeded => Self::Succeeded,
            End::Failed => Self::Failed,
            End::TimedOut => Self::TimedOut,
            End::Cancelled => Self::Cancelled,
        }
    }
}

impl State {
    /// The word for this state.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Scheduled { .. } => StateName::Scheduled,
            Self::Ready { .. } => StateName::Ready,
            Self::Leased { .. } => StateName::Leased,
            Self::Running { .. } => StateName::Running,
            Self::Ended {
                end: End::Succeeded, ..
            } => StateName::Succeeded,
            Self::Ended { end: End::Failed, .. } => StateName::Failed,
            Self::Ended { end: End::TimedOut, .. } => StateName::TimedOut,
            Self::Ended {
                end: End::Cancelled, ..
            } => StateName::Cancelled,
        }
    }

    /// The hold a robot has now.
    pub const fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Leased { hold, .. } | Self::Running { hold, .. } => Some(hold),
            _ => None,
        }
    }

    /// The latest hold, whether it is over or not.
    pub const fn last_hold(&self) -> Option<&Hold> {
        match self {
            Self::Leased { hold, .. } | Self::Running { hold, .. } => Some(hold),
            Self::Scheduled { last, .. } | Self::Ready { last, .. } | Self::Ended { last, .. } => last.as_ref(),
        }
    }
}

/// Why a job is in the state it is in. The words are stable; clients branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its last attempt failed or ran out of time; it waits to be tried again.
    RetryBackoff,
    /// The robot that had it was not heard of in time, or was removed.
    LeaseLost,
    /// The robot that had it started anew without it.
    RobotRestarted,
    /// The robot gave it back before it began.
    Released,
    /// An attempt took longer than `run_seconds`.
    RunTimeout,
    /// No robot took it within `queue_seconds`.
    QueueTimeout,
    /// It was not finished by its deadline.
    Deadline,
    /// The robot reported an error, and the budget is spent.
    ApplicationError,
    /// The robot reported that the work itself is wrong; trying again would not help.
    BusinessError,
    /// It was lost with its robot more than once, the last time with its last attempt.
    Poison,
    /// It was handed out too often without any robot beginning it.
    Undeliverable,
    /// A client asked for it.
    CancelledByClient,
    /// The robot stopped it without being asked.
    CancelledByRobot,
    /// A later job with the same dedup key took its place.
    Replaced,
}

impl Reason {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryBackoff => "retry_backoff",
            Self::LeaseLost => "lease_lost",
            Self::RobotRestarted => "robot_restarted",
            Self::Released => "released",
            Self::RunTimeout => "run_timeout",
            Self::QueueTimeout => "queue_timeout",
            Self::Deadline => "deadline",
            Self::ApplicationError => "application_error",
            Self::BusinessError => "business_error",
            Self::Poison => "poison",
            Self::Undeliverable => "undeliverable",
            Self::CancelledByClient => "cancelled_by_client",
            Self::CancelledByRobot => "cancelled_by_robot",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How long a robot that hears of a cancel has to stop by itself.
pub const CANCEL_GRACE: Duration = Duration::from_secs(30);

/// How often in a row a job may be handed out without any robot beginning it.
pub const UNSTARTED_MAX: u32 = 10;
