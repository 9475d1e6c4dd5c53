//! The functions as Lambda runs them: by `cargo lambda watch`, with `remuda aws-local` around it, and nothing less.

#![expect(clippy::missing_panics_doc, reason = "what does not start fails the test")]

mod local;
mod programs;
mod robots;

pub use local::{Local, LocalBuilder};
pub use programs::{PROGRAMS, root};
pub use robots::Robot;
