//! The shapes of requests and answers, for the `OpenAPI` document. The forms read the same fields.

use std::collections::BTreeMap;

use app::health::StoreHealth;
use serde::Serialize;
use utoipa::ToSchema;

use crate::filter;

/// Why a job is cancelled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelJob {
    /// For whoever asks later.
    #[schema(max_length = 1_000)]
    pub reason: Option<String>,
}

/// What was done about a dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// For whoever asks later.
    #[schema(max_length = 1_000)]
    pub note: Option<String>,
}

/// An object without fields, or no body at all.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Jobs to be changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "filter": { "queue": "default", "state": "ready", "label.team": "finance" }, "dry_run": true }))]
pub struct BulkChange {
    /// Which jobs: `state`, `queue`, `workflow`, `robot` and `label.NAME`, as in the list. At least one of them.
    #[schema(schema_with = filter::schema)]
    pub filter: BTreeMap<String, String>,
    /// Only count.
    #[schema(default = false)]
    pub dry_run: Option<bool>,
}

/// How many jobs were changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkChanged {
    /// How many met the filter.
    pub matched: u64,
    /// How many of them were changed; 0 in a dry run.
    pub changed: u64,
}

/// A queue's settings; what is left out stays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "paused": true }))]
pub struct SetQueue {
    /// Whether none of its jobs is handed out.
    pub paused: Option<bool>,
    /// How a robot is chosen among those that fit.
    #[schema(pattern = "^(least_loaded|round_robin|random|affinity)$")]
    pub strategy: Option<String>,
    /// How long a lease of its jobs is.
    #[schema(minimum = 10, maximum = 3_600)]
    pub lease_seconds: Option<u32>,
}

/// A key to be made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "ci", "scopes": ["jobs:read", "jobs:write"] }))]
pub struct CreateKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub name: String,
    /// What it lets its holder do. Write does not include read; `admin` includes all.
    #[schema(
        min_items = 1,
        max_items = 7,
        pattern = "^(jobs:read|jobs:write|robots:register|robots:read|robots:write|queues:write|admin)$"
    )]
    pub scopes: Vec<String>,
    /// From when on it is refused. In the future.
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
}

/// Every transition of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Oldest first.
    pub items: Vec<Step>,
}

/// A transition of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// Counts from 1, without a gap.
    pub seq: u32,
    /// When.
    #[schema(format = "date-time")]
    pub at: String,
    /// From which state; `null` for the first.
    pub from: Option<&'static str>,
    /// To which state.
    pub to: &'static str,
    /// The number of the latest attempt, 0 before the first.
    pub attempt: u32,
    /// Who brought it about: a key's or robot's id, `dispatch` or `sweep`.
    pub actor: String,
    /// Why the job is in the new state.
    pub reason: Option<&'static str>,
}

/// Why a job is where it is, computed now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// Its state.
    pub state: &'static str,
    /// What holds it back, the weightiest first.
    pub reasons: Vec<Obstacle>,
    /// The robots that lack least for it.
    pub nearest_robots: Vec<NearestRobot>,
}

/// What holds a job back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Obstacle {
    /// `not_before`, `queue_paused`, `no_robot_online`, `no_capable_robot`, `all_robots_busy`, `waiting_for_robot`,
    /// `running` or `finished`.
    #[schema(value_type = String, example = "no_capable_robot")]
    pub code: domain::explain::ObstacleCode,
    /// For people.
    pub message: String,
    /// Until when, where that is known.
    #[schema(format = "date-time")]
    pub until: Option<String>,
    /// The robot it is about.
    pub robot: Option<String>,
    /// What no robot has, like `capability:browser`.
    pub missing: Vec<String>,
}

/// A robot and what it lacks for a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearestRobot {
    /// The robot.
    pub id: String,
    /// Like `capability:browser`, `environment:prod`, `queue:slow` or `online`; empty when it could run the job.
    pub missing: Vec<String>,
}

/// What a tenant has now.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatsAnswer {
    /// The store.
    pub store: StoreHealth,
    /// The queues, by name.
    pub queues: Vec<QueueCounts>,
    /// Robots by state.
    pub robots: RobotCounts,
}

/// Unfinished jobs of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueCounts {
    /// Its name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that a robot could take.
    pub ready: u64,
    /// Jobs that were handed to a robot that has not begun.
    pub leased: u64,
    /// Jobs that robots work on.
    pub running: u64,
    /// For how long the oldest ready job has been waiting.
    pub oldest_ready_seconds: Option<u64>,
}

/// Robots by state.
#[derive(Debug, Serialize, ToSchema)]
pub struct RobotCounts {
    /// Could take a job.
    pub idle: u64,
    /// Hold jobs.
    pub busy: u64,
    /// Take nothing new.
    pub draining: u64,
    /// Silent for two minutes.
    pub offline: u64,
}
