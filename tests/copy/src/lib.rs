//! Copies of whole stores: between every two kinds of store, stopped anywhere, refused where they would spoil something.

pub mod contents;
pub mod stores;
pub mod system;
