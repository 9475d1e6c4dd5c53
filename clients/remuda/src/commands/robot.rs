//! `remuda robot`: the robot agent, for whoever has only this program.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

/// What the agent is called, and by which name this program acts as it.
const AGENT: &str = "remuda-robot";

/// The agent's own arguments.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Robot {
    /// What `remuda-robot` takes; `remuda robot --help` tells
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Runs the agent until it ends.
pub(crate) fn run(robot: Robot) -> ExitCode {
    remuda_robot::main_with_args(std::iter::once(OsString::from(AGENT)).chain(robot.arguments))
}

/// Whether a program that was started as `name` is to act as the agent.
pub(crate) fn is_agent(name: Option<&OsStr>) -> bool {
    name.map(Path::new).and_then(Path::file_stem) == Some(OsStr::new(AGENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_acts_as_the_agent_by_its_name() {
        assert!(is_agent(Some(OsStr::new("/usr/local/bin/remuda-robot"))));
        assert!(is_agent(Some(OsStr::new("remuda-robot.exe"))));
        assert!(!is_agent(Some(OsStr::new("/usr/local/bin/remuda"))));
        assert!(!is_agent(None));
    }
}
