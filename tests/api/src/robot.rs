//! A robot that does as it is told, over HTTP.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::{
    reply::Reply,
    world::{Call, World},
};

/// A registered robot with an open session.
pub struct TestRobot<'a> {
    world: &'a World,
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    epoch: Cell<u64>,
    seq: Cell<u64>,
}

impl<'a> TestRobot<'a> {
    pub(crate) async fn start(world: &'a World, body: &Value) -> Self {
        let reply = world.post("/v1/robots", body).await;
        assert_eq!(reply.status, 201, "{reply}");
        let registered = reply.json();
        let text = |name: &str| registered[name].as_str().expect("text").to_owned();
        let robot = Self {
            world,
            id: text("robot_id"),
            key: text("key"),
            epoch: Cell::new(0),
            seq: Cell::new(0),
        };
        robot.open_session(&json!({})).await;
        robot
    }

    /// Opens a session that must be opened.
    pub async fn open_session(&self, body: &Value) -> u64 {
        let reply = self.post(&format!("/v1/robots/{}/session", self.id), body).await;
        assert_eq!(reply.status, 200, "{reply}");
        let epoch = reply.json()["epoch"].as_u64().expect("an epoch");
        self.epoch.set(epoch);
        self.seq.set(0);
        epoch
    }

    /// `POST` of JSON with its key.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.world.send(Call::new("POST", path).key(&self.key).json(body)).await
    }

    /// A sync with the next number, whatever is answered.
    pub async fn try_sync(&self, free_slots: u32, running: &[Value]) -> Reply {
        self.seq.set(self.seq.get() + 1);
        self.repeat_sync(free_slots, running).await
    }

    /// The latest sync again.
    pub async fn repeat_sync(&self, free_slots: u32, running: &[Value]) -> Reply {
        let state = if running.is_empty() { "idle" } else { "busy" };
        let body = json!({
            "epoch": self.epoch.get(), "seq": self.seq.get(), "state": state, "free_slots": free_slots, "running": running,
        });
        self.post(&format!("/v1/robots/{}/sync", self.id), &body).await
    }

    /// A sync that must be answered.
    pub async fn sync(&self, free_slots: u32, running: &[Value]) -> Value {
        let reply = self.try_sync(free_slots, running).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.json()
    }

    /// Takes one job and has it confirmed as running: the job's lease as it is listed.
    pub async fn take(&self) -> Value {
        let lease = self.lease().await;
        let answer = self.sync(0, std::slice::from_ref(&lease)).await;
        assert_eq!(answer["leases"][0]["status"], "renewed", "{answer}");
        lease
    }

    /// Takes one job without starting it: the job's lease as it is listed.
    pub async fn lease(&self) -> Value {
        let answer = self.sync(1, &[]).await;
        let given = &answer["assign"][0];
        assert!(given.is_object(), "{answer}");
        json!({ "job_id": given["job_id"], "attempt": given["attempt"], "lease_token": given["lease_token"] })
    }

    /// The path of what is reported of an attempt.
    pub fn path(lease: &Value, rest: &str) -> String {
        let job = lease["job_id"].as_str().expect("a job");
        format!("/v1/jobs/{job}/attempts/{}/{rest}", lease["attempt"])
    }

    /// Reports the end of an attempt, whatever is answered. The token of `lease` is added to `body`.
    pub async fn finish(&self, lease: &Value, body: &Value) -> Reply {
        let mut body = body.clone();
        body["lease_token"] = lease["lease_token"].clone();
        self.post(&Self::path(lease, "finish"), &body).await
    }

    /// Puts what a robot writes beside a job.
    pub async fn put(&self, lease: &Value, rest: &str, content_type: &str, body: &[u8]) -> Reply {
        let token = lease["lease_token"].as_str().expect("a token");
        let call = Call::new("PUT", &Self::path(lease, rest))
            .key(&self.key)
            .header("x-lease-token", token);
        self.world.send(call.body(content_type, body)).await
    }
}

impl TestRobot<'_> {
    /// Lists a job that was leased, so that it runs.
    pub async fn take_up(&self, lease: &Value) -> Value {
        let answer = self.sync(0, std::slice::from_ref(lease)).await;
        assert_eq!(answer["leases"][0]["status"], "renewed", "{answer}");
        answer
    }
}
