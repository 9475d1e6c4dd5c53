//! timeout-sweep.
