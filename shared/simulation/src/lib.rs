//! A seeded simulation of the whole: several tenants, servers and fleets in one thread, by a virtual clock, on a store that
//! lets its callers down. Everything that is written is held against the rules the moment it is written.
//!
//! The operations are the real ones. What is simulated is what lies around them: time, the network, the store's faults,
//! hints, schedules, people and robots. The same seed gives the same run. It never waits for anything real.

mod client;
mod holidays;
mod mailbox;
mod operator;
pub mod plan;
mod rest;
mod robot;
pub mod run;
mod scheduler;
mod server;
pub mod shrink;
mod tally;
mod witness;
mod world;
