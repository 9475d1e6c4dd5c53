//! A robot.

use std::collections::BTreeMap;

use domain::{Robot, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::moment;
use crate::metrics::robot_state;

/// A robot.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Robot)]
pub struct RobotView {
    /// Its id.
    #[schema(example = "rob_4f1c")]
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// `idle`, `busy`, `draining` or `offline` (silent for two minutes).
    #[schema(example = "idle")]
    pub state: &'static str,
    /// Whether an operator wants it to take nothing new.
    pub drain: bool,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The environment it stands in.
    pub environment: Option<String>,
    /// How many jobs it may hold at once.
    pub max_jobs: u32,
    /// The version of its software.
    pub version: Option<String>,
    /// The owner's own names and values.
    pub labels: BTreeMap<String, String>,
    /// The jobs it holds.
    pub jobs: Vec<HoldView>,
    /// When it was registered.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it was last heard of.
    #[schema(format = "date-time")]
    pub last_seen_at: Option<String>,
    /// When it is expected to be heard of next.
    #[schema(format = "date-time")]
    pub next_sync_at: Option<String>,
}

/// A job that a robot holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RobotJob)]
pub struct HoldView {
    /// The job.
    pub job_id: String,
    /// Which attempt of it.
    pub attempt: u32,
}

impl RobotView {
    /// `robot` as people see it at `now`.
    pub fn of(robot: Robot, now: Timestamp) -> Self {
        Self {
            state: robot_state(robot.state(now)),
            id: robot.id.into(),
            tenant: robot.tenant.into(),
            name: robot.name,
            drain: robot.drain,
            queues: robot.queues.into_iter().map(String::from).collect(),
            capabilities: robot.capabilities.into_iter().map(String::from).collect(),
            environment: robot.environment.map(String::from),
            max_jobs: robot.max_jobs,
            version: robot.version,
            labels: robot
                .labels
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
            jobs: robot
                .holds
                .into_iter()
                .map(|hold| HoldView {
                    job_id: hold.job.to_text(),
                    attempt: hold.attempt,
                })
                .collect(),
            created_at: moment(robot.created_at),
            last_seen_at: robot.seen_at.map(moment),
            next_sync_at: robot.next_sync_at.map(moment),
        }
    }
}
