//! The shapes of requests and answers, for the `OpenAPI` document. The forms read the same fields.

use std::collections::BTreeMap;

use app::openapi;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

/// A robot that introduces itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "desk-7", "queues": ["default"], "capabilities": ["browser"], "environment": null, "max_jobs": 1,
    "version": "1.4.0", "labels": {}
}))]
pub struct RegisterRobot {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub name: String,
    /// The queues it serves; `default` alone unless it is said otherwise.
    #[schema(min_items = 1, max_items = 20, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub queues: Option<Vec<String>>,
    /// What it can do.
    #[schema(
        max_items = 100,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub capabilities: Option<Vec<String>>,
    /// The environment it stands in.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub environment: Option<String>,
    /// How many jobs it may hold at once.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    pub max_jobs: Option<u32>,
    /// The version of its software.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub version: Option<String>,
    /// Names and values of your own, at most 20.
    #[schema(schema_with = openapi::labels)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// A robot that was registered.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredRobot {
    /// Its id.
    #[schema(example = "rob_4f1c")]
    pub robot_id: String,
    /// Its key, shown this once.
    #[schema(example = "rk_…")]
    pub key: String,
    /// How it is to behave until it is told otherwise.
    pub settings: RobotSettings,
}

/// How a robot is to behave until a sync tells it otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct RobotSettings {
    /// How long a lease is, unless the queue says otherwise.
    pub lease_seconds: u32,
    /// How long to wait between syncs at most while there is work.
    pub busy_sync_seconds: u64,
    /// How long to wait between syncs while there is none.
    pub idle_sync_seconds: u64,
}

/// What a robot has when it starts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The jobs it still works on. It loses all others at once.
    #[schema(max_items = 200)]
    pub holding: Option<Vec<HeldJob>>,
}

/// A job that a robot works on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldJob {
    /// The job.
    #[schema(format = "uuid")]
    pub job_id: String,
    /// The attempt.
    #[schema(format = "int64", minimum = 0, maximum = 4_294_967_295.0)]
    pub attempt: u32,
    /// What it was given with it.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub lease_token: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionOpened {
    /// To be sent with each sync.
    pub epoch: u64,
}

/// What a robot says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "epoch": 7, "seq": 41, "state": "busy", "free_slots": 0,
    "running": [{ "job_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1, "lease_token": "lt_…",
        "progress": { "percent": 40, "message": "page 3" } }]
}))]
pub struct SyncRequest {
    /// Its session.
    pub epoch: u64,
    /// Rises with each sync of a session; the same again gets the same jobs again.
    pub seq: u64,
    /// `idle`, `busy` or `draining`.
    #[schema(pattern = "^(idle|busy|draining)$")]
    pub state: String,
    /// How many more jobs it could take.
    #[schema(minimum = 0, maximum = 1_000)]
    pub free_slots: u32,
    /// What it works on; a job that is not listed is not renewed.
    #[schema(max_items = 200)]
    pub running: Option<Vec<RunningJob>>,
}

/// A job that a robot works on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunningJob {
    /// The job.
    #[schema(format = "uuid")]
    pub job_id: String,
    /// The attempt.
    #[schema(format = "int64", minimum = 0, maximum = 4_294_967_295.0)]
    pub attempt: u32,
    /// What it was given with it.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub lease_token: String,
    /// How far it is.
    pub progress: Option<ReportedProgress>,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedProgress {
    /// 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: Option<u8>,
    /// In words.
    #[schema(max_length = 1_000)]
    pub message: Option<String>,
}

/// What a robot is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct SyncResponse {
    /// The server's time.
    #[schema(format = "date-time")]
    pub server_time: String,
    /// When to sync next.
    pub next_sync_ms: u64,
    /// What became of each listed job, in their order.
    pub leases: Vec<LeaseReport>,
    /// The jobs it is given. It starts one when the next sync, which lists it, was answered `renewed`.
    pub assign: Vec<AssignedJob>,
    /// What else it is to do: `drain`, `rotate_key`.
    pub directives: Vec<&'static str>,
}

/// What became of a lease.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaseReport {
    /// The job.
    pub job_id: String,
    /// The attempt.
    pub attempt: u32,
    /// `renewed`; `lost`: stop at once; `cancel`: stop within the grace and finish with `cancelled`.
    #[schema(example = "renewed")]
    pub status: &'static str,
    /// How long the lease is from now on; `null` when it is lost.
    pub ttl_ms: Option<u64>,
    /// How long it has to stop; `null` unless it is to.
    pub grace_ms: Option<u64>,
}

/// A job that a robot is given.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssignedJob {
    /// The job.
    pub job_id: String,
    /// The attempt.
    pub attempt: u32,
    /// What to show with each report.
    pub lease_token: String,
    /// How long the lease is from now on.
    pub lease_ttl_ms: u64,
    /// What to run.
    pub workflow: String,
    /// Which version of it.
    pub workflow_version: Option<String>,
    /// What to run it with.
    #[schema(value_type = Option<Value>)]
    pub payload: Option<Box<RawValue>>,
    /// How long the attempt may run.
    pub run_timeout_seconds: u32,
    /// The client's own names and values.
    pub labels: BTreeMap<String, String>,
    /// What earlier attempts kept, by name.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub checkpoints: BTreeMap<String, Box<RawValue>>,
    /// The W3C trace context that came with the job.
    pub traceparent: Option<String>,
}

/// The end of an attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "lease_token": "lt_…", "outcome": "succeeded", "result": { "pages": 3 } }))]
pub struct FinishReport {
    /// What it was given with the attempt.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub lease_token: String,
    /// `succeeded`, `failed` or `cancelled`.
    #[schema(pattern = "^(succeeded|failed|cancelled)$")]
    pub outcome: String,
    /// What came of it: any JSON, at most 256 KiB as compact JSON.
    pub result: Option<Value>,
    /// Why it failed; only with `failed`.
    pub error: Option<ReportedError>,
    /// When to try again, in place of the backoff; only with `failed`.
    #[schema(format = "int64", minimum = 0, maximum = 4_294_967_295.0)]
    pub retry_after_seconds: Option<u32>,
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedError {
    /// `application`: trying again can help. `business`: it cannot.
    #[schema(pattern = "^(application|business)$")]
    pub kind: String,
    /// For programs.
    #[schema(max_length = 200)]
    pub code: Option<String>,
    /// For people.
    #[schema(max_length = 4_000)]
    pub message: String,
}

/// What became of the job.
#[derive(Debug, Serialize, ToSchema)]
pub struct FinishAnswer {
    /// Its state right after the report.
    #[schema(example = "succeeded")]
    pub state: &'static str,
}

/// A job that is given back unstarted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseJob {
    /// What it was given with the attempt.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub lease_token: String,
}
