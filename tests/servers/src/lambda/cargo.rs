//! Cargo, by which `cargo lambda watch` runs each function, and what can stand in for it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::program;

/// How the variables begin by which `cargo run` describes the package that it runs.
const OF_ANOTHER_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Runs a program of the folder FUNCTIONS where it is asked to run one by its name, and is cargo otherwise.
const STAND_IN: &str = r#"#!/bin/sh
cargo='CARGO'
case $1 in run) ;; *) exec "$cargo" "$@" ;; esac
while [ $# -gt 0 ]; do
    case $1 in --bin) function=$2 ;; esac
    shift
done
exec 'FUNCTIONS'/"$function"
"#;

/// Cargo in this workspace, as the user would call it.
pub fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    surround(&mut command);
    command.current_dir(workspace).stdin(Stdio::null());
    command
}

/// Leaves the user's environment as it is, for it is the user's cargo that runs. Only what another cargo told us of our own package
/// goes: it would look like a change to the build scripts that watch it, and rebuild what rests on them.
pub(super) fn surround(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let begins_with = |start: &&str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if OF_ANOTHER_PACKAGE.iter().any(begins_with) {
            command.env_remove(&name);
        }
    }
}

/// The words before a command that make it find, as cargo, a script in `home` that runs the programs in `functions` as they are.
pub(super) fn that_runs(functions: &Path, home: &Path) -> anyhow::Result<Vec<OsString>> {
    let functions = functions
        .canonicalize()
        .with_context(|| format!("no folder {}", functions.display()))?;
    let cargo = env::var_os("CARGO").map(PathBuf::from);
    let cargo = cargo.or_else(|| program::on_path("cargo").into_iter().next());
    let cargo = cargo.context("no cargo on the path")?;
    let script = STAND_IN
        .replace("CARGO", &cargo.display().to_string())
        .replace("FUNCTIONS", &functions.display().to_string());
    let bin = home.join("bin");
    fs::create_dir(&bin).context("cannot make a folder")?;
    let stand_in = bin.join("cargo");
    fs::write(&stand_in, script).context("cannot write a script")?;
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o700)).context("cannot make a script a program")?;
    let mut path = OsString::from("PATH=");
    path.push(bin);
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut named = OsString::from("CARGO=");
    named.push(stand_in);
    Ok(vec!["/usr/bin/env".into(), path, named])
}
