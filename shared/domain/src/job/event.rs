//! What can happen to a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{Fence, StateName};
use crate::{
    names::{KeyId, LeaseToken, RobotId},
    retry::Chance,
};

/// Something that happened, or is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time went by: whatever is due by now happens.
    Tick {
        /// Where a backoff lies within its jitter.
        chance: Chance,
    },
    /// The job is handed to a robot.
    Claim {
        /// To whom.
        robot: RobotId,
        /// The new lease's token, never used before.
        token: LeaseToken,
        /// How long the lease is.
        lease: Duration,
    },
    /// The robot is given the job's content only now; its lease begins anew.
    HandOver {
        /// Whose lease.
        fence: Fence,
        /// How long the lease is.
        lease: Duration,
    },
    /// The robot says that it works on the job.
    Renew {
        /// Whose lease.
        fence: Fence,
        /// How long the lease is.
        lease: Duration,
        /// How far it is, if it says.
        progress: Option<Progress>,
    },
    /// The robot reports the end of an attempt.
    Finish {
        /// The attempt it speaks for.
        fence: Fence,
        /// What it reports.
        report: Report,
        /// Where a backoff lies within its jitter.
        chance: Chance,
    },
    /// The robot gives back a job that it has not begun.
    Release {
        /// Whose lease.
        fence: Fence,
    },
    /// The robot that has the job is gone for good or started anew without it.
    Lose {
        /// Whose lease.
        fence: Fence,
        /// How it came.
        loss: Loss,
        /// Who brought it about.
        by: Actor,
    },
    /// A client does not want it any more.
    Cancel {
        /// Who asks.
        by: Actor,
        /// What they say.
        note: Option<String>,
    },
    /// A later job with the same dedup key takes its place.
    Replace {
        /// Who submits that one.
        by: Actor,
    },
    /// Somebody deals with a dead letter.
    Settle {
        /// How.
        as_: Settlement,
        /// What they say.
        note: Option<String>,
    },
}

/// How far the robot is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a robot reports at the end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it went.
    pub outcome: Outcome,
    /// The digest of the whole report: the same report gives the same.
    pub digest: String,
    /// The result's name beside the job, if there is one.
    pub result: Option<String>,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not.
    Failed {
        /// Why.
        error: JobError,
        /// When the robot would like to be asked again, in seconds.
        retry_after_seconds: Option<u32>,
    },
    /// The robot stopped it.
    Cancelled,
}

/// Why an attempt failed, in the robot's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Whether trying again can help.
    pub kind: ErrorKind,
    /// For programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For people.
    pub message: String,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It can: something broke.
    Application,
    /// It cannot: the work itself is wrong.
    Business,
}

/// How a robot came to be without a job it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It opened a new session and did not list the job.
    Restarted,
    /// It was removed.
    Removed,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A client or an operator, by the key they used.
    Key(KeyId),
    /// A robot.
    Robot(RobotId),
    /// The matching of jobs with robots.
    Dispatch,
    /// The clock.
    Sweep,
}

impl From<Actor> for String {
    fn from(actor: Actor) -> String {
        match actor {
            Actor::Key(key) => key.into(),
            Actor::Robot(robot) => robot.into(),
            Actor::Dispatch => "dispatch".to_owned(),
            Actor::Sweep => "sweep".to_owned(),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = crate::names::BadName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "dispatch" => Ok(Self::Dispatch),
            "sweep" => Ok(Self::Sweep),
            robot if robot.starts_with("rob_") => RobotId::try_from(text).map(Self::Robot),
            _ => KeyId::try_from(text).map(Self::Key),
        }
    }
}

/// What was done about a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It is tried again as a new job.
    Requeued,
    /// Nobody needs it.
    Discarded,
    /// It was put right elsewhere.
    Resolved,
}

/// Why an event changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The fence is not that of the latest hold, or the job ended without it.
    #[error("the lease is lost")]
    LeaseLost,
    /// The attempt was finished before, with another outcome or result.
    #[error("the attempt was finished with another outcome")]
    OutcomeConflict,
    /// It was done before; the answer is the same as then.
    #[error("done before")]
    Repeated(StateName),
    /// What was asked for is only for jobs that have not been started.
    #[error("the job was already started")]
    AlreadyStarted,
    /// The job is over.
    #[error("the job is finished")]
    Finished,
    /// It is not ready to be handed out.
    #[error("the job is not ready")]
    NotReady,
    /// Nothing is due yet.
    #[error("nothing is due")]
    NothingDue,
    /// It did not fail, or somebody has dealt with it.
    #[error("the job is no dead letter")]
    NoDeadLetter,
}
