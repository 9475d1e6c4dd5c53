//! The program, as Lambda starts it.

use std::process::Command;

#[test]
fn on_lambda_it_does_not_start_without_a_store_and_says_so() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dispatch"));
    program.env_clear().env("AWS_LAMBDA_FUNCTION_NAME", "dispatch");
    let output = program.output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("REMUDA_STORE"), "{said}");
}
