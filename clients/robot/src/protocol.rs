//! What robot and server say to each other, field by field as the HTTP contract has it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The body of `POST /v1/robots`: who a robot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) queues: Vec<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) environment: Option<String>,
    pub(crate) max_jobs: u32,
    pub(crate) version: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The answer to a registration; the key is shown this once.
#[derive(Deserialize)]
pub(crate) struct Registered {
    pub(crate) robot_id: String,
    pub(crate) key: String,
}

/// One attempt at one job: what a robot works on and reports about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct JobKey {
    pub(crate) job_id: String,
    pub(crate) attempt: u32,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", self.job_id, self.attempt)
    }
}

/// An attempt with the token that proves that it is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    #[serde(flatten)]
    pub(crate) key: JobKey,
    pub(crate) lease_token: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct SessionRequest {
    pub(crate) holding: Vec<Lease>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SessionOpened {
    pub(crate) epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RobotState {
    Idle,
    Busy,
    Draining,
}

#[derive(Debug, Serialize)]
pub(crate) struct SyncRequest {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) state: RobotState,
    pub(crate) free_slots: u32,
    pub(crate) running: Vec<RunningJob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RunningJob {
    #[serde(flatten)]
    pub(crate) lease: Lease,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<Progress>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    pub(crate) percent: u8,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SyncAnswer {
    pub(crate) next_sync_ms: u64,
    #[serde(default)]
    pub(crate) leases: Vec<LeaseAnswer>,
    #[serde(default)]
    pub(crate) assign: Vec<Assignment>,
    #[serde(default)]
    pub(crate) directives: Vec<Directive>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LeaseAnswer {
    #[serde(flatten)]
    pub(crate) key: JobKey,
    pub(crate) status: LeaseStatus,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) grace_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaseStatus {
    Renewed,
    Lost,
    Cancel,
    /// A word of a newer server; it counts as not renewed.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Directive {
    Drain,
    RotateKey,
    /// A word of a newer server; there is nothing to do about it.
    #[serde(other)]
    Unknown,
}

/// A job handed to this robot. The JSON in it is kept as it came: no number loses digits on its way to the workflow.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) job_id: String,
    pub(crate) attempt: u32,
    pub(crate) lease_token: String,
    pub(crate) lease_ttl_ms: u64,
    pub(crate) workflow: String,
    #[serde(default)]
    pub(crate) workflow_version: Option<String>,
    pub(crate) payload: Box<RawValue>,
    #[serde(default)]
    pub(crate) run_timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) checkpoints: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
}

impl Assignment {
    pub(crate) fn key(&self) -> JobKey {
        JobKey {
            job_id: self.job_id.clone(),
            attempt: self.attempt,
        }
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease {
            key: self.key(),
            lease_token: self.lease_token.clone(),
        }
    }
}

/// The body of `POST …/finish`: how an attempt ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finish {
    pub(crate) lease_token: String,
    pub(crate) outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<JobError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_seconds: Option<u32>,
}

impl Finish {
    pub(crate) fn succeeded(lease_token: &str, result: Option<Box<RawValue>>) -> Finish {
        Finish {
            result,
            ..Finish::bare(lease_token, Outcome::Succeeded)
        }
    }

    pub(crate) fn failed(lease_token: &str, error: JobError) -> Finish {
        Finish {
            error: Some(error),
            ..Finish::bare(lease_token, Outcome::Failed)
        }
    }

    pub(crate) fn cancelled(lease_token: &str) -> Finish {
        Finish::bare(lease_token, Outcome::Cancelled)
    }

    fn bare(lease_token: &str, outcome: Outcome) -> Finish {
        Finish {
            lease_token: lease_token.to_owned(),
            outcome,
            result: None,
            error: None,
            retry_after_seconds: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    Cancelled,
}

/// Why a job failed: `business` errors are never tried again, `application` errors by the job's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobError {
    pub(crate) kind: ErrorKind,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ErrorKind {
    Application,
    Business,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReleaseRequest {
    pub(crate) lease_token: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sync_has_the_contracts_fields_and_no_others() {
        let key = JobKey {
            job_id: "j".to_owned(),
            attempt: 2,
        };
        let lease = Lease {
            key,
            lease_token: "t".to_owned(),
        };
        let progress = Some(Progress {
            percent: 40,
            message: "page 3".to_owned(),
        });
        let running = vec![
            RunningJob {
                lease: lease.clone(),
                progress,
            },
            RunningJob { lease, progress: None },
        ];
        let sync = SyncRequest {
            epoch: 7,
            seq: 41,
            state: RobotState::Busy,
            free_slots: 1,
            running,
        };
        let expected = json!({ "epoch": 7, "seq": 41, "state": "busy", "free_slots": 1, "running": [
            { "job_id": "j", "attempt": 2, "lease_token": "t", "progress": { "percent": 40, "message": "page 3" } },
            { "job_id": "j", "attempt": 2, "lease_token": "t" } ] });
        assert_eq!(serde_json::to_value(sync).unwrap(), expected);
    }

    #[test]
    fn a_finish_leaves_out_what_does_not_apply() {
        assert_eq!(
            serde_json::to_value(Finish::cancelled("t")).unwrap(),
            json!({ "lease_token": "t", "outcome": "cancelled" })
        );
        let error = JobError {
            kind: ErrorKind::Business,
            code: "NO_IBAN".to_owned(),
            message: "no IBAN".to_owned(),
        };
        assert_eq!(
            serde_json::to_value(Finish::failed("t", error)).unwrap(),
            json!({ "lease_token": "t", "outcome": "failed",
                    "error": { "kind": "business", "code": "NO_IBAN", "message": "no IBAN" } })
        );
    }

    #[test]
    fn an_answer_with_words_and_fields_of_a_newer_server_is_read() {
        let answer: SyncAnswer = serde_json::from_str(
            r#"{ "server_time": "2026-11-21T12:00:00.000Z", "next_sync_ms": 5000, "directives": ["drain", "dance"],
                 "leases": [{ "job_id": "j", "attempt": 1, "status": "paused", "ttl_ms": null, "grace_ms": null }],
                 "assign": [{ "job_id": "k", "attempt": 1, "lease_token": "t", "lease_ttl_ms": 60000, "workflow": "w",
                   "workflow_version": null, "payload": 123456789012345678901234567890.5, "run_timeout_seconds": 3600,
                   "labels": {}, "checkpoints": { "page": {"n": 3} }, "traceparent": null, "mood": "good" }] }"#,
        )
        .unwrap();
        assert_eq!(answer.directives, [Directive::Drain, Directive::Unknown]);
        assert_eq!(answer.leases[0].status, LeaseStatus::Unknown);
        assert_eq!(answer.assign[0].payload.get(), "123456789012345678901234567890.5");
    }
}
