//! What a robot writes beside its job.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::{
    call::Call,
    world::{World, on_world},
};

/// The largest chunk, unpacked.
const CHUNK_BYTES_MAX: u64 = 256 << 10;

/// A chunk of a log, packed where the first byte is odd: what is taken is read as it was before it was packed.
pub fn log(data: &[u8]) {
    let Some((first, chunk)) = data.split_first() else {
        return;
    };
    let packed = first % 2 == 1;
    on_world(|world| {
        let call = |chunk: &[u8]| {
            let call = Call::new("PUT", "/v1/jobs/$JOB/attempts/1/log/0").key("$ROBOT_KEY");
            let call = call
                .header("x-lease-token", "$TOKEN")
                .header("content-type", "text/plain");
            let encoding = if packed { "gzip" } else { "identity" };
            world.ask(&call.header("content-encoding", encoding).body(chunk))
        };
        let answer = call(chunk);
        if answer.is_one_of(&[204, 400, 413]).status != 204 {
            assert!(packed || world.filled(chunk).len() > 256 << 10, "{answer}");
            return;
        }
        assert_eq!(call(chunk).status, 204, "the same chunk again");
        let sent = world.filled(chunk);
        let unpacked = if packed { unpacked(&sent) } else { sent };
        assert_eq!(world.read("/v1/jobs/$JOB/logs").body, unpacked);
        if !packed {
            let other = [chunk, b"!"].concat();
            assert_eq!(call(&other).status, 409, "another chunk in its place");
        }
    });
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed)
        .take(CHUNK_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .expect("what was taken can be unpacked");
    bytes
}

/// A checkpoint: any JSON is taken, and what is not JSON is not.
pub fn checkpoint(data: &[u8]) {
    on_world(|world| {
        let call = Call::new("PUT", "/v1/jobs/$JOB/attempts/1/checkpoints/page").key("$ROBOT_KEY");
        let call = call.header("x-lease-token", "$TOKEN").json(data);
        let answer = world.ask(&call);
        if answer.is_one_of(&[204, 400, 413, 415]).status == 204 {
            assert!(app::json::check(&world.filled(data)).is_ok(), "it is no JSON");
            assert_eq!(world.ask(&call).status, 204, "the same again");
            handed_on(world);
        }
    });
}

/// Holds that the next attempt is handed what was kept, in an answer that can be read.
fn handed_on(world: &World) {
    let ask = |path: &str, body: &str| {
        let answer = world.ask(&Call::new("POST", path).key("$ROBOT_KEY").json(body));
        answer.is_one_of(&[200]).readable()
    };
    // A session without it takes the job away from the robot, and the next sync gives it back as another attempt.
    ask("/v1/robots/$ROBOT/session", "{}");
    let sync = r#"{"epoch":2,"seq":1,"state":"idle","free_slots":3}"#;
    let Some(told) = ask("/v1/robots/$ROBOT/sync", sync) else {
        return;
    };
    let mut given = told["assign"].as_array().expect("jobs").iter();
    let job = given.find(|job| job["job_id"] == world.named("$JOB"));
    let kept = job.and_then(|job| job["checkpoints"].as_object());
    assert!(kept.is_some_and(|kept| kept.contains_key("page")), "{told}");
}
