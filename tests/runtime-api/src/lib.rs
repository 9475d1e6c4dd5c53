//! Stands in for the HTTP API that Lambda offers to a function's process, and starts functions against it: for tests, and
//! to measure how long a start takes.
//!
//! It speaks what the runtime library of a function needs: `invocation/next`, `response`, `error` and `init/error`. It
//! freezes nothing, limits neither memory nor processor, and starts one process a time for whoever asks.

mod api;
mod start;

pub use self::{
    api::RuntimeApi,
    start::{Answer, Observed, Start},
};
