//! Starts real servers for tests, benches and demos: each on a free port of loopback, with its data in a temporary folder, and gone when
//! its owner is, even when that is killed.
//!
//! It never starts a pretended server in the place of a real one: what is missing is an error that says how to get it.

mod account;
mod folder;
mod port;
mod postgres;

pub use postgres::{Builder, Cluster, Postgres, TEST_POSTGRES, shared};
