//! What drives one contestant of the benchmark: a queue behind [`Peer`], measured case by case in a process of its own.
//!
//! A driver is called with a case and prints one line of JSON, its [`Figures`]. It never starts a server, never drops what
//! it did not make, and names no queue: those are in the programs that use it. Contestants in other languages have the
//! same cases in `peers/python` and `peers/node`, and the same lines.

mod cases;
mod cli;
mod figures;
mod payload;
mod peer;
mod poll;
mod seen;
mod stop;

pub use cases::run;
pub use cli::{Call, Case, run_to_line};
pub use figures::{Figures, Latency};
pub use payload::{PAYLOAD_BYTES, Payload};
pub use peer::{Peer, Way};
pub use poll::Poll;
pub use seen::Seen;
pub use stop::Stop;
