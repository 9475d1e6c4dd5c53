//! The HTTP contract, sentence by sentence, over the routers of all functions as one.
//!
//! A case is an async function named as the sentence it shows. It gets a [`World`] of its own and never asks which store
//! lies below. [`suite!`] makes a named test of each case for one store.

#![expect(clippy::missing_panics_doc, reason = "a case fails by panicking")]

pub mod cases;
mod flaky;
mod reply;
mod robot;
pub mod samples;
mod world;

pub use self::{
    flaky::FlakyStore,
    reply::Reply,
    robot::TestRobot,
    world::{Call, MovableClock, NOW, World, document, router},
};
