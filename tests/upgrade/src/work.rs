//! What clients and operators ask, each time of the version that was not asked before, and how it has to end.

use remuda_client::Method;
use serde_json::{Value, json};

use crate::sides::id_of;
use crate::{Robot, Sides};

/// How many plain jobs are submitted one by one, and how many in each bulk.
const JOBS: usize = 12;

/// How many seconds a robot may take until it begins a job.
const LOOKS_MAX: usize = 60;

/// What no robot here has.
const ELSEWHERE: &str = "elsewhere";

/// Jobs that robots are to do, and how each is to end.
#[derive(Default)]
pub struct Orders(Vec<Order>);

struct Order {
    id: String,
    state: &'static str,
    reason: Option<&'static str>,
}

impl Orders {
    fn add(&mut self, id: String, state: &'static str, reason: Option<&'static str>) {
        self.0.push(Order { id, state, reason });
    }

    /// The ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|order| order.id.as_str())
    }

    /// Waits for the end of each, which has to be the one that was meant.
    pub async fn all_end(&self, sides: &Sides) {
        for Order { id, state, reason } in &self.0 {
            let job = sides.ended(id).await;
            assert_eq!(
                (&job["state"], &job["reason"]),
                (&json!(state), &json!(reason)),
                "{job}"
            );
        }
    }
}

/// Jobs of every kind, each submitted to the server that did not get the one before.
pub async fn submit(sides: &Sides) -> Orders {
    let mut orders = Orders::default();
    for number in 0..JOBS {
        let id = submit_twice(
            sides,
            &json!({ "workflow": "greet", "payload": { "number": number } }),
            number,
        )
        .await;
        orders.add(id, "succeeded", None);
    }
    for _ in sides.both() {
        for id in submit_bulk(sides).await {
            orders.add(id, "succeeded", None);
        }
    }
    let retry = json!({ "max_attempts": 2, "initial_seconds": 0 });
    for (workflow, state, reason) in [
        ("flaky", "succeeded", None),
        ("broken", "failed", Some("application_error")),
        ("business", "failed", Some("business_error")),
    ] {
        for _ in sides.both() {
            let id = sides.submit(&json!({ "workflow": workflow, "retry": retry })).await;
            orders.add(id, state, reason);
        }
    }
    for _ in sides.both() {
        let id = sides
            .submit(&json!({ "workflow": "greet", "delay_seconds": 1, "priority": 20 }))
            .await;
        orders.add(id, "succeeded", None);
        let job = json!({ "workflow": "greet", "timeouts": { "queue_seconds": 1 }, "requires": elsewhere() });
        orders.add(sides.submit(&job).await, "timed_out", Some("queue_timeout"));
    }
    orders
}

fn elsewhere() -> Value {
    json!({ "capabilities": [ELSEWHERE] })
}

/// Submits a job to one server and once more to the other, which knows it by its key.
async fn submit_twice(sides: &Sides, job: &Value, number: usize) -> String {
    let mut answers = Vec::new();
    for expected in [201, 200] {
        let call = sides.next().request(Method::POST, "/v1/jobs").json(job);
        let call = call.header("idempotency-key", &format!("order {number}"));
        let answer = call.send_answer::<Value>().await.expect("it is taken");
        assert_eq!(answer.status, expected, "{}", answer.body);
        answers.push(id_of(&answer.body));
    }
    assert_eq!(answers[0], answers[1]);
    answers.remove(0)
}

async fn submit_bulk(sides: &Sides) -> Vec<String> {
    let jobs = vec![json!({ "workflow": "greet" }); JOBS];
    let answer = sides.post("/v1/jobs/bulk", &json!({ "jobs": jobs })).await;
    let results = answer["results"].as_array().expect("results").iter();
    let ids: Vec<String> = results.map(id_of).collect();
    assert_eq!(ids.len(), JOBS, "{answer}");
    ids
}

/// Jobs that are cancelled by the server that did not take them: not begun, and running.
pub async fn cancel(sides: &Sides) -> Orders {
    let mut orders = Orders::default();
    for job in [
        json!({ "workflow": "greet", "delay_seconds": 3_600 }),
        json!({ "workflow": "greet", "requires": elsewhere() }),
    ] {
        for _ in sides.both() {
            let id = sides.submit(&job).await;
            let cancelled = sides.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await;
            assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
            orders.add(id, "cancelled", Some("cancelled_by_client"));
            // So that the next one begins with the other.
            sides.next();
        }
    }
    for _ in sides.both() {
        let id = sides.submit(&json!({ "workflow": "long" })).await;
        let path = format!("/v1/jobs/{id}");
        until_it_runs(sides, &path).await;
        let asked = sides
            .post(&format!("{path}/cancel"), &json!({ "reason": "wrong month" }))
            .await;
        assert_eq!(asked["state"], "running", "{asked}");
        orders.add(id, "cancelled", Some("cancelled_by_client"));
    }
    orders
}

/// Waits until the job at this path is seen to run.
async fn until_it_runs(sides: &Sides, path: &str) {
    // Told each time when a second has passed, by one server and then by the other.
    let query = [("seconds", "1".to_owned())];
    for _ in 0..LOOKS_MAX {
        let job: Value = sides
            .next()
            .get(&format!("{path}/wait"), &query)
            .await
            .expect("it is there");
        if job["state"] == "running" {
            return;
        }
        assert!(job["finished_at"].is_null(), "{job}");
    }
    panic!("no robot began {path}");
}

/// A job that waits keeps its dedup key at both servers, and what the one settles about a queue the other goes by.
pub async fn settle(sides: &Sides) {
    let job = json!({
        "workflow": "greet", "requires": elsewhere(), "dedup": { "key": "customer 17", "on_conflict": "return" },
    });
    let first = sides.submit(&job).await;
    for _ in sides.both() {
        let returned = sides.post("/v1/jobs", &job).await;
        assert_eq!(id_of(&returned), first);
        let explained = sides.get(&format!("/v1/jobs/{first}/explain")).await;
        assert_eq!(explained["reasons"][0]["code"], "no_capable_robot", "{explained}");
    }
    sides.post(&format!("/v1/jobs/{first}/cancel"), &json!({})).await;
    let again = sides.submit(&job).await;
    sides.post(&format!("/v1/jobs/{again}/cancel"), &json!({})).await;

    for paused in [true, false] {
        let path = "/v1/queues/default";
        let _: Value = sides
            .next()
            .put(path, &json!({ "paused": paused }))
            .await
            .expect("is set");
        let queues = sides.get("/v1/queues").await;
        let queues = queues["items"].as_array().expect("a list");
        let default = queues
            .iter()
            .find(|queue| queue["name"] == "default")
            .expect("it is there");
        assert_eq!(default["paused"], paused, "{default}");
    }
}

/// Dead letters that came about at either server are tried again, settled and retried by either; gives the new jobs.
pub async fn bury(sides: &Sides) -> Orders {
    let mut orders = Orders::default();
    let letters = sides.get("/v1/dead-letters").await;
    let letters = letters["items"].as_array().expect("a list").clone();
    assert_eq!(
        letters.len(),
        6,
        "two jobs that broke, two of business, two that nobody could do: {letters:?}"
    );
    for _ in sides.both() {
        sides.agree_on("/v1/dead-letters").await;
    }
    let of = |workflow: &str| {
        letters
            .iter()
            .filter(|letter| letter["workflow"] == *workflow)
            .map(id_of)
            .collect::<Vec<_>>()
    };
    for id in of("broken") {
        let again = sides.post(&format!("/v1/dead-letters/{id}/requeue"), &json!({})).await;
        assert_eq!(again["retry_of"], json!(id), "{again}");
        orders.add(id_of(&again), "failed", Some("application_error"));
    }
    for id in of("business") {
        let again = sides.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await;
        assert_eq!(again["retry_of"], json!(id), "{again}");
        orders.add(id_of(&again), "failed", Some("business_error"));
    }
    for (id, verb) in of("greet").iter().zip(["discard", "resolve"]) {
        sides
            .post(&format!("/v1/dead-letters/{id}/{verb}"), &json!({ "note": "seen to" }))
            .await;
    }
    orders
}

/// A robot is started again at one server in the middle of its job: another robot does the job, and what the first one says of it
/// at either server is refused.
pub async fn restart(sides: &Sides) -> Orders {
    let mut orders = Orders::default();
    let (mut first, mut second) = (
        Robot::register(sides, "restart", 1).await,
        Robot::register(sides, "restart", 1).await,
    );
    for _ in sides.both() {
        let id = sides.submit(&json!({ "workflow": "greet", "queue": "restart" })).await;
        let lost = first.begin().await;
        first.start_again().await;
        let path = format!("/v1/jobs/{id}");
        let job = sides.get(&path).await;
        assert_eq!(
            (&job["state"], &job["reason"]),
            (&json!("ready"), &json!("robot_restarted")),
            "{job}"
        );
        let held = second.begin().await;
        assert_eq!(held.lease["attempt"], 2, "{held:?}");
        for _ in sides.both() {
            assert_eq!(first.refused(&lost).await, "lease_lost");
        }
        assert_eq!(
            second.finish(&held, json!({ "outcome": "succeeded" })).await,
            "succeeded"
        );
        orders.add(id, "succeeded", None);
        // The next time the other server is the first to be asked.
        sides.next();
    }
    orders
}
