//! Robots that call the server of either version in turn, for all they say.

use std::time::Duration;

use remuda_client::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Sides;

/// The longest that a robot without news waits before it syncs again.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// A registered robot with a session, at both servers.
pub struct Robot {
    sides: Sides,
    id: String,
    key: String,
    epoch: u64,
    seq: u64,
    max_jobs: usize,
    held: Vec<Held>,
}

/// A job that a robot holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// Job, attempt and token, as a sync lists them.
    pub lease: Value,
    /// The whole of what it was given.
    assigned: Value,
}

impl Held {
    fn new(assigned: &Value) -> Held {
        let part = |name: &str| assigned[name].clone();
        Held {
            lease: json!({ "job_id": part("job_id"), "attempt": part("attempt"), "lease_token": part("lease_token") }),
            assigned: assigned.clone(),
        }
    }

    fn path(&self, what: &str) -> String {
        let job = self.lease["job_id"].as_str().expect("an id");
        format!("/v1/jobs/{job}/attempts/{}/{what}", self.lease["attempt"])
    }
}

impl Robot {
    /// Registers one for this queue, with the next server, and opens its session with the one after.
    pub async fn register(sides: &Sides, queue: &str, max_jobs: usize) -> Robot {
        let asked = json!({ "name": "robot", "queues": [queue], "max_jobs": max_jobs });
        let registered = sides.post("/v1/robots", &asked).await;
        let text = |name: &str| registered[name].as_str().expect("a text").to_owned();
        let mut robot = Robot {
            sides: sides.with_key(&text("key")),
            id: text("robot_id"),
            key: text("key"),
            epoch: 0,
            seq: 0,
            max_jobs,
            held: Vec::new(),
        };
        robot.open_session().await;
        robot
    }

    /// Goes on with these servers, by the key and the session that it has.
    pub fn go_on_with(&mut self, sides: &Sides) {
        self.sides = sides.with_key(&self.key);
    }

    /// Comes up again, and knows nothing of what it held.
    pub async fn start_again(&mut self) {
        self.held.clear();
        self.open_session().await;
    }

    async fn open_session(&mut self) {
        let path = format!("/v1/robots/{}/session", self.id);
        let session = self.sides.post(&path, &json!({ "holding": [] })).await;
        self.epoch = session["epoch"].as_u64().expect("an epoch");
    }

    /// Syncs with what it holds listed as running; what it is given is held from now on.
    pub async fn sync(&mut self, free_slots: usize) -> Value {
        self.seq += 1;
        let running: Vec<&Value> = self.held.iter().map(|held| &held.lease).collect();
        let state = if running.is_empty() { "idle" } else { "busy" };
        let body = json!({
            "epoch": self.epoch, "seq": self.seq, "state": state, "free_slots": free_slots, "running": running,
        });
        let answer = self.sides.post(&format!("/v1/robots/{}/sync", self.id), &body).await;
        let assigned = answer["assign"].as_array().expect("a list");
        self.held.extend(assigned.iter().map(Held::new));
        answer
    }

    /// Takes one job and has it confirmed as running.
    pub async fn begin(&mut self) -> Held {
        let given = self.sync(1).await;
        let held = self
            .held
            .last()
            .unwrap_or_else(|| panic!("was given nothing: {given}"))
            .clone();
        let answer = self.sync(0).await;
        assert_eq!(answer["leases"][0]["status"], "renewed", "{answer}");
        held
    }

    /// Reports the end of an attempt to the next server, and again to the other one, which must say the same.
    pub async fn finish(&mut self, held: &Held, mut report: Value) -> Value {
        report["lease_token"] = held.lease["lease_token"].clone();
        self.held.retain(|other| other.lease != held.lease);
        let answer = self.sides.post(&held.path("finish"), &report).await;
        let again = self.sides.post(&held.path("finish"), &report).await;
        assert_eq!(answer, again, "{report}");
        answer["state"].clone()
    }

    /// The code with which the next server refuses the report of a success.
    pub async fn refused(&mut self, held: &Held) -> String {
        let report = json!({ "outcome": "succeeded", "lease_token": held.lease["lease_token"] });
        self.sides.refusal(&held.path("finish"), &report).await
    }

    async fn put(&self, held: &Held, what: &str, content_type: &str, body: String) {
        let token = held.lease["lease_token"].as_str().expect("a token");
        let call = self.sides.next().request(Method::PUT, &held.path(what));
        let call = call.header("x-lease-token", token).bytes(content_type, body);
        call.send::<()>()
            .await
            .unwrap_or_else(|error| panic!("PUT {what}: {error}"));
    }

    /// Works until it is told to stop, and then until it holds nothing; gives how many attempts it ended.
    async fn work(mut self, mut stop: watch::Receiver<bool>) -> usize {
        let mut ended = 0;
        loop {
            let stopping = *stop.borrow();
            let free = if stopping { 0 } else { self.max_jobs - self.held.len() };
            let answer = self.sync(free).await;
            let before = ended;
            for lease in answer["leases"].as_array().expect("a list") {
                ended += usize::from(self.act_on(lease).await);
            }
            if stopping && self.held.is_empty() {
                return ended;
            }
            if ended == before && answer["assign"] == json!([]) {
                // As the server asks for, only sooner: a test does not wait for what would come.
                let _ = tokio::time::timeout(PAUSE_MAX, stop.changed()).await;
            }
        }
    }

    /// Does what is to be done about a lease, and says whether the attempt is over.
    async fn act_on(&mut self, lease: &Value) -> bool {
        let is_it = |held: &&Held| held.lease["job_id"] == lease["job_id"];
        let held = self.held.iter().find(is_it).expect("it is held").clone();
        let report = match lease["status"].as_str() {
            Some("renewed") => self.perform(&held).await,
            Some("cancel") => Some(json!({ "outcome": "cancelled" })),
            status => panic!("{status:?}: {lease}"),
        };
        let Some(report) = report else { return false };
        self.finish(&held, report).await;
        true
    }

    /// Does the work that the workflow names, and gives what is to be reported, if it has come to its end.
    async fn perform(&self, held: &Held) -> Option<Value> {
        let failed =
            |kind: &str| Some(json!({ "outcome": "failed", "error": { "kind": kind, "message": "as asked" } }));
        let (assigned, first) = (&held.assigned, held.lease["attempt"] == 1);
        match assigned["workflow"].as_str().expect("a name") {
            "greet" => {
                for seq in 0..2 {
                    self.put(held, &format!("log/{seq}"), "text/plain", format!("line {seq}\n"))
                        .await;
                }
                Some(json!({ "outcome": "succeeded", "result": assigned["payload"] }))
            }
            "flaky" if first => {
                self.put(held, "checkpoints/page", "application/json", "17".to_owned())
                    .await;
                failed("application")
            }
            "flaky" => {
                assert_eq!(assigned["checkpoints"]["page"], 17, "{assigned}");
                Some(json!({ "outcome": "succeeded" }))
            }
            "broken" => failed("application"),
            "business" => failed("business"),
            "long" => None,
            other => panic!("no robot knows {other}"),
        }
    }
}

/// Robots at work.
pub struct Fleet {
    stop: watch::Sender<bool>,
    robots: Vec<JoinHandle<usize>>,
}

impl Fleet {
    /// So many robots for the queue `default`, each for two jobs at a time.
    pub async fn start(sides: &Sides, robots: usize) -> Fleet {
        let (stop, stopped) = watch::channel(false);
        let mut started = Vec::new();
        for _ in 0..robots {
            let robot = Robot::register(sides, "default", 2).await;
            started.push(tokio::spawn(robot.work(stopped.clone())));
        }
        Fleet { stop, robots: started }
    }

    /// Has them finish what they hold and end; gives how many attempts each of them ended.
    pub async fn stop(self) -> Vec<usize> {
        self.stop.send(true).expect("robots listen");
        let mut ended = Vec::new();
        for robot in self.robots {
            ended.push(robot.await.expect("no robot has panicked"));
        }
        ended
    }
}
