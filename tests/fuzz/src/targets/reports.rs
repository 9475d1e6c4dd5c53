//! What a robot says of its work. Sent again, it is answered as before.

use serde_json::Value;

use crate::{
    call::Call,
    holding::Answer,
    world::{World, on_world},
};

/// What the routes of a robot are answered with.
const STATUSES: &[u16] = &[200, 400, 409, 413, 415, 422];

fn post(path: &str, data: &[u8]) -> Call {
    Call::new("POST", path).key("$ROBOT_KEY").json(data)
}

/// The answer to `call`, if the report was taken.
fn taken(world: &World, call: &Call) -> Option<Answer> {
    let answer = world.ask(call);
    (answer.is_one_of(STATUSES).status == 200).then_some(answer)
}

/// The body of a session: each one that is opened has the next number.
pub fn session(data: &[u8]) {
    on_world(|world| {
        let call = post("/v1/robots/$ROBOT/session", data);
        for epoch in 2..=3 {
            let Some(answer) = taken(world, &call) else { return };
            assert_eq!(answer.json()["epoch"], epoch, "{answer}");
        }
    });
}

/// The body of a sync: no more is given than there are slots for, and the same sync gets the same jobs again.
pub fn sync(data: &[u8]) {
    on_world(|world| {
        let call = post("/v1/robots/$ROBOT/sync", data);
        let Some(answer) = taken(world, &call) else { return };
        let told = answer.json();
        let asked: Value = serde_json::from_slice(&world.filled(data)).expect("it has been read before");
        let given = told["assign"].as_array().expect("jobs");
        // However a number is written, it is at least 1 where something is given.
        assert!(
            given.is_empty() || asked["free_slots"].as_f64() >= Some(1.0),
            "{answer}"
        );
        assert!(given.len() <= 3, "a robot holds no more than it may: {answer}");
        let again = world.ask(&call);
        assert_eq!(
            (again.status, &again.json()["assign"]),
            (200, &told["assign"]),
            "{again}"
        );
    });
}

/// The body of a finish: the job's state is the one that was answered, and the report has no second effect.
pub fn finish(data: &[u8]) {
    on_world(|world| {
        let call = post("/v1/jobs/$JOB/attempts/1/finish", data);
        let Some(answer) = taken(world, &call) else { return };
        let job = world.read("/v1/jobs/$JOB");
        if let Some(job) = job.readable() {
            assert_eq!(answer.json()["state"], job["state"], "{answer}");
        }
        assert_eq!(world.ask(&call).json(), answer.json(), "{answer}");
        assert_eq!(world.read("/v1/jobs/$JOB").body, job.body, "{answer}");
    });
}

/// The body of a release: a job that is given back is ready, and not the robot's any more.
pub fn release(data: &[u8]) {
    on_world(|world| {
        let Some(answer) = taken(world, &post("/v1/jobs/$LEASED/attempts/1/release", data)) else {
            return;
        };
        assert_eq!(answer.json()["state"], "ready", "{answer}");
        let job = world.read("/v1/jobs/$LEASED").json();
        assert_eq!(job["state"], "ready", "{job}");
        assert_eq!(job["attempts_left"], 3, "a job that was not begun burns nothing: {job}");
    });
}
