//! Whole requests, one after the other.

use crate::{call::Call, world::on_world};

/// How many requests of one input are sent.
const CALLS_MAX: usize = 8;

/// Requests as text, to any route, by anybody: none is a fault of the server, and all of them leave it whole.
pub fn request(data: &[u8]) {
    on_world(|world| {
        for call in Call::all(data, CALLS_MAX) {
            world.send(&call);
        }
    });
}
