//! The protocol between clients, servers and robots, explored to its last state for small numbers of each.
//!
//! Jobs and robots are the domain's own, and what becomes of them is decided by [`domain::Job::apply`] and the methods of
//! [`domain::Robot`]. What is modelled is what lies between them: calls that load, decide and write in steps of their own,
//! each of which may be the last because a server dies; messages that are lost or come twice; robots that die, and robots
//! that are only slow. A write is refused when what it was decided on has been written since. It is smaller than the
//! operations on purpose: it has no batches, no lists and no blobs.

mod body;
mod call;
pub mod limits;
pub mod properties;
pub mod world;
