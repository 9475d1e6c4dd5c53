//! A running `remuda dev`, and work of every kind on it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use remuda_client::{Client, Method};
use serde_json::{Value, json};

use crate::program::remuda;

/// Longer than any test: nothing that a robot holds here is lost by itself.
const LEASE_SECONDS: u32 = 3_600;

/// How long a log that is read at once may be.
const PAYLOAD_BYTES: usize = 100_000;

/// A server on a store, as a process of its own; killed when dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
    key_file: PathBuf,
}

impl Server {
    /// Starts one on this store. Its admin key is the one in the file, which the first server makes.
    pub(crate) fn start(store: &str, key_file: &Path) -> Server {
        let mut command = remuda(&["dev", "--port", "0", "--store", store, "--admin-key-file"]);
        command.arg(key_file).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        Server {
            process,
            url,
            key_file: key_file.to_owned(),
        }
    }

    /// The server, by the admin's key.
    pub(crate) fn admin(&self) -> Client {
        let key = std::fs::read_to_string(&self.key_file).unwrap();
        Client::new(&self.url, Some(key.trim())).unwrap()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(id, Signal::SIGTERM).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A robot in the middle of its work.
pub(crate) struct Robot {
    id: String,
    key: String,
    epoch: u64,
    seq: u64,
    /// What it was given, by the workflow: job, attempt, token.
    pub(crate) held: BTreeMap<String, Value>,
}

impl Robot {
    /// Registers itself, for three jobs at a time.
    async fn register(admin: &Client) -> Robot {
        let asked = json!({ "name": "desk", "max_jobs": 3 });
        let robot: Value = admin.post("/v1/robots", &asked).await.unwrap();
        let mut robot = Robot {
            id: robot["robot_id"].as_str().unwrap().to_owned(),
            key: robot["key"].as_str().unwrap().to_owned(),
            epoch: 0,
            seq: 0,
            held: BTreeMap::new(),
        };
        let path = format!("/v1/robots/{}/session", robot.id);
        let session: Value = admin
            .with_key(&robot.key)
            .post(&path, &json!({ "holding": [] }))
            .await
            .unwrap();
        robot.epoch = session["epoch"].as_u64().unwrap();
        robot
    }

    /// Syncs, with a slot for another job or none, and gives the answer; what was assigned is held from now on.
    pub(crate) async fn sync(&mut self, admin: &Client, free_slots: u32, running: &[&str]) -> Value {
        self.seq += 1;
        let running: Vec<&Value> = running.iter().map(|workflow| &self.held[*workflow]).collect();
        let state = if running.is_empty() { "idle" } else { "busy" };
        let body = json!({ "epoch": self.epoch, "seq": self.seq, "state": state, "free_slots": free_slots, "running": running });
        let path = format!("/v1/robots/{}/sync", self.id);
        let answer: Value = admin.with_key(&self.key).post(&path, &body).await.unwrap();
        for job in answer["assign"].as_array().unwrap() {
            let hold = json!({ "job_id": job["job_id"], "attempt": job["attempt"], "lease_token": job["lease_token"] });
            self.held.insert(job["workflow"].as_str().unwrap().to_owned(), hold);
        }
        answer
    }

    /// Submits a job of this workflow and takes it.
    async fn take(&mut self, admin: &Client, workflow: &str, running: &[&str]) {
        submit(admin, json!({ "workflow": workflow })).await;
        self.sync(admin, 1, running).await;
        assert!(self.held.contains_key(workflow), "was not given {workflow}");
    }

    /// Puts something beside a job that it runs.
    async fn put(&self, admin: &Client, workflow: &str, what: &str, content_type: &str, body: &str) {
        let hold = &self.held[workflow];
        let call = admin.with_key(&self.key).request(Method::PUT, &path(hold, what));
        let call = call.header("x-lease-token", hold["lease_token"].as_str().unwrap());
        call.bytes(content_type, body.to_owned()).send::<()>().await.unwrap();
    }

    /// Finishes a job, and gives the state that it is in then.
    pub(crate) async fn finish(&mut self, admin: &Client, workflow: &str, mut report: Value) -> Value {
        let hold = self.held.remove(workflow).unwrap();
        report["lease_token"] = hold["lease_token"].clone();
        let answer: Value = admin
            .with_key(&self.key)
            .post(&path(&hold, "finish"), &report)
            .await
            .unwrap();
        answer["state"].clone()
    }
}

fn path(hold: &Value, what: &str) -> String {
    format!(
        "/v1/jobs/{}/attempts/{}/{what}",
        hold["job_id"].as_str().unwrap(),
        hold["attempt"]
    )
}

async fn submit(admin: &Client, job: Value) -> String {
    let job: Value = admin.post("/v1/jobs", &job).await.unwrap();
    job["id"].as_str().unwrap().to_owned()
}

/// Fills an empty system with jobs of every state, with all that lies beside them.
pub(crate) async fn fill(admin: &Client) -> Robot {
    let lease = json!({ "lease_seconds": LEASE_SECONDS });
    let _: Value = admin.put("/v1/queues/default", &lease).await.unwrap();
    let deadline = jiff::Timestamp::now() + Duration::from_millis(500);
    // No robot here has it, so jobs that ask for it stay as they are.
    let elsewhere = json!({ "capabilities": ["elsewhere"] });
    let late = submit(
        admin,
        json!({ "workflow": "late", "deadline": deadline.to_string(), "requires": elsewhere }),
    )
    .await;
    submit(
        admin,
        json!({ "workflow": "waits", "payload": "p".repeat(PAYLOAD_BYTES), "requires": elsewhere }),
    )
    .await;
    submit(
        admin,
        json!({ "workflow": "later", "delay_seconds": 86_400, "labels": { "team": "finance" } }),
    )
    .await;
    let unwanted = submit(admin, json!({ "workflow": "unwanted" })).await;
    let cancelled: Value = admin
        .post(&format!("/v1/jobs/{unwanted}/cancel"), &json!({}))
        .await
        .unwrap();
    assert_eq!(cancelled["state"], "cancelled");

    let mut robot = Robot::register(admin).await;
    robot.take(admin, "succeeds", &[]).await;
    robot.sync(admin, 0, &["succeeds"]).await;
    robot.put(admin, "succeeds", "log/0", "text/plain", "one\ntwo\n").await;
    let report = json!({ "outcome": "succeeded", "result": { "said": "☂ \u{0}" } });
    assert_eq!(robot.finish(admin, "succeeds", report).await, "succeeded");
    robot.take(admin, "fails", &[]).await;
    let report = json!({ "outcome": "failed", "error": { "kind": "business", "message": "no such invoice" } });
    assert_eq!(robot.finish(admin, "fails", report).await, "failed");
    robot.take(admin, "runs", &[]).await;
    robot.sync(admin, 0, &["runs"]).await;
    robot.put(admin, "runs", "log/0", "text/plain", "page 1\n").await;
    robot
        .put(admin, "runs", "checkpoints/page", "application/json", "3")
        .await;
    robot.take(admin, "leased", &["runs"]).await;

    // The server ends it by itself.
    let query = [("seconds", "20".to_owned())];
    let late: Value = admin.get(&format!("/v1/jobs/{late}/wait"), &query).await.unwrap();
    assert_eq!(late["reason"], "deadline", "{late}");
    robot
}

/// Everything that can be read over HTTP.
pub(crate) async fn contents(admin: &Client) -> BTreeMap<String, Value> {
    let mut contents = BTreeMap::new();
    for list in ["jobs", "robots", "queues", "keys", "dead-letters"] {
        let path = format!("/v1/{list}");
        let found: Value = admin.get(&path, &[("limit", "200".to_owned())]).await.unwrap();
        contents.insert(path, found);
    }
    let jobs = contents["/v1/jobs"]["items"].as_array().unwrap().clone();
    for job in jobs {
        let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
        for what in ["", "/history"] {
            let path = format!("{path}{what}");
            contents.insert(path.clone(), admin.get(&path, &[]).await.unwrap());
        }
        // Only what has started has a log.
        if job["started_at"].is_string() {
            let path = format!("{path}/logs");
            let log = admin.get_text(&path, &[]).await.unwrap();
            contents.insert(path, Value::String(log));
        }
    }
    contents
}
