//! `cargo lambda watch`: the functions of a workspace behind one port, run as Lambda runs them.

mod cargo;
mod program;

use std::env;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
pub use cargo::cargo;
pub use program::{CARGO_LAMBDA, cargo_lambda, zig};

use crate::keeper::{Keeper, Kind};
use crate::{folder, port};

/// How long it may take until it listens, from the moment when it says that it is about to.
const LISTENS_AFTER_MAX: Duration = Duration::from_secs(10);

const KIND: Kind = Kind {
    name: "cargo lambda watch",
    // Told so, it ends the functions first, and itself after a second at the latest.
    stopped_by: "TERM",
    is_up: |line| line.contains("starting Runtime server"),
    gave_up: |line| line.starts_with("error") || line.starts_with("Error"),
    surround: cargo::surround,
    hear: |_| {},
};
static QUIET: Kind = KIND;
static LOUD: Kind = Kind { hear: tell, ..KIND };

/// Runs a command in the folder that comes first.
const RUN_IN: &str = r#"cd "$1" && shift && exec "$@""#;

/// A running `cargo lambda watch` on loopback: ended, with the functions that it runs, when dropped and when the process ends in any way.
pub struct LambdaWatch {
    port: u16,
    keeper: Keeper,
}

impl LambdaWatch {
    /// One for the workspace in this folder, to be set up before it starts.
    pub fn builder(workspace: &Path) -> LambdaWatchBuilder {
        LambdaWatchBuilder {
            workspace: workspace.to_owned(),
            port: 0,
            instances: 1,
            variables: Vec::new(),
            functions: None,
            reload: true,
            quiet: false,
        }
    }

    /// Where the functions are called: their routes, and `/2015-03-31/functions/NAME/invocations`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder that holds what it was started with, gone when it is.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }
}

/// How `cargo lambda watch` is started.
#[derive(Debug, Clone)]
pub struct LambdaWatchBuilder {
    workspace: PathBuf,
    port: u16,
    instances: usize,
    variables: Vec<(String, String)>,
    functions: Option<PathBuf>,
    reload: bool,
    quiet: bool,
}

impl LambdaWatchBuilder {
    /// Has it listen on this port; 0, as without this, is a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> LambdaWatchBuilder {
        self.port = port;
        self
    }

    /// Runs up to so many instances of each function at once, each of which answers one call at a time; one without this.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> LambdaWatchBuilder {
        self.instances = instances;
        self
    }

    /// Sets a variable in the environment of all functions; the value has no `'` and no line break.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> LambdaWatchBuilder {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the programs of this folder as they are, and neither builds them nor takes in changes of the code.
    #[must_use]
    pub fn functions(mut self, folder: &Path) -> LambdaWatchBuilder {
        self.functions = Some(folder.to_owned());
        self.reload = false;
        self
    }

    /// Keeps what it and the functions log off our standard error.
    #[must_use]
    pub fn quiet(mut self) -> LambdaWatchBuilder {
        self.quiet = true;
        self
    }

    /// Starts it; it takes calls when this returns, and starts a function, which it may have to build, with the first call.
    pub fn start(self) -> anyhow::Result<LambdaWatch> {
        let program = cargo_lambda()?;
        match self.port {
            0 => port::with_free(|port| self.start_on(port, &program)),
            port => self.start_on(port, &program),
        }
    }

    fn start_on(&self, port: u16, program: &Path) -> anyhow::Result<LambdaWatch> {
        // Asked before, for afterwards it could be somebody else who answers.
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port} is in use"))?;
        let folder = folder::make("remuda-lambda-", None)?;
        let variables = folder.path().join("variables");
        fs::write(&variables, env_file(&self.variables)?).context("cannot write the functions' environment")?;
        let mut serve = Command::new("/bin/sh");
        serve.args(["-c", RUN_IN, "sh"]).arg(&self.workspace);
        if let Some(functions) = &self.functions {
            serve.args(cargo::that_runs(functions, folder.path())?);
        }
        serve
            .arg(program)
            .args(["lambda", "watch", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port.to_string()])
            .args(["--concurrency", &self.instances.to_string()])
            .arg("--env-file")
            .arg(&variables);
        if !self.reload {
            serve.arg("--ignore-changes");
        }
        let keeper = Keeper::hire(if self.quiet { &QUIET } else { &LOUD }, folder, None, &serve)?;
        keeper.start()?;
        wait_until_it_listens(port)?;
        Ok(LambdaWatch { port, keeper })
    }
}

/// The variables as `cargo lambda watch --env-file` and a shell read them.
fn env_file(variables: &[(String, String)]) -> anyhow::Result<String> {
    let line = |(name, value): &(String, String)| {
        let plain = !value.contains(['\'', '\n']);
        ensure!(plain, "the value of {name} has a quote or a line break");
        Ok(format!("{name}='{value}'\n"))
    };
    variables.iter().map(line).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "it says that it is about to listen, and nothing when it does"
)]
fn wait_until_it_listens(port: u16) -> anyhow::Result<()> {
    let until = Instant::now() + LISTENS_AFTER_MAX;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while let Err(error) = TcpStream::connect(address) {
        if Instant::now() > until {
            return Err(error).context("cargo lambda watch does not listen");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn tell(line: &str) {
    // Nobody is left to be told where that fails.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The root of the workspace that this folder, or the current one, lies in.
pub fn workspace_root(from: Option<&Path>) -> anyhow::Result<PathBuf> {
    let current = env::current_dir().context("cannot tell the current folder")?;
    let start = from.map_or(current.clone(), |it| current.join(it));
    let is_root = |it: &&Path| fs::read_to_string(it.join("Cargo.toml")).is_ok_and(|it| it.contains("[workspace]"));
    let found = start.ancestors().find(is_root).map(Path::to_owned);
    found.with_context(|| format!("{} is in no Cargo workspace", start.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_a_shell_would_read_otherwise_is_refused() {
        let file = |value: &str| env_file(&[("A".to_owned(), value.to_owned())]);
        assert_eq!(
            file("sqs://t?queue=u&more=$x").expect("is taken"),
            "A='sqs://t?queue=u&more=$x'\n"
        );
        assert!(file("it's").is_err());
        assert!(file("two\nlines").is_err());
    }

    #[test]
    fn the_root_of_the_workspace_is_found_from_below() {
        let root = workspace_root(Some(Path::new(env!("CARGO_MANIFEST_DIR")))).expect("is in one");
        assert!(root.join("functions/dispatch/Cargo.toml").is_file());
        assert!(workspace_root(Some(Path::new("/"))).is_err());
    }
}
