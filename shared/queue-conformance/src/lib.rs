//! queue-conformance.
