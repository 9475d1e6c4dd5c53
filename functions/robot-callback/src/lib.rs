//! robot-callback.
