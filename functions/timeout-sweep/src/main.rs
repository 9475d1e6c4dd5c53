//! timeout-sweep.

fn main() {}
