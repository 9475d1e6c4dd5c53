//! The queue: the seam to what keeps it, and the operations on it.
//!
//! It loads, lets `domain` decide, and commits. It never decides itself, never reads a clock or draws chance by itself,
//! and knows no store by name.

mod codec;
pub mod combine;
pub mod copy;
mod engine;
pub mod hints;
mod lane;
pub mod mark;
pub mod memory;
pub mod operations;
pub mod range;
mod recent;
pub mod store;
mod transition;

pub use self::{
    codec::{job_in, robot_in},
    engine::{Clock, Engine, Entropy, Refusal, Settings},
    operations::*,
    store::{Store, StoreError},
};
