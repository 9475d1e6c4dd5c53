//! The robot agent: takes jobs from a Remuda server and runs a command of its owner's for each.
//!
//! It speaks to the server over HTTPS with one key and keeps the contract's promises from the robot's side: work starts
//! only once the server has marked it as running, stops when its lease is lost, and its report is kept on disk until it is
//! answered. What decides ([`book`], [`report`], [`lines`], [`log_buffer`]) is pure; what acts is around it.
//!
//! It never runs a command that its own settings do not name: a server chooses workflows, never programs.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")
)]

mod agent;
mod board;
mod book;
mod calls;
mod checkpoints;
mod entry;
mod identity;
mod job;
mod lines;
mod log_buffer;
mod log_pump;
mod outbox;
mod output;
mod process;
mod protocol;
mod report;
mod run;
mod server;
mod settings;
mod shutdown;
mod state_folder;
mod stopper;
mod watchdog;
mod work_folder;

pub use entry::{Arguments, main_with, main_with_args};
pub use run::{Ended, RunError, run};
pub use settings::{Overrides, Settings, SettingsError, Workflow};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use state_folder::StateFolderError;
