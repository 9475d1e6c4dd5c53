//! Random runs of the operations, and a plain model of the contract to hold them against.
//!
//! A [`step::Step`] is what a test draws at random; the [`book::Book`] of what clients and robots know makes a
//! [`call::Call`] of it; a [`world::World`] makes the call on an engine over a store, and the [`model::Model`] says what the
//! contract answers. Jobs, robots and leases go by small numbers here, so that answers can be compared.
//!
//! A [`fleet::Fleet`] is clients and robots that keep to the rules on a store that does not.

pub mod book;
pub mod call;
pub mod fleet;
pub mod machine;
pub mod model;
pub mod run;
pub mod step;
pub mod stores;
pub mod world;
