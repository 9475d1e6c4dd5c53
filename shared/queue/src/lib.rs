//! The queue: the seam to what keeps it, and the operations on it.
//!
//! It loads, lets `domain` decide, and commits. It never decides itself, never reads a clock or draws chance by itself,
//! and knows no store by name.

pub mod hints;
pub mod memory;
pub mod store;
