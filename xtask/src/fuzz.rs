//! `cargo xtask fuzz`: hands each parser of bytes from outside to libFuzzer for a while, beginning with the inputs that are kept.
//!
//! The sanitizers of cargo-fuzz need a nightly toolchain, and look for what safe code cannot do; without them the stable one
//! is enough.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::Args;
use comfy_table::{Table, presets};

use crate::say;

/// The folder of the fuzzer's own workspace, from the root.
const HOME: &str = "fuzz";

/// How long an input is made at most: longer ones find the same paths, later.
const INPUT_BYTES_MAX: u32 = 4 << 10;

/// After how long one input counts as a hang, in seconds.
const INPUT_SECONDS_MAX: u32 = 10;

/// Which targets are run, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Run only these
    #[arg(long, value_name = "NAME", num_args = 1..)]
    target: Vec<String>,
    /// How long each of them is run
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Afterwards add to the kept inputs those that reach what none of the kept ones does
    #[arg(long)]
    keep: bool,
}

/// What the fuzzer said at the end.
struct Ran {
    name: String,
    survived: bool,
    inputs: String,
    covered: String,
}

/// Runs the targets one after the other; the exit code is a success only if each of them survived.
pub(crate) fn run(arguments: &Fuzz) -> anyhow::Result<ExitCode> {
    let root = crate::root()?;
    ensure!(
        has_cargo_fuzz(),
        "cargo-fuzz is not installed; `cargo install cargo-fuzz --locked` gets it (it needs a compiler of C++ too)"
    );
    let names = arguments.choose(&root)?;
    say(&format!("fuzz: building {} targets …", names.len()));
    build(&root)?;
    let mut runs = Vec::new();
    for name in names {
        say(&format!("fuzz: {name} for {} s …", arguments.seconds));
        runs.push(fuzz(&root, &name, arguments)?);
    }
    println!("{}", table(&runs));
    let whole = runs.iter().all(|it| it.survived);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Fuzz {
    fn choose(&self, root: &Path) -> anyhow::Result<Vec<String>> {
        let folder = root.join(HOME).join("fuzz_targets");
        let files = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut names: Vec<String> = files
            .flatten()
            .filter_map(|file| Some(file.path().file_stem()?.to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        if self.target.is_empty() {
            return Ok(names);
        }
        for name in &self.target {
            ensure!(
                names.contains(name),
                "there is no target {name}; there are {}",
                names.join(", ")
            );
        }
        Ok(self.target.clone())
    }
}

fn has_cargo_fuzz() -> bool {
    let mut version = Command::new("cargo");
    version.args(["fuzz", "--version"]).stdin(Stdio::null());
    let version = version.stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|it| it.success())
}

fn build(root: &Path) -> anyhow::Result<()> {
    let status = cargo_fuzz(root, "build").status().context("cannot run cargo fuzz")?;
    ensure!(status.success(), "the targets cannot be built");
    Ok(())
}

fn cargo_fuzz(root: &Path, what: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).stdin(Stdio::null());
    command.args(["fuzz", what, "--fuzz-dir", HOME, "--sanitizer", "none"]);
    // What cargo set for xtask would have the fuzzer built for it.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

fn fuzz(root: &Path, name: &str, arguments: &Fuzz) -> anyhow::Result<Ran> {
    let (kept, found) = (kept(root, name), found(root, name)?);
    let mut command = cargo_fuzz(root, "run");
    command.arg(name).arg(&found).arg(&kept).arg("--").args([
        format!("-max_total_time={}", arguments.seconds),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-dict={}", root.join(HOME).join("words.dict").display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo fuzz")?;
    let said = child.stderr.take().context("cargo fuzz says nothing")?;
    let (mut inputs, mut covered) = (String::new(), String::new());
    for line in BufReader::new(said).lines() {
        let line = line.context("cannot read what the fuzzer says")?;
        inputs = after(&line, "stat::number_of_executed_units:").unwrap_or(inputs);
        covered = after(&line, " cov:").unwrap_or(covered);
        if !is_progress(&line) {
            eprintln!("{line}");
        }
    }
    let survived = child.wait().context("cannot wait for cargo fuzz")?.success();
    if survived && arguments.keep {
        keep(root, name, &kept, &found)?;
    }
    let name = name.to_owned();
    Ok(Ran {
        name,
        survived,
        inputs,
        covered,
    })
}

/// Adds to `kept` those of `found` that cover what is not covered yet.
fn keep(root: &Path, name: &str, kept: &Path, found: &Path) -> anyhow::Result<()> {
    let mut command = cargo_fuzz(root, "run");
    command.arg(name).arg(kept).arg(found);
    command.args(["--", "-merge=1", "-max_len=1024"]);
    let status = command
        .stderr(Stdio::null())
        .status()
        .context("cannot run cargo fuzz")?;
    ensure!(status.success(), "what was found for {name} cannot be merged");
    Ok(())
}

/// The inputs that belong to the repository.
fn kept(root: &Path, name: &str) -> PathBuf {
    root.join(HOME).join("corpus").join(name)
}

/// The inputs that earlier runs found here.
fn found(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join(HOME).join("target/found").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The word after `mark`, if the line has it.
fn after(line: &str, mark: &str) -> Option<String> {
    let rest = line.split_once(mark)?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Whether the fuzzer only says how far it is, as it does many times a second.
fn is_progress(line: &str) -> bool {
    let stats = line.starts_with("stat::") || line.starts_with("INFO:") || line.starts_with("###");
    stats || line.contains(" cov:") || line.starts_with('"')
}

fn table(runs: &[Ran]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["target", "inputs", "covered", ""]);
    for run in runs {
        let verdict = if run.survived { "survived" } else { "FOUND SOMETHING" };
        table.add_row([run.name.as_str(), &run.inputs, &run.covered, verdict]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_the_fuzzer_says() {
        let line = "#1048576\tpulse  cov: 1234 ft: 5678 corp: 90/12Kb lim: 4096 exec/s: 5461 rss: 60Mb";
        assert_eq!(after(line, " cov:").as_deref(), Some("1234"));
        assert!(is_progress(line));
        let line = "stat::number_of_executed_units: 99";
        assert_eq!(after(line, "stat::number_of_executed_units:").as_deref(), Some("99"));
        let line = "thread panicked at src/lib.rs:1:1:";
        assert_eq!(after(line, " cov:"), None);
        assert!(!is_progress(line), "what was found is shown");
    }
}
