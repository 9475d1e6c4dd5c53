//! submit.

fn main() {}
