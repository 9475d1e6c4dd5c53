//! Schemathesis against a real local server: requests made of the server's own `OpenAPI` document, right ones and wrong ones,
//! and everything that is answered held against that document.
//!
//! What is checked, and by whose keys, is in `schemathesis.toml`; what the document has no words for is in `hooks.py`.

mod server;
mod surroundings;
mod tool;

pub use self::{server::server, surroundings::Surroundings, tool::Schemathesis};
