//! dispatch.

fn main() {}
