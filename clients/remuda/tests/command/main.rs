//! The command as a script sees it: what it sends, what it prints, how it ends.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod reading;
mod refusals;
mod routes;
mod submitting;
mod support;
mod watching;
