//! Lists: what is asked for, and where a page begins.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::{
    call::Call,
    world::{World, on_world},
};

/// The lists, by the names that cursors know them by.
const LISTS: &[(&str, &str)] = &[
    ("jobs", "/v1/jobs"),
    ("dead-letters", "/v1/dead-letters"),
    ("queues", "/v1/queues"),
    ("robots", "/v1/robots"),
    ("keys", "/v1/keys"),
];

/// The query of a list of jobs: it is right or refused, and the next page can be had.
pub fn query(data: &[u8]) {
    on_world(|world| {
        let path = [b"/v1/jobs?".as_slice(), data].concat();
        let Some(answer) = world.send(&Call::new("GET", path).key("$ADMIN")) else {
            return;
        };
        if answer.is_one_of(&[200, 422]).status == 200 {
            let page = answer.json();
            assert!(
                page["items"].as_array().is_some_and(|jobs| jobs.len() <= 200),
                "{answer}"
            );
            if let Some(cursor) = page["next_cursor"].as_str() {
                assert_eq!(world.read(&format!("/v1/jobs?cursor={cursor}")).status, 200);
            }
        }
    });
}

/// A cursor: only those that were given are taken, and none that was forged leads to a fault.
pub fn cursor(data: &[u8]) {
    on_world(|world| {
        for (name, path) in LISTS {
            look(world, path, data);
            // Whoever knows how cursors are made can make any.
            let body = [name.as_bytes(), b"/", data].concat();
            let forged = [format!("{:08x}/", crc32fast::hash(&body)).as_bytes(), data].concat();
            let taken = look(world, path, BASE64_URL_SAFE_NO_PAD.encode(forged).as_bytes());
            assert!(!taken || is_position(data), "{name}: {}", data.escape_ascii());
        }
    });
}

/// Whether the list at `path` takes `text` as a cursor.
fn look(world: &World, path: &str, text: &[u8]) -> bool {
    let text = percent_encode(text, NON_ALPHANUMERIC);
    let answer = world.read(&format!("{path}?cursor={text}"));
    answer.is_one_of(&[200, 422]).status == 200
}

/// Whether a list would write a position just so: microseconds and an id.
fn is_position(data: &[u8]) -> bool {
    let text = std::str::from_utf8(data).ok().and_then(|text| text.split_once('/'));
    text.is_some_and(|(micros, _)| micros.parse().is_ok_and(|number: i64| number.to_string() == micros))
}
