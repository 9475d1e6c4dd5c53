//! The command line: what every command shares, and what the help says about exit codes.

use clap::{Args, Parser};

use crate::commands::Command;

/// Where a server is looked for when nothing else is said: where `remuda dev` listens.
const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Printed below the help of `remuda`.
const AFTER_HELP: &str = "\
Output:
  Tables are for people and may change; --json prints one JSON document:
  the API's answer as it is; a list is {\"items\": [...], \"next_cursor\": ...},
  also when several pages were read; a failure is one object on stderr.
  Colours and progress bars appear on a terminal only; NO_COLOR turns the
  colours off.

Exit codes:
  0    done; a job that was waited for succeeded
  1    the server refused, or a job that was waited for did not succeed
  2    the command line, or a file given on it, is wrong
  3    the server cannot be reached or cannot serve now: try again later
  4    no such job, robot, queue or key
  5    the key is missing, unknown or lacks a scope
  130  interrupted

Environment:
  REMUDA_URL, REMUDA_KEY  the server and the key, as --url and --key";

/// Submit jobs to robots, and see what becomes of them.
#[derive(Debug, Parser)]
#[command(name = "remuda", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What every command shares.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server's address
    #[arg(long, global = true, env = "REMUDA_URL", default_value = DEFAULT_URL, value_name = "URL")]
    pub(crate) url: String,
    /// The key.
    #[arg(
        help = "The key; prefer REMUDA_KEY, which the list of processes does not show",
        long,
        global = true,
        env = "REMUDA_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) key: Option<String>,
    /// Print the API's JSON, as one document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors, no hints and no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_key_is_not_shown_by_help() {
        let key = Cli::command();
        let key = key
            .get_arguments()
            .find(|argument| argument.get_id() == "key")
            .expect("there is a key option");
        assert!(key.is_hide_env_values_set());
    }

    #[test]
    fn every_exit_code_is_documented() {
        use crate::failure::Exit;
        for exit in Exit::ALL {
            let code = exit.code().to_string();
            assert!(
                AFTER_HELP
                    .lines()
                    .any(|line| line.split_whitespace().next() == Some(code.as_str())),
                "{exit:?} ({code}) is not in the help"
            );
        }
    }
}
