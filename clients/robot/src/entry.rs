//! The command line: arguments in, an exit code out.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use crate::settings::{Overrides, SettingsError};
use crate::state_folder::StateFolderError;
use crate::{Ended, RunError, Settings, Shutdown, run};

/// A few threads are enough: one keeps the leases while another waits for the disk.
const THREADS: usize = 2;

const EXIT_CODES: &str = "\
Exit codes:
  0  drained: told to end, and finished what ran
  1  cannot start or go on: the message says why
  2  wrong arguments or settings
  3  another process uses the state folder
  4  the server does not take this robot's key, or does not register it
  5  another process has become this robot
  6  told to end at once: stopped what ran";

/// Takes jobs from a Remuda server and runs the command that its settings give for each workflow.
#[derive(Debug, Clone, Parser)]
#[command(name = "remuda-robot", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The settings file.
    #[arg(
        long,
        short,
        env = "REMUDA_ROBOT_SETTINGS",
        default_value = "robot.toml",
        value_name = "FILE"
    )]
    settings: PathBuf,
    /// Check the settings, say what is wrong with them, and end.
    #[arg(long)]
    check: bool,
    /// The server's address, in place of the settings'.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The state folder, in place of the settings'.
    #[arg(long, value_name = "FOLDER")]
    state_folder: Option<PathBuf>,
    /// The robot's name, in place of the settings'.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Runs the robot with these arguments, the program's name first, until it ends.
pub fn main_with_args(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => main_with(&arguments),
        Err(told) => {
            // Help and version come this way too, and are no mistake. A closed terminal is no reason to fail.
            let _ = told.print();
            ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2))
        }
    }
}

/// Runs the robot with arguments that are parsed already, until it ends.
pub fn main_with(arguments: &Arguments) -> ExitCode {
    start_logging();
    match load(arguments) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Ok(settings) if arguments.check => {
            println!(
                "{}: fine. {} workflows, server {}",
                arguments.settings.display(),
                settings.workflows.len(),
                settings.url
            );
            ExitCode::SUCCESS
        }
        Ok(settings) => live(settings),
    }
}

fn load(arguments: &Arguments) -> Result<Settings, SettingsError> {
    let overrides = Overrides {
        url: arguments.url.clone(),
        state_folder: arguments.state_folder.clone(),
        name: arguments.name.clone(),
    };
    Settings::load(&arguments.settings, &overrides, |name| std::env::var(name).ok())
}

fn live(settings: Settings) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("Cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        match Shutdown::on_signals() {
            Ok(shutdown) => Some(run(settings, shutdown).await),
            Err(error) => {
                error!("Cannot hear signals: {error}");
                None
            }
        }
    });
    // A disk that does not answer must not hold the end up.
    runtime.shutdown_background();
    ended.map_or(ExitCode::FAILURE, exit_code)
}

fn exit_code(ended: Result<Ended, RunError>) -> ExitCode {
    match ended {
        Ok(Ended::Drained) => {
            info!("Drained");
            ExitCode::SUCCESS
        }
        Ok(Ended::Stopped) => ExitCode::from(6),
        Err(error) => {
            error!("{error}");
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &RunError) -> u8 {
    match error {
        RunError::StateFolder(StateFolderError::InUse { .. }) => 3,
        RunError::NoRegistrationKey | RunError::NotRegistered { .. } | RunError::KeyRefused { .. } => 4,
        RunError::Superseded => 5,
        _ => 1,
    }
}

/// Logs to stderr: `RUST_LOG` chooses what, `info` if it says nothing. A program that logs already goes on as it does.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }
}
