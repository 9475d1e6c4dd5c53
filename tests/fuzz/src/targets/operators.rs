//! What operators send.

use serde_json::Value;

use crate::{call::Call, world::on_world};

/// The body of a bulk change: nothing changes in a dry run, and otherwise no more than what was met.
pub fn bulk_change(data: &[u8]) {
    on_world(|world| {
        for path in ["/v1/jobs/bulk-cancel", "/v1/jobs/bulk-retry"] {
            let answer = world.ask(&Call::new("POST", path).key("$ADMIN").json(data));
            if answer.is_one_of(&[200, 400, 413, 415, 422]).status != 200 {
                return;
            }
            let done = answer.json();
            let (matched, changed) = (count(&done["matched"]), count(&done["changed"]));
            let asked: Value = serde_json::from_slice(&world.filled(data)).expect("it has been read before");
            let dry = asked["dry_run"] == true;
            assert!(changed <= if dry { 0 } else { matched }, "{path}: {answer}");
            assert!(
                asked["filter"].as_object().is_some_and(|filter| !filter.is_empty()),
                "{answer}"
            );
        }
    });
}

fn count(value: &Value) -> u64 {
    value.as_u64().expect("a count")
}

/// The body of `PUT /v1/queues/{name}`: the queue is then as it was asked for, and asking again changes nothing.
pub fn set_queue(data: &[u8]) {
    on_world(|world| {
        let call = Call::new("PUT", "/v1/queues/default").key("$ADMIN").json(data);
        let answer = world.ask(&call);
        if answer.is_one_of(&[200, 400, 413, 415, 422]).status != 200 {
            return;
        }
        let queue = answer.json();
        let asked: Value = serde_json::from_slice(&world.filled(data)).expect("it has been read before");
        for name in ["paused", "strategy"] {
            assert!(asked[name].is_null() || asked[name] == queue[name], "{name}: {answer}");
        }
        let seconds = queue["lease_seconds"].as_u64().expect("a number");
        assert!((10..=3_600).contains(&seconds), "{answer}");
        assert_eq!(world.ask(&call).json(), queue);
        let listed = world.read("/v1/queues").json();
        assert!(
            listed["items"].as_array().is_some_and(|queues| queues.contains(&queue)),
            "{listed}"
        );
    });
}
