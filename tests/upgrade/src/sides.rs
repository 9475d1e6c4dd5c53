//! The servers of both versions, called in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use remuda_client::{CallError, Client, Method};
use serde_json::Value;

/// How often a job is waited for, which each time takes up to twenty seconds.
const WAITS_MAX: usize = 6;

/// Both servers by one key; each call goes to the one that the call before did not go to.
#[derive(Clone)]
pub struct Sides {
    clients: [Client; 2],
    turn: Arc<AtomicUsize>,
}

impl Sides {
    /// These two.
    pub fn new(one: &Client, other: &Client) -> Sides {
        Sides {
            clients: [one.clone(), other.clone()],
            turn: Arc::default(),
        }
    }

    /// The same servers by another key, with turns of their own.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Sides {
        let [one, other] = &self.clients;
        Sides::new(&one.with_key(key), &other.with_key(key))
    }

    /// The server whose turn it is.
    pub fn next(&self) -> &Client {
        &self.clients[self.turn.fetch_add(1, Ordering::Relaxed) % 2]
    }

    /// Both.
    pub fn both(&self) -> &[Client; 2] {
        &self.clients
    }

    /// What the next server answers to a body posted to the path, which it must take.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.next().post(path, body).await;
        answer.unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// What the next server has at the path.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.next().get(path, &[]).await;
        answer.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// The code with which the next server refuses a body posted to the path.
    pub async fn refusal(&self, path: &str, body: &Value) -> String {
        match self.next().post::<_, Value>(path, body).await {
            Err(CallError::Refused(problem)) => problem.code.clone(),
            other => panic!("POST {path}: {other:?}"),
        }
    }

    /// The id of a job that is submitted to the next server and is new.
    pub async fn submit(&self, job: &Value) -> String {
        let call = self.next().request(Method::POST, "/v1/jobs").json(job);
        let answer = call.send_answer::<Value>().await.expect("the job is taken");
        assert_eq!(answer.status, 201, "{}", answer.body);
        id_of(&answer.body)
    }

    /// The job, once both servers in turn have been asked often enough and it has ended.
    pub async fn ended(&self, id: &str) -> Value {
        let path = format!("/v1/jobs/{id}");
        let has_ended = |job: &Value| job["finished_at"].is_string();
        self.until(&path, has_ended).await
    }

    /// The job at this path, once it is as it should be.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut job = self.get(path).await;
        for _ in 0..WAITS_MAX {
            if holds(&job) {
                return job;
            }
            let (wait, query) = (format!("{path}/wait"), [("seconds", "20".to_owned())]);
            job = self.next().get(&wait, &query).await.expect("the job is there");
        }
        assert!(holds(&job), "waited too long: {job}");
        job
    }

    /// Requires that both servers tell the same at the path, but for what only one of them knows of.
    pub async fn agree_on(&self, path: &str) {
        let query = [("limit", "200".to_owned())];
        let query = if path.matches('/').count() == 2 {
            &query[..]
        } else {
            &[]
        };
        let [one, other] = self.both();
        let one: Value = one.get(path, query).await.expect("is there");
        let other: Value = other.get(path, query).await.expect("is there");
        assert!(agree(&one, &other), "{path}\n{one}\n{other}");
    }
}

/// The id of a job as the API writes it.
pub(crate) fn id_of(job: &Value) -> String {
    job["id"].as_str().expect("it has an id").to_owned()
}

/// Whether two documents say the same in every field that both have. A version may add a field, and no more.
fn agree(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let shared = one.iter().filter_map(|(name, value)| Some((value, other.get(name)?)));
            let (mut pairs, mut alike) = (0, true);
            for (one, other) in shared {
                pairs += 1;
                alike &= agree(one, other);
            }
            alike && (pairs == one.len() || pairs == other.len())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| agree(one, other))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_may_add_a_field_and_change_none() {
        let old = json!({ "items": [{ "id": "a", "state": "ready" }] });
        assert!(agree(
            &old,
            &json!({ "items": [{ "id": "a", "state": "ready", "new": 1 }] })
        ));
        assert!(agree(
            &json!({ "items": [{ "id": "a", "state": "ready", "new": 1 }] }),
            &old
        ));
        for other in [
            json!({ "items": [{ "id": "a", "state": "leased" }] }),
            json!({ "items": [{ "id": "a", "status": "ready" }] }),
            json!({ "items": [] }),
            json!({ "things": [] }),
        ] {
            assert!(!agree(&old, &other), "{other}");
        }
    }
}
