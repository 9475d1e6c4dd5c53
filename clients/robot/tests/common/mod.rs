//! A server for one robot: small, strict about what it is told, and out of order when a test wants it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

pub mod bodies;
pub mod fixture;
pub mod routes;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

/// How long anything that a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub const REGISTRATION_KEY: &str = "rk_registration";
pub const ROBOT_KEY: &str = "rk_robot";

#[derive(Clone)]
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
pub struct State {
    /// Everything that happened, in order, as short texts.
    pub story: Vec<String>,
    pub jobs: BTreeMap<String, Job>,
    pub registrations: Vec<Value>,
    pub epoch: u64,
    pub last_sync: Option<(u64, u64, Value)>,
    /// Calls of this kind are carried out, and their answers get lost: so many of them.
    pub answers_lost: HashMap<&'static str, u32>,
    /// Calls of this kind are refused with this problem: so many of them.
    pub refusals: HashMap<&'static str, (u32, u16, Value)>,
    pub directives: Vec<&'static str>,
    pub lease_ttl_ms: u64,
    pub next_sync_ms: u64,
}

/// A job, and what the robot said about it.
#[derive(Default, Clone)]
pub struct Job {
    pub assignment: Value,
    pub given: bool,
    pub listed: bool,
    /// What syncs say about it, in place of `renewed`.
    pub status: Option<&'static str>,
    pub grace_ms: u64,
    pub progress: Vec<Value>,
    pub log: Vec<String>,
    pub checkpoints: BTreeMap<String, Value>,
    pub finish: Option<Value>,
    pub released: bool,
}

impl Job {
    pub fn log_text(&self) -> String {
        self.log.concat()
    }

    /// The lease ends with the job.
    fn is_open(&self) -> bool {
        self.finish.is_none() && !self.released
    }
}

impl Server {
    pub async fn start() -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            lease_ttl_ms: 60_000,
            next_sync_ms: 100,
            ..State::default()
        };
        let server = Server {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(0),
        };
        let router = routes::router(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes the state and tells those that wait for it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state());
        self.changed.send_modify(|version| *version += 1);
        done
    }

    /// Hands out a job of this workflow at the next sync with a free slot.
    pub fn submit(&self, job: &str, workflow: &str) {
        self.submit_with(job, workflow, &json!({}));
    }

    pub fn submit_with(&self, job: &str, workflow: &str, more: &Value) {
        let mut assignment = json!({
            "job_id": job, "attempt": 1, "lease_token": format!("lt_{job}"), "lease_ttl_ms": 60_000,
            "workflow": workflow, "workflow_version": null, "payload": {"n": 1}, "run_timeout_seconds": 3600,
            "labels": {}, "checkpoints": {}, "traceparent": null,
        });
        for (name, value) in more.as_object().unwrap() {
            assignment[name] = value.clone();
        }
        self.change(|state| {
            assignment["lease_ttl_ms"] = json!(state.lease_ttl_ms);
            state.jobs.insert(
                job.to_owned(),
                Job {
                    assignment,
                    grace_ms: 30_000,
                    ..Job::default()
                },
            )
        });
    }

    /// Waits until the state is as the test wants it, and gives what the test asks for.
    pub async fn until<T>(&self, what: &str, mut find: impl FnMut(&State) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = find(&self.state()) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        let Ok(found) = tokio::time::timeout(PATIENCE, waiting).await else {
            panic!("waited in vain for {what}; so far: {:#?}", self.state().story)
        };
        found
    }

    /// Waits until the command has said `::remuda progress …`: so far it has come.
    pub async fn until_progress(&self, job: &str) -> Value {
        self.until(&format!("{job} to tell progress"), |state| {
            state.jobs[job].progress.first().cloned()
        })
        .await
    }

    pub async fn until_finished(&self, job: &str) -> Value {
        self.until(&format!("{job} to be finished"), |state| state.jobs[job].finish.clone())
            .await
    }

    /// Waits for a line of the story, and forgets all up to it.
    pub async fn until_told(&self, line: &str) {
        let position = self
            .until(&format!("the story to say {line:?}"), |state| {
                state.story.iter().position(|told| told == line)
            })
            .await;
        self.change(|state| state.story.drain(..=position).count());
    }
}
