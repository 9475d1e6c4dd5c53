//! queue-sqlite.
