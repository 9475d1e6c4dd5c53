//! A job.

use std::collections::BTreeMap;

use domain::{
    Job,
    job::{ErrorKind, OnConflict, OnLost, State, StateName},
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{moment, raw};
use crate::problem::Problem;

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id, a UUID.
    #[schema(format = "uuid")]
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What the robot is to run.
    #[schema(example = "invoice-export")]
    pub workflow: String,
    /// Which version of it.
    pub workflow_version: Option<String>,
    /// What the robot is given, any JSON.
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// Where it waits.
    pub queue: String,
    /// 0 to 20; 20 goes first.
    pub priority: u8,
    /// When it was to become ready, if not at once.
    #[schema(format = "date-time")]
    pub run_at: Option<String>,
    /// Not finished by then, it is given up.
    #[schema(format = "date-time")]
    pub deadline: Option<String>,
    /// How long it may wait and run.
    pub timeouts: TimeoutsView,
    /// How often and when it is tried again.
    pub retry: RetryView,
    /// What a robot must have.
    pub requires: RequiresView,
    /// What a robot had better have.
    pub prefers: PrefersView,
    /// `retry` or `fail`: what becomes of it when its robot is lost.
    pub on_lost: &'static str,
    /// Its dedup key.
    pub dedup: Option<DedupView>,
    /// The client's own names and values.
    pub labels: BTreeMap<String, String>,
    /// `scheduled`, `ready`, `leased`, `running`, `succeeded`, `failed`, `timed_out` or `cancelled`.
    #[schema(example = "ready")]
    pub state: &'static str,
    /// Why it is in that state, in one stable word.
    pub reason: Option<&'static str>,
    /// The number of the latest attempt; 0 before the first.
    pub attempt: u32,
    /// How many more attempts may start.
    pub attempts_left: u32,
    /// The robot that has it, or had it last.
    pub robot: Option<String>,
    /// How far the robot is.
    pub progress: Option<ProgressView>,
    /// What the robot made of it, any JSON.
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Box<RawValue>>,
    /// The last error that a robot reported.
    pub error: Option<ErrorView>,
    /// When it was submitted.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it last became ready.
    #[schema(format = "date-time")]
    pub ready_at: Option<String>,
    /// When it was last handed to a robot.
    #[schema(format = "date-time")]
    pub leased_at: Option<String>,
    /// When the latest attempt began.
    #[schema(format = "date-time")]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = "date-time")]
    pub finished_at: Option<String>,
    /// When a client first asked to cancel it.
    #[schema(format = "date-time")]
    pub cancel_requested_at: Option<String>,
    /// The job that this one tries again.
    pub retry_of: Option<String>,
    /// How often it was written.
    pub version: u64,
}

/// How long a job may wait and run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobTimeouts)]
pub struct TimeoutsView {
    /// Seconds from `ready_at`; `null` waits for ever.
    pub queue_seconds: Option<u32>,
    /// Seconds from `started_at`.
    pub run_seconds: u32,
}

/// How often and when a job is tried again.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobRetry)]
pub struct RetryView {
    /// How many attempts may start.
    pub max_attempts: u32,
    /// Seconds before the second attempt.
    pub initial_seconds: u32,
    /// The longest wait in seconds.
    pub max_seconds: u32,
    /// What each wait is of the one before.
    pub multiplier: f64,
    /// How far a wait may stray, as a share of it.
    pub jitter: f64,
}

/// What a robot must have.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobRequires)]
pub struct RequiresView {
    /// All of these.
    pub capabilities: Vec<String>,
    /// This environment.
    pub environment: Option<String>,
    /// This one robot.
    pub robot: Option<String>,
}

/// What a robot had better have.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobPrefers)]
pub struct PrefersView {
    /// The more of these the better.
    pub capabilities: Vec<String>,
    /// This robot before all others.
    pub robot: Option<String>,
}

/// A job's dedup key.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobDedup)]
pub struct DedupView {
    /// The key.
    pub key: String,
    /// `return`, `reject` or `replace`.
    pub on_conflict: &'static str,
}

/// How far a robot is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub struct ProgressView {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// In words.
    pub message: Option<String>,
}

/// Why an attempt failed, in the robot's words.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobError)]
pub struct ErrorView {
    /// `application` or `business`.
    pub kind: &'static str,
    /// For programs.
    pub code: Option<String>,
    /// For people.
    pub message: String,
}

impl JobView {
    /// `view` as clients see it.
    pub fn of(view: queue::JobView) -> Result<Self, Problem> {
        let queue::JobView {
            job,
            version,
            payload,
            result,
        } = view;
        let hold = job.state.last_hold();
        let spec = &job.spec;
        Ok(Self {
            payload: raw(payload)?,
            result: raw(result)?,
            id: job.id.to_text(),
            tenant: job.tenant.to_string(),
            workflow: spec.workflow.to_string(),
            workflow_version: spec.workflow_version.as_ref().map(ToString::to_string),
            queue: spec.queue.to_string(),
            priority: spec.priority.level(),
            run_at: job.run_at.map(moment),
            deadline: spec.deadline.map(moment),
            timeouts: TimeoutsView {
                queue_seconds: spec.timeouts.queue_seconds,
                run_seconds: spec.timeouts.run_seconds,
            },
            retry: RetryView {
                max_attempts: spec.retry.max_attempts,
                initial_seconds: spec.retry.initial_seconds,
                max_seconds: spec.retry.max_seconds,
                multiplier: spec.retry.multiplier,
                jitter: spec.retry.jitter,
            },
            requires: RequiresView {
                capabilities: texts(&spec.requires.capabilities),
                environment: spec.requires.environment.as_ref().map(ToString::to_string),
                robot: spec.requires.robot.as_ref().map(ToString::to_string),
            },
            prefers: PrefersView {
                capabilities: texts(&spec.prefers.capabilities),
                robot: spec.prefers.robot.as_ref().map(ToString::to_string),
            },
            on_lost: match spec.on_lost {
                OnLost::Retry => "retry",
                OnLost::Fail => "fail",
            },
            dedup: spec.dedup.as_ref().map(|dedup| DedupView {
                key: dedup.key.clone(),
                on_conflict: match dedup.on_conflict {
                    OnConflict::Return => "return",
                    OnConflict::Reject => "reject",
                    OnConflict::Replace => "replace",
                },
            }),
            labels: spec
                .labels
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            state: job.state.name().as_str(),
            reason: job.reason.map(domain::job::Reason::as_str),
            attempt: job.attempts.given,
            attempts_left: job.attempts_left(),
            robot: hold.map(|hold| hold.robot.to_string()),
            progress: job.progress.as_ref().map(|progress| ProgressView {
                percent: progress.percent,
                message: progress.message.clone(),
            }),
            error: job.error.as_ref().map(|error| ErrorView {
                kind: match error.kind {
                    ErrorKind::Application => "application",
                    ErrorKind::Business => "business",
                },
                code: error.code.clone(),
                message: error.message.clone(),
            }),
            created_at: moment(job.created_at),
            ready_at: ready_at(&job).map(moment),
            leased_at: hold.map(|hold| moment(hold.leased_at)),
            started_at: hold.and_then(|hold| hold.started_at).map(moment),
            finished_at: match &job.state {
                State::Ended { at, .. } => Some(moment(*at)),
                _ => None,
            },
            cancel_requested_at: job.cancel_requested_at.map(moment),
            retry_of: spec.retry_of.map(domain::JobId::to_text),
            version,
        })
    }
}

/// When it last became ready. The record keeps more transitions than lie between two of these.
fn ready_at(job: &Job) -> Option<domain::Timestamp> {
    let last = job.history.iter().rev().find(|step| step.to == StateName::Ready);
    last.map(|step| step.at)
}

fn texts<'a, T: ToString + 'a>(values: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    values.into_iter().map(ToString::to_string).collect()
}
