//! The robot agent: takes jobs from a Remuda server and runs the commands that its settings give for them.

use std::process::ExitCode;

fn main() -> ExitCode {
    remuda_robot::main_with_args(std::env::args_os())
}
