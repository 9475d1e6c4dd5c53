//! The crash matrix: every operation is killed once at each point between two of its effects, on each store, by a process
//! that really aborts; then whoever asked asks again, the sweep comes by, and nothing may be lost, done twice, or stuck.
//!
//! Points are not listed by hand: [`queue_conformance::points`] finds them by what an operation writes. That no operation,
//! and no line of one that writes, is left out is held by [`source`], which reads the operations' source.

pub mod child;
pub mod matrix;
pub mod place;
pub mod reads;
pub mod recovery;
pub mod scenario;
pub mod scenarios;
pub mod source;
