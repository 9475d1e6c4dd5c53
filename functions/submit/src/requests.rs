//! The shapes of requests and answers, for the `OpenAPI` document. `submission` reads the same fields.

use std::collections::BTreeMap;

use app::openapi;
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, SchemaType, Type},
    },
};

/// A job to be run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "workflow": "invoice-export", "payload": { "month": "2026-10" }, "queue": "default", "priority": 5,
    "retry": { "max_attempts": 3 }, "requires": { "capabilities": ["browser"] }, "labels": { "team": "finance" }
}))]
pub struct SubmitJob {
    /// What the robot is to run: 1 to 200 characters, none of them control characters.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub workflow: String,
    /// Which version of it: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub workflow_version: Option<String>,
    /// What the robot is given: any JSON, at most 256 KiB as compact JSON.
    pub payload: Option<Value>,
    /// Where it waits. A queue comes into being with its first job.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", default = "default")]
    pub queue: Option<String>,
    /// 20 goes first.
    #[schema(minimum = 0, maximum = 20, default = 5)]
    pub priority: Option<u8>,
    /// How long from now on it is to wait, at most a year. Not with `run_at`.
    #[schema(minimum = 0, maximum = 31_622_400)]
    pub delay_seconds: Option<u32>,
    /// When it is to become ready, at most a year ahead; in the past means now. Not with `delay_seconds`.
    #[schema(format = "date-time")]
    pub run_at: Option<String>,
    /// Not finished by then, it ends `timed_out`. In the future.
    #[schema(format = "date-time")]
    pub deadline: Option<String>,
    /// How long it may wait and run.
    pub timeouts: Option<TimeoutsRequest>,
    /// How often and when it is tried again.
    pub retry: Option<RetryRequest>,
    /// What a robot must have to get it.
    pub requires: Option<RequiresRequest>,
    /// What makes one fit robot better than another.
    pub prefers: Option<PrefersRequest>,
    /// What becomes of it when the robot that runs it is lost.
    #[schema(pattern = "^(retry|fail)$", default = "retry")]
    pub on_lost: Option<String>,
    /// At most one unfinished job of a queue holds a key.
    pub dedup: Option<DedupRequest>,
    /// Names and values of your own, at most 20: names like queues', values up to 200 characters.
    #[schema(schema_with = openapi::labels)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// How long a job may wait and run, in seconds: 1 to 604,800.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsRequest {
    /// From `ready_at`; absent waits for ever.
    #[schema(minimum = 1, maximum = 604_800)]
    pub queue_seconds: Option<u32>,
    /// From `started_at`.
    #[schema(minimum = 1, maximum = 604_800, default = 3_600)]
    pub run_seconds: Option<u32>,
}

/// How often and when a job is tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// How many attempts may start; 1 never runs it twice.
    #[schema(minimum = 1, maximum = 100, default = 3)]
    pub max_attempts: Option<u32>,
    /// Seconds before the second attempt.
    #[schema(minimum = 0, maximum = 86_400, default = 10)]
    pub initial_seconds: Option<u32>,
    /// The longest wait in seconds.
    #[schema(minimum = 0, maximum = 86_400, default = 3_600)]
    pub max_seconds: Option<u32>,
    /// What each wait is of the one before.
    #[schema(minimum = 1, maximum = 10, default = 2.0)]
    pub multiplier: Option<f64>,
    /// How far a wait may stray, as a share of it.
    #[schema(minimum = 0, maximum = 1, default = 0.2)]
    pub jitter: Option<f64>,
}

/// What a robot must have to get a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiresRequest {
    /// All of these; at most 20, and 512 bytes together.
    #[schema(
        max_items = 20,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub capabilities: Option<Vec<String>>,
    /// This environment.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub environment: Option<String>,
    /// This one robot, by its id.
    #[schema(pattern = "^rob_[A-Za-z0-9]{1,40}$")]
    pub robot: Option<String>,
}

/// What makes one fit robot better than another.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefersRequest {
    /// The more of these the better; at most 20, and 512 bytes together.
    #[schema(
        max_items = 20,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub capabilities: Option<Vec<String>>,
    /// This robot before all others, by its id.
    #[schema(pattern = "^rob_[A-Za-z0-9]{1,40}$")]
    pub robot: Option<String>,
}

/// A key that at most one unfinished job of a queue holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DedupRequest {
    /// The key.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub key: String,
    /// What happens when another unfinished job holds it.
    #[schema(pattern = "^(return|reject|replace)$", default = "return")]
    pub on_conflict: Option<String>,
}

/// Jobs to be run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkSubmit {
    /// The jobs, each of which stands alone.
    #[schema(min_items = 1, max_items = 1_000)]
    pub jobs: Vec<BulkedJob>,
}

/// A job of a bulk.
#[derive(Debug, Serialize)]
pub struct BulkedJob {
    /// The job.
    #[serde(flatten)]
    pub job: SubmitJob,
    /// Like the header `Idempotency-Key` of a single submit.
    pub idempotency_key: Option<String>,
}

impl PartialSchema for BulkedJob {
    /// One object with all fields: two of which each knows only its own would refuse each other's.
    fn schema() -> RefOr<Schema> {
        let key = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Like the header `Idempotency-Key` of a single submit."))
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[ -~]*$"));
        let mut schema = SubmitJob::schema();
        if let RefOr::T(Schema::Object(job)) = &mut schema {
            job.description = Some("A job of a bulk.".to_owned());
            job.properties.insert("idempotency_key".to_owned(), key.into());
        }
        schema
    }
}

impl ToSchema for BulkedJob {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SubmitJob::schemas(schemas);
    }
}

/// What became of each job.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkSubmitted {
    /// In the order of the request.
    pub results: Vec<BulkSubmittedJob>,
}

/// What became of one job.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkSubmittedJob {
    /// Its place in the request, from 0.
    pub index: usize,
    /// The status that a single submit would have been answered with.
    #[schema(example = 201)]
    pub status: u16,
    /// The job; `null` when it was refused.
    pub id: Option<String>,
    /// Why it was refused, a problem document; `null` when it was not.
    pub error: Option<Value>,
}
