//! Jobs as clients ask for them.

use app::{canonical, json};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    call::Call,
    holding::Answer,
    world::{World, on_world},
};

/// A request or an answer, as far as the payload goes.
#[derive(Deserialize)]
struct WithPayload<'a> {
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// The body of `POST /v1/jobs`: what is taken is kept as it means, can be read by everybody, and is known again.
pub fn submit(data: &[u8]) {
    on_world(|world| {
        let call = |body: &[u8]| {
            let call = Call::new("POST", "/v1/jobs").key("$ADMIN");
            world.ask(&call.header("idempotency-key", "again").json(body))
        };
        let answer = call(data);
        if answer.is_one_of(&[201, 400, 413, 415, 422]).status != 201 {
            return;
        }
        let body = world.filled(data);
        assert_eq!(payload(&body), payload(&answer.body), "{answer}");
        let Some(job) = answer.readable() else { return };
        let text = std::str::from_utf8(&body).expect("what is taken is UTF-8");
        for same in [text.to_owned(), json::compact(text), format!("\n\t {text} \r\n")] {
            let again = call(same.as_bytes());
            assert_eq!((again.status, again.json()), (200, job.clone()), "{again}");
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
        }
        assert_eq!(world.read(&path(&job)).json(), job);
        in_lists(world, &job);
    });
}

/// The digest of the payload's meaning; of `null` where there is none.
fn payload(body: &[u8]) -> String {
    let read: WithPayload<'_> = serde_json::from_slice(body).expect("it has been read before");
    canonical::digest(read.payload.map_or("null", RawValue::get))
}

fn path(job: &Value) -> String {
    format!("/v1/jobs/{}", job["id"].as_str().expect("an id"))
}

/// Holds that the job is found among others, and its transitions.
fn in_lists(world: &World, job: &Value) {
    let listed = world.read("/v1/jobs?limit=200").json();
    let listed = listed["items"].as_array().expect("a list").contains(job);
    assert!(listed, "{job} is not listed");
    let history = world.read(&format!("{}/history", path(job))).json();
    assert_eq!(history["items"][0]["to"], job["state"], "{job}");
    world.read(&format!("{}/explain", path(job)));
}

/// The body of `POST /v1/jobs/bulk`: each job is answered at its place, alone, and known again by its idempotency key.
pub fn bulk(data: &[u8]) {
    on_world(|world| {
        let call = Call::new("POST", "/v1/jobs/bulk").key("$ADMIN").json(data);
        let answer = world.ask(&call);
        if answer.is_one_of(&[200, 400, 413, 415, 422]).status != 200 {
            return;
        }
        let asked: Bulk<'_> = serde_json::from_slice(data).unwrap_or_default();
        let (first, again) = (results(&answer), results(&world.ask(&call)));
        // With names in its place the text that was sent is another than the input, and need not be looked into.
        let count = if data.contains(&b'$') {
            first.len()
        } else {
            asked.jobs.len()
        };
        assert_eq!((first.len(), again.len()), (count, count), "{answer}");
        for (place, (first, again)) in first.iter().zip(&again).enumerate() {
            hold(world, place, first);
            let keyed = asked.jobs.get(place).is_some_and(|job| has_key(job));
            if keyed && first["id"].is_string() {
                assert_eq!(
                    (&again["id"], &again["status"]),
                    (&first["id"], &Value::from(200)),
                    "{again}"
                );
            }
        }
    });
}

/// What a bulk asks for.
#[derive(Default, Deserialize)]
struct Bulk<'a> {
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// Whether a job of a bulk can be known again.
fn has_key(job: &RawValue) -> bool {
    let job: Result<Value, _> = serde_json::from_str(job.get());
    job.is_ok_and(|job| job["idempotency_key"].is_string())
}

fn results(answer: &Answer) -> Vec<Value> {
    answer.json()["results"].as_array().expect("results").clone()
}

fn hold(world: &World, place: usize, result: &Value) {
    assert_eq!(result["index"], place, "{result}");
    let status = result["status"].as_u64().expect("a status");
    assert!([200, 201, 409, 413, 422].contains(&status), "{result}");
    assert_eq!(result["id"].is_string(), status < 300, "{result}");
    assert_eq!(result["error"].is_object(), status >= 300, "{result}");
    if status < 300 {
        assert_eq!(world.read(&path(result)).status, 200, "{result}");
    }
}
