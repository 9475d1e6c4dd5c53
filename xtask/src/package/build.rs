//! A build of one function by `cargo lambda`: the same bytes wherever the sources, cargo and Rust lie.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::ValueEnum;

use super::functions::Function;
use super::target::Architecture;

/// How functions are built for Lambda; see the root manifest.
const PROFILE: &str = "lambda";

/// What tools that write a time are told to write: the first that an archive can have.
const EPOCH_SECONDS: &str = "315532800";

/// Names the `zig` that links.
const ZIG: &str = "CARGO_ZIGBUILD_ZIG_PATH";

/// How much of what a failed build said is shown.
const SAID_LINES_MAX: usize = 60;

/// A store that functions are deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// A DynamoDB table, and an SQS queue for hints
    Sqs,
    /// A Postgres database
    Postgres,
}

impl Store {
    /// The store's name, which is that of the feature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Postgres => "postgres",
        }
    }
}

/// What builds functions for one store and processor.
#[derive(Debug)]
pub(crate) struct Builder {
    store: Store,
    architecture: Architecture,
    cargo_lambda: PathBuf,
    zig: PathBuf,
}

impl Builder {
    /// Finds or fetches `cargo-lambda`, and the linker that it builds with.
    pub(crate) fn new(store: Store, architecture: Architecture) -> anyhow::Result<Self> {
        Ok(Self {
            store,
            architecture,
            cargo_lambda: servers::cargo_lambda()?,
            zig: servers::zig()?,
        })
    }

    /// Builds the function from the sources at `from`, in the folder `target`, and gives the program.
    pub(crate) fn build(&self, function: &Function, from: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
        self.fetch(from)?;
        let output = tempfile::tempdir().context("cannot make a folder for the program")?;
        let mut command = self.command(function, from, target)?;
        command.arg("--lambda-dir").arg(output.path());
        let built = command.output().context("cannot run cargo lambda")?;
        ensure!(
            built.status.success(),
            "{} cannot be built:\n{}",
            function.name,
            end_of(&String::from_utf8_lossy(&built.stderr))
        );
        let program = output.path().join(&function.program).join("bootstrap");
        fs::read(&program).with_context(|| format!("cargo lambda built no program for {}", function.name))
    }

    /// Fetches all crates first: where they lie has to be known before the build.
    fn fetch(&self, from: &Path) -> anyhow::Result<()> {
        let mut command = servers::cargo(from);
        command.args(["fetch", "--locked", "--quiet", "--target", self.architecture.target()]);
        let fetched = command.output().context("cannot run cargo fetch")?;
        let said = String::from_utf8_lossy(&fetched.stderr);
        ensure!(
            fetched.status.success(),
            "the crates cannot be fetched:\n{}",
            end_of(&said)
        );
        Ok(())
    }

    fn command(&self, function: &Function, from: &Path, target: &Path) -> anyhow::Result<Command> {
        let mut command = servers::cargo(from);
        command
            .args(["lambda", "build", "--locked", "--quiet", "--profile", PROFILE])
            .args(["--package", &function.name, "--bin", &function.program])
            .args(["--no-default-features", "--features", self.store.name()])
            .arg(self.architecture.option())
            .env("PATH", path_with(&self.cargo_lambda)?)
            .env(ZIG, &self.zig)
            // An option for it is handed on to what does not know it.
            .env("CARGO_TARGET_DIR", target)
            .env("SOURCE_DATE_EPOCH", EPOCH_SECONDS)
            .env("CARGO_INCREMENTAL", "0")
            // These take the place of whatever flags the user has set for other builds.
            .env("CARGO_ENCODED_RUSTFLAGS", encoded(&rust_flags(&places(from, target)?)))
            .env("CFLAGS", c_flags(&places(from, target)?))
            .stdout(Stdio::null());
        Ok(command)
    }
}

/// Folders whose names would be in the program, and what is there in their place. The later ones win where one lies in another.
fn places(from: &Path, target: &Path) -> anyhow::Result<Vec<(PathBuf, &'static str)>> {
    let from = from.canonicalize().context("cannot find the sources")?;
    let target = std::path::absolute(target).context("cannot find the target folder")?;
    let cargo_home = cargo_home()?;
    let mut places = vec![(sysroot(&from)?, "/rust"), (cargo_home.clone(), "/cargo")];
    places.extend(registries(&cargo_home).map(|folder| (folder, "/crates")));
    places.extend([(from, "/remuda"), (target, "/target")]);
    Ok(places)
}

/// The folders of crates that were fetched, whose names tell by which mirror.
fn registries(cargo_home: &Path) -> impl Iterator<Item = PathBuf> {
    let folders = fs::read_dir(cargo_home.join("registry/src"))
        .into_iter()
        .flatten()
        .flatten();
    folders.map(|folder| folder.path())
}

fn rust_flags(places: &[(PathBuf, &str)]) -> Vec<OsString> {
    places
        .iter()
        .map(|(folder, name)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push("=");
            flag.push(name);
            flag
        })
        .collect()
}

/// As cargo takes several flags in one variable, which may have spaces.
fn encoded(flags: &[OsString]) -> OsString {
    flags.join(OsString::from("\u{1f}").as_os_str())
}

fn c_flags(places: &[(PathBuf, &str)]) -> OsString {
    let mut flags = OsString::new();
    for (folder, name) in places {
        flags.push("-ffile-prefix-map=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
        flags.push(" ");
    }
    flags
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    named
        .or_else(home)
        .context("cannot tell where cargo keeps what it has fetched")
}

fn sysroot(from: &Path) -> anyhow::Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc)
        .args(["--print", "sysroot"])
        .current_dir(from)
        .output()
        .context("cannot run rustc")?;
    let folder = String::from_utf8(told.stdout).context("rustc tells no path")?;
    Ok(PathBuf::from(folder.trim()))
}

/// The path, with the folder of this program first.
fn path_with(program: &Path) -> anyhow::Result<OsString> {
    let folder = program.parent().context("a program lies in a folder")?.to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths([folder].into_iter().chain(env::split_paths(&path))).context("the path cannot be written")
}

fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(SAID_LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_of_this_machine_is_left_out_of_the_flags() {
        let root = crate::root().expect("a root");
        let places = places(&root, &root.join("target")).expect("are known");
        let flags = encoded(&rust_flags(&places)).into_string().expect("UTF-8");
        let mapped: Vec<&str> = flags.split('\u{1f}').collect();
        assert_eq!(mapped.len(), places.len());
        for name in ["/rust", "/cargo", "/crates", "/remuda", "/target"] {
            assert!(places.iter().any(|(_, given)| *given == name), "{name}");
        }
        for (flag, (folder, name)) in mapped.iter().zip(&places) {
            assert_eq!(*flag, format!("--remap-path-prefix={}={name}", folder.display()));
            assert!(folder.is_absolute(), "{flag}");
        }
        assert!(
            places
                .iter()
                .any(|(folder, name)| *name == "/remuda" && *folder == root.canonicalize().expect("is there"))
        );
    }

    #[test]
    fn the_end_of_what_a_failed_build_said_is_shown() {
        let said: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        let shown = end_of(&said.join("\n"));
        assert_eq!((shown.lines().next(), shown.lines().last()), (Some("40"), Some("99")));
        assert_eq!(end_of("one"), "one");
    }
}
