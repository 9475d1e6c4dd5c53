//! How a robot introduces itself.

use serde_json::Value;

use crate::{call::Call, world::on_world};

/// The body of `POST /v1/robots`: a robot that is taken is there as it said, and its key opens its session and no other.
pub fn register(data: &[u8]) {
    on_world(|world| {
        let answer = world.ask(&Call::new("POST", "/v1/robots").key("$ADMIN").json(data));
        if answer.is_one_of(&[201, 400, 413, 415, 422]).status != 201 {
            return;
        }
        let registered = answer.json();
        let text = |name: &str| registered[name].as_str().expect("text").to_owned();
        let (id, key) = (text("robot_id"), text("key"));
        let robot = world.read(&format!("/v1/robots/{id}")).json();
        let asked: Value = serde_json::from_slice(&world.filled(data)).expect("it has been read before");
        assert_eq!(robot["name"], asked["name"], "{robot}");
        for (name, usual) in [("environment", Value::Null), ("version", Value::Null)] {
            let wanted = asked.get(name).cloned().unwrap_or(usual);
            assert_eq!(robot[name], wanted, "{robot}");
        }
        let session = |id: &str| Call::new("POST", format!("/v1/robots/{id}/session")).key(&key);
        assert_eq!(world.ask(&session(&id)).json()["epoch"], 1, "{robot}");
        assert_eq!(world.ask(&session("$ROBOT")).status, 403, "{robot}");
    });
}
