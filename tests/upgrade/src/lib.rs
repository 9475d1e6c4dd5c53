//! Upgrades: the version before this one and this one, as programs of their own, on one store at the same time.
//!
//! A deployment replaces one function after the other, so for some minutes both versions serve one store. `previous` names the
//! commit of the version before; its program is built once and kept below the target folder. Whoever releases a version writes its
//! commit there, and from then on the next one is held to it.
//!
//! `remuda dev` applies its own migrations when it starts, which functions on AWS never do: so these tests ask a little more than an
//! upgrade does, that the version before starts on a schema that is newer than it.

#![expect(clippy::missing_panics_doc, reason = "what does not start fails the test")]

mod previous;
mod programs;
mod robot;
mod server;
mod sides;
mod stores;
pub mod work;

pub use programs::Version;
pub use robot::{Fleet, Robot};
pub use server::Server;
pub use sides::Sides;
pub use stores::{Place, postgres, sqlite, sqs};
