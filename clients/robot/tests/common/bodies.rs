//! What the server is told: exactly the contract's fields. One that is not known fails the call, as the real server does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked")]
pub struct Registration {
    pub name: String,
    pub queues: Vec<String>,
    pub capabilities: Vec<String>,
    pub environment: Option<String>,
    pub max_jobs: u32,
    pub version: String,
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub holding: Vec<Lease>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the contract's names")]
pub struct Lease {
    pub job_id: String,
    pub attempt: u32,
    pub lease_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    pub epoch: u64,
    pub seq: u64,
    pub state: RobotState,
    pub free_slots: usize,
    pub running: Vec<Running>,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RobotState {
    Idle,
    Busy,
    Draining,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    pub job_id: String,
    pub attempt: u32,
    pub lease_token: String,
    pub progress: Option<Progress>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    pub percent: u8,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked")]
pub struct Finish {
    pub lease_token: String,
    pub outcome: Outcome,
    pub result: Option<Value>,
    pub error: Option<Error>,
    pub retry_after_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked")]
pub struct Error {
    pub kind: ErrorKind,
    pub code: Option<String>,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    Application,
    Business,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub lease_token: String,
}
