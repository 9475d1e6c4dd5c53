//! robot-callback.

fn main() {}
