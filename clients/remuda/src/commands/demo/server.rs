//! The local server as a process of its own, and keys for it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use remuda_client::Client;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::ChildStdout;

use super::child::{Child, log_file, this_program, told};
use super::folder::Folder;
use super::guard::Guard;
use super::workload::QUEUE;
use crate::answers::{NewKey, Queue};
use crate::failure::Failure;

/// What the server's line begins with that says where it listens.
const LISTENING: &str = "listening on ";

/// What the server's line begins with that shows its first key; it stays out of the log.
const ADMIN_KEY: &str = "admin key: ";

/// How long the server may take to be ready, its migrations included.
const START_MAX: Duration = Duration::from_secs(30);

/// How long a key may take to be made.
const KEY_MAX: Duration = Duration::from_secs(30);

/// How long the server may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);

/// The shortest lease there is: a robot that never returns is noticed in about ten seconds.
const LEASE_SECONDS: u32 = 10;

/// The name that the server's log has.
pub(super) const NAME: &str = "server";

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

/// A tenant of its own: other tenants of the store neither see nor disturb it.
#[derive(Debug)]
pub(super) struct Tenancy {
    pub(super) name: String,
    /// The server, by the admin's key.
    pub(super) admin: Client,
    admin_key: NewKey,
    registration_key: NewKey,
}

impl Server {
    /// Starts a server on this store, on a free port.
    pub(super) async fn start(store: &str, folder: &Folder, guard: &Arc<Guard>) -> Result<Self, Failure> {
        let log = folder.log(NAME);
        let mut command = this_program()?;
        command
            .args(["dev", "--port", "0", "--store", store])
            .stdout(Stdio::piped())
            .stderr(log_file(&log)?);
        let mut child = Child::start(&mut command, guard)?;
        let stdout = child.take_stdout().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        match tokio::time::timeout(START_MAX, address(&mut lines)).await {
            Ok(Some(url)) => {
                tokio::spawn(keep_lines(lines, File::from_std(log_file(&log)?)));
                Ok(Server { child, url })
            }
            Ok(None) => Err(not_started(&log, "it ended")),
            Err(_) => Err(not_started(&log, "it is not ready in time")),
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.child.ended().map(told)
    }

    /// Ends it politely; `false` when it had to be killed or ended badly.
    pub(super) async fn stop(self) -> bool {
        let status = self.child.stop(STOP_MAX).await;
        status.is_some_and(|status| status.success())
    }
}

impl Tenancy {
    /// A new tenant on this store with an admin key, a key to register robots, and a queue with a short lease.
    pub(super) async fn create(store: &str, server: &Server) -> Result<Self, Failure> {
        let name = format!("demo-{:08x}", rand::random::<u32>());
        let admin_key = create_admin_key(store, &name).await?;
        let admin = Client::new(&server.url, Some(&admin_key.key))?;
        let asked = json!({ "name": "the demo's robots", "scopes": ["robots:register"] });
        let registration_key: NewKey = admin.post("/v1/keys", &asked).await?;
        let lease = json!({ "lease_seconds": LEASE_SECONDS });
        let _: Queue = admin.put(&format!("/v1/queues/{QUEUE}"), &lease).await?;
        Ok(Tenancy {
            name,
            admin,
            admin_key,
            registration_key,
        })
    }

    /// The key that registers robots.
    pub(super) fn registration_key(&self) -> &str {
        &self.registration_key.key
    }

    /// Revokes the keys, so that a store that stays does not keep a way in.
    pub(super) async fn close(self) {
        for key in [&self.registration_key, &self.admin_key] {
            // The demo is over either way; the keys are known to nobody else.
            let _ = self.admin.delete(&format!("/v1/keys/{}", key.id)).await;
        }
    }
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(url) = line.strip_prefix(LISTENING) {
            return Some(url.trim().to_owned());
        }
    }
    None
}

/// Reads on to the end, so that the server never waits for a reader.
async fn keep_lines(mut lines: Lines<BufReader<ChildStdout>>, mut log: File) {
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.starts_with(ADMIN_KEY) {
            // A full disk must not stop the reading.
            let _ = log.write_all(format!("{line}\n").as_bytes()).await;
        }
    }
}

/// Makes the first key of a tenant, which also makes the tenant, on the store itself.
async fn create_admin_key(store: &str, tenant: &str) -> Result<NewKey, Failure> {
    let mut command = this_program()?;
    command
        .args(["keys", "create", "--store", store, "--tenant", tenant])
        .args(["--name", "the demo", "--scope", "admin", "--json"]);
    let made = tokio::time::timeout(KEY_MAX, command.output()).await;
    let made = made
        .map_err(|_| Failure::unsuccessful("no key could be made in time"))?
        .map_err(|source| Failure::System {
            task: "run 'remuda keys create'",
            source,
        })?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(Failure::unsuccessful(format!("no key could be made: {}", said.trim())));
    }
    serde_json::from_slice(&made.stdout).map_err(|error| Failure::Answer(error.to_string()))
}

fn not_started(log: &Path, why: &str) -> Failure {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or_else(String::new, |line| format!(": {line}"));
    Failure::unsuccessful(format!("the server does not start, {why}{last}"))
}
