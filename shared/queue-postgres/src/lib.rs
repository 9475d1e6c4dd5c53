//! queue-postgres.
