//! `remuda store copy` as a person or a script runs it: real stores, a system that was at work, what is said, exit codes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

/// These start servers of their own.
mod heavy;
mod program;
mod refusals;
mod system;
