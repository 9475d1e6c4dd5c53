//! The targets, by what they read.

pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod notes;
pub(crate) mod operators;
pub(crate) mod records;
pub(crate) mod reports;
pub(crate) mod requests;
pub(crate) mod robots;
pub(crate) mod settings;
pub(crate) mod submissions;
pub(crate) mod texts;
