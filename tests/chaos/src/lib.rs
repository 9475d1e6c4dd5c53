//! Live chaos: real servers, real robots and real stores, killed, stopped and held still at random, and a checker of what
//! became of every job.
//!
//! The programs are those that people run. What is believed is only what can be seen from outside: what submitters were
//! told, what the servers' lists and histories say, and a file in which each attempt writes what it did. The checker is
//! pure, and is shown to see: it is handed histories with a fault in them, and has to name each.

mod answers;
mod bar;
mod check;
mod cluster;
mod effects;
mod evidence;
mod fault;
mod figures;
mod fleet;
mod front;
mod order;
mod post;
mod process;
mod record;
mod report;
mod run;
mod stage;
mod store;
mod story;
mod submit;
mod trouble;
mod work;

pub use check::{Defect, Rule};
pub use figures::{Recovery, Spread};
pub use report::Report;
pub use run::{Outcome, Programs, Settings, run};
pub use store::StoreKind;
pub use work::work;
