//! Keys: as they are shown, and as they are made.

use app::keys::ShownKey;
use axum::http::HeaderValue;

use crate::{
    call::Call,
    world::{World, on_world},
};

/// The value of the header `Authorization` or `X-API-Key`: whoever does not show a whole key that is stored is nobody.
pub fn api_key(data: &[u8]) {
    on_world(|world| {
        let value = world.filled(data);
        if HeaderValue::from_bytes(&value).is_err() {
            return;
        }
        let bearer = value
            .split_at_checked("Bearer ".len())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        look(world, "authorization", &value, bearer.map(|(_, key)| key));
        look(world, "x-api-key", &value, Some(&value));
        if let Some(shown) = ShownKey::parse(&value) {
            let id = shown.id.as_str().trim_start_matches("key_").as_bytes();
            assert!(
                value.starts_with(b"rk_") && value[3..].starts_with(id),
                "it has another id"
            );
        }
    });
}

/// Shows `value` in the header `name`, of which `key` is the key.
fn look(world: &World, name: &str, value: &[u8], key: Option<&[u8]>) {
    let answer = world.ask(&Call::new("GET", "/v1/stats").header(name, value));
    let is = |known: &str| key.is_some_and(|key| key.trim_ascii() == world.named(known).as_bytes());
    let expected = if is("$ADMIN") {
        200
    } else if is("$ROBOT_KEY") {
        // A robot's key speaks for its robot and for nothing else.
        403
    } else {
        401
    };
    assert_eq!(answer.status, expected, "{name}: {}", value.escape_ascii());
}

/// The body of `POST /v1/keys`: a key that is made can do what was asked for, until it is revoked.
pub fn create_key(data: &[u8]) {
    on_world(|world| {
        let answer = world.ask(&Call::new("POST", "/v1/keys").key("$ADMIN").json(data));
        if answer.is_one_of(&[201, 400, 413, 415, 422]).status != 201 {
            return;
        }
        let key = answer.json();
        let (id, text) = (key["id"].as_str().expect("an id"), key["key"].as_str().expect("a key"));
        let scopes = key["scopes"].as_array().expect("scopes");
        let may = |scope: &str| scopes.iter().any(|given| given == scope || given == "admin");
        let stats = || world.ask(&Call::new("GET", "/v1/stats").key(text)).status;
        assert_eq!(stats(), if may("jobs:read") { 200 } else { 403 }, "{answer}");
        let revoke = Call::new("DELETE", format!("/v1/keys/{id}")).key("$ADMIN");
        assert_eq!(world.ask(&revoke).status, 204, "{answer}");
        assert_eq!(stats(), 401, "{answer}");
    });
}
