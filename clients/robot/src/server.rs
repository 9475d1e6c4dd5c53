//! The calls that a registered robot makes.

use std::time::Duration;

use bytes::Bytes;
use remuda_client::{CallError, Client, Method, segment};
use serde_json::value::RawValue;

use crate::identity::Identity;
use crate::protocol::{Finish, Lease, ReleaseRequest, SessionOpened, SessionRequest, SyncAnswer, SyncRequest};

/// The header that carries an attempt's token where the body is the workflow's.
const LEASE_TOKEN: &str = "x-lease-token";

/// The server, as this robot speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    client: Client,
    robot: String,
}

impl Server {
    pub(crate) fn new(url: &str, identity: &Identity) -> Result<Server, CallError> {
        let client = Client::new(url, Some(&identity.key))?;
        Ok(Server {
            client,
            robot: format!("/v1/robots/{}", segment(&identity.robot_id)),
        })
    }

    pub(crate) async fn open_session(&self, holding: Vec<Lease>) -> Result<SessionOpened, CallError> {
        self.client
            .post(&format!("{}/session", self.robot), &SessionRequest { holding })
            .await
    }

    pub(crate) async fn sync(&self, sync: &SyncRequest, timeout: Duration) -> Result<SyncAnswer, CallError> {
        let path = format!("{}/sync", self.robot);
        self.client
            .request(Method::POST, &path)
            .json(sync)
            .timeout(timeout)
            .send()
            .await
    }

    pub(crate) async fn finish(&self, lease: &Lease, finish: &Finish) -> Result<(), CallError> {
        self.client
            .post(&attempt(lease, "finish"), finish)
            .await
            .map(|_: serde::de::IgnoredAny| ())
    }

    pub(crate) async fn release(&self, lease: &Lease) -> Result<(), CallError> {
        let body = ReleaseRequest {
            lease_token: lease.lease_token.clone(),
        };
        self.client
            .post(&attempt(lease, "release"), &body)
            .await
            .map(|_: serde::de::IgnoredAny| ())
    }

    pub(crate) async fn put_log(&self, lease: &Lease, seq: u64, chunk: Bytes) -> Result<(), CallError> {
        self.put(lease, &format!("log/{seq}"), "text/plain", chunk).await
    }

    pub(crate) async fn put_checkpoint(&self, lease: &Lease, name: &str, value: &RawValue) -> Result<(), CallError> {
        let body = Bytes::copy_from_slice(value.get().as_bytes());
        self.put(
            lease,
            &format!("checkpoints/{}", segment(name)),
            "application/json",
            body,
        )
        .await
    }

    async fn put(&self, lease: &Lease, rest: &str, content_type: &str, body: Bytes) -> Result<(), CallError> {
        let call = self
            .client
            .request(Method::PUT, &attempt(lease, rest))
            .header(LEASE_TOKEN, &lease.lease_token);
        call.bytes(content_type, body)
            .send()
            .await
            .map(|_: serde::de::IgnoredAny| ())
    }
}

fn attempt(lease: &Lease, rest: &str) -> String {
    format!(
        "/v1/jobs/{}/attempts/{}/{rest}",
        segment(&lease.key.job_id),
        lease.key.attempt
    )
}

/// Whether the server has considered the call and refused it, so that the same call would be refused again.
///
/// All else may be answered otherwise later: no answer, a server in trouble, a proxy's page.
pub(crate) fn is_final(error: &CallError) -> bool {
    const LATER: [u16; 3] = [408, 425, 429];
    match error {
        CallError::Refused(problem) => (400..500).contains(&problem.status) && !LATER.contains(&problem.status),
        CallError::BadAddress { .. } | CallError::BadKey | CallError::BadRequest { .. } | CallError::Setup { .. } => {
            true
        }
        _ => false,
    }
}

/// Whether the server does not take this robot's key: unknown, revoked, or another robot's.
pub(crate) fn is_key_refused(error: &CallError) -> bool {
    matches!(error, CallError::Refused(problem) if matches!(problem.status, 401 | 403))
}
