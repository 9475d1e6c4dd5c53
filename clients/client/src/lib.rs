//! The HTTP client that people's tools and robots share: one connection pool, one key, one kind of error.
//!
//! It turns what the server says into values: a body that was asked for, or a [`CallError`] that tells a refusal
//! (with the server's problem document) from a server that cannot be reached and from an answer that makes no sense.
//! It never repeats a call by itself ([`Retry`] does, where the caller says that it is safe), never follows a
//! redirect (a key must not travel to another place), and never prints the key.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")
)]

mod address;
mod call;
mod client;
mod error;
mod problem;
mod retry;
mod tls;

pub use address::segment;
pub use call::{Answer, Call};
pub use client::{CALL_TIMEOUT, CONNECT_TIMEOUT, Client};
pub use error::CallError;
pub use problem::{Problem, ProblemEntry};
pub use reqwest::header::HeaderMap;
pub use reqwest::{Method, StatusCode};
pub use retry::Retry;
