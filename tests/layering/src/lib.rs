//! Holds what ARCHITECTURE.md says of the crates: who may build on whom, and that the inner ones ask neither clock nor chance.
//!
//! The rules are here, and take plain values; the tests beside them hold them up to the workspace as it is.

pub mod edges;
pub mod purity;
