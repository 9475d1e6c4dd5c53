//! `cargo xtask test`: brings up what the tests need, runs them all, and says how many passed and failed.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};

use crate::mutants;
use crate::needed::Needed;
use crate::say;
use crate::tally::Tally;

/// The profile in `.config/nextest.toml` that writes the report from which the tests are counted.
const PROFILE: &str = "xtask";

/// That report, from the root: nextest writes it there wherever the target folder is.
const REPORT: &str = "target/nextest/xtask/tests.xml";

/// Tells tests of whole programs in which folder these have just been built, so that they are not built again.
const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// Where our code is.
const SOURCES: [&str; 5] = ["shared", "functions", "clients", "tests", "xtask"];

/// How the variables begin by which `cargo run` describes the package it runs.
const OURS_ALONE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// What one runner did: its own verdict and the tests it ran.
struct Run {
    succeeded: bool,
    tally: Tally,
}

/// Runs the tests that the arguments pick (all, without any); the exit code is a success only if each of them passed.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = crate::root()?;
    let needed = Needed::up()?;
    let mut runs = Vec::new();
    if has_nextest() {
        runs.push(nextest(&root, arguments, &needed)?);
        if arguments.is_empty() && has_doctests(&root)? {
            runs.push(cargo_test(&root, &["--doc".to_owned()], &needed)?);
        }
    } else {
        say(
            "cargo-nextest is not installed (cargo install cargo-nextest --locked): running cargo test, which takes longer",
        );
        runs.push(cargo_test(&root, arguments, &needed)?);
    }
    drop(needed);
    if arguments.is_empty() {
        runs.push(mutants());
    }
    Ok(close(&runs))
}

/// A mutant that was caught has passed.
fn mutants() -> Run {
    let tally = mutants::third_of_the_day().unwrap_or_else(|error| {
        say(&format!("mutants: {error:#}"));
        Tally::default()
    });
    Run {
        succeeded: tally.passed > 0 && tally.failed == 0,
        tally,
    }
}

fn close(runs: &[Run]) -> ExitCode {
    let tally = runs.iter().fold(Tally::default(), |sum, it| sum + it.tally);
    // A runner can fail without a failed test: code that does not compile, or nothing that was run.
    let whole = runs.iter().all(|it| it.succeeded) && tally.failed == 0;
    if !whole && tally.failed == 0 {
        say("not every test could be run; see above");
    }
    println!("{tally}");
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn nextest(root: &Path, arguments: &[String], needed: &Needed) -> anyhow::Result<Run> {
    let report = root.join(REPORT);
    forget(&report)?;
    let mut command = cargo(root, needed);
    command
        .args(["nextest", "run", "--profile", PROFILE])
        .envs(programs(root, arguments))
        .args(scope(arguments))
        .args(arguments);
    let status = command.status().context("cannot run cargo nextest")?;
    let tally = match fs::read_to_string(&report) {
        Ok(report) => Tally::from_junit(&report).context("the report of the tests is cut off")?,
        // Nothing was run; why is on the screen, and in the status.
        Err(error) if error.kind() == ErrorKind::NotFound => Tally::default(),
        Err(error) => return Err(error).context("cannot read the report of the tests"),
    };
    ensure!(
        !status.success() || tally != Tally::default(),
        "cargo nextest wrote no report to {}",
        report.display()
    );
    Ok(Run {
        succeeded: status.success(),
        tally,
    })
}

fn cargo_test(root: &Path, arguments: &[String], needed: &Needed) -> anyhow::Result<Run> {
    let mut command = cargo(root, needed);
    command
        .args(["test", "--no-fail-fast"])
        .envs(programs(root, arguments))
        .args(scope(arguments))
        .args(arguments);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what cargo test says")?;
        println!("{line}");
        tally = tally + Tally::from_line(&line).unwrap_or_default();
    }
    let succeeded = child.wait().context("cannot wait for cargo test")?.success();
    Ok(Run { succeeded, tally })
}

fn cargo(root: &Path, needed: &Needed) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    needed.tell(&mut command);
    // What cargo told us of this package would look like a change to the build scripts that watch it, and rebuild what rests on them.
    for (name, _) in env::vars_os() {
        if OURS_ALONE
            .iter()
            .any(|it| name.as_encoded_bytes().starts_with(it.as_bytes()))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Everything, unless the arguments pick packages themselves.
fn scope(arguments: &[String]) -> Option<&'static str> {
    let picks = |it: &String| it == "--workspace" || it.starts_with("-p") || it.starts_with("--package");
    let picked = arguments.iter().any(picks);
    (!picked).then_some("--workspace")
}

/// The folder of the programs that are built along with the tests, which all are only when nothing was picked.
fn programs(root: &Path, arguments: &[String]) -> Option<(&'static str, PathBuf)> {
    arguments
        .is_empty()
        .then(|| (PROGRAMS, crate::target(root).join("debug")))
}

fn has_nextest() -> bool {
    let mut version = Command::new("cargo-nextest");
    version
        .args(["nextest", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    version.status().is_ok_and(|it| it.success())
}

/// Whether any comment of ours holds code that `cargo test --doc` would run; it takes its time even to find nothing.
fn has_doctests(root: &Path) -> anyhow::Result<bool> {
    for folder in SOURCES {
        if any_doctest(&root.join(folder))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn any_doctest(path: &Path) -> anyhow::Result<bool> {
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            if any_doctest(&entry?.path())? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if path.extension().is_none_or(|it| it != "rs") {
        return Ok(false);
    }
    let source = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(source.lines().any(opens_code))
}

/// Whether a line opens a block of code in a comment that documents.
fn opens_code(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    comment.is_some_and(|it| it.trim_start().starts_with("```"))
}

/// A report of an earlier run must not be taken for this one's.
fn forget(report: &Path) -> anyhow::Result<()> {
    match fs::remove_file(report) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("cannot remove the last report"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_workspace_is_tested_unless_packages_are_picked() {
        let arguments = |it: &[&str]| it.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(scope(&[]), Some("--workspace"));
        assert_eq!(scope(&arguments(&["a_late_report"])), Some("--workspace"));
        assert_eq!(scope(&arguments(&["-p", "queue"])), None);
        assert_eq!(scope(&arguments(&["--package=queue"])), None);
    }

    #[test]
    fn only_documentation_holds_doctests() {
        assert!(opens_code("    /// ```"));
        assert!(opens_code("//! ```no_run"));
        assert!(!opens_code("// ```"));
        assert!(!opens_code("let fence = \"```\";"));
    }
}
