//! What is to notice a mutant: the conformance suite on the memory store, the tests of the domain, and the simulation.

use std::collections::BTreeMap;
use std::env;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use cargo_metadata::{Artifact, Message};

use super::copy::VARIABLE;
use super::watch::{End, watch};

/// How many seeds the simulation tries.
const SEEDS: &str = "400";

/// How many tests of one program run at a time.
const TEST_THREADS: &str = "2";

/// How much memory a program may take, in KiB: a mutant may grow without end.
const MEMORY_KIB_MAX: u32 = 4 << 20;

/// Runs a program (`$1` and what follows) with no more than so much memory (`$0`), where the system can hold it to that.
const WITHIN: &str = r#"ulimit -v "$0" 2>/dev/null; exec "$@""#;

/// How the variables begin by which `cargo run` describes the package it runs: to another cargo they look like a change.
const OURS_ALONE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Tests that run together.
pub(super) struct Catcher {
    /// What they are called in the table.
    pub(super) name: &'static str,
    programs: Vec<Program>,
}

struct Program {
    path: PathBuf,
    /// The folder of its package, in which cargo would run it.
    folder: PathBuf,
    speech: Speech,
}

/// How a program says what it found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speech {
    /// As Rust's tests do.
    Tests,
    /// As the simulation does.
    Seeds,
}

/// What tests noticed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Noticed {
    /// The tests that failed, or the rules that were broken, in the order of their names.
    pub(super) by: Vec<String>,
    /// Whether one had to be ended at the time limit.
    pub(super) is_hung: bool,
}

impl Noticed {
    /// Whether anything was noticed.
    pub(super) fn is_any(&self) -> bool {
        self.is_hung || !self.by.is_empty()
    }
}

/// Builds the tests of the sources at `from` into `target`, the quickest first.
pub(super) fn build(from: &Path, target: &Path) -> anyhow::Result<Vec<Catcher>> {
    let tests = cargo(
        from,
        target,
        &["test", "--no-run", "-p", "domain", "-p", "queue", "--lib", "--tests"],
    )?;
    let simulation = cargo(from, target, &["build", "-p", "simulation", "--bin", "simulation"])?;
    let of = |folder: &str| {
        let ours = tests.iter().filter(|it| it.folder.ends_with(folder));
        ours.map(|it| (it.path.clone(), it.folder.clone(), Speech::Tests))
            .collect()
    };
    let seeds = simulation
        .iter()
        .map(|it| (it.path.clone(), it.folder.clone(), Speech::Seeds));
    Ok(vec![
        Catcher::new("conformance suite", of("shared/queue"))?,
        Catcher::new("tests of the domain", of("shared/domain"))?,
        Catcher::new("simulation", seeds.collect())?,
    ])
}

/// A program that was built.
struct Built {
    path: PathBuf,
    folder: PathBuf,
}

/// Runs cargo on the sources at `from` and gives the programs it built.
fn cargo(from: &Path, target: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Built>> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .args(["--quiet", "--message-format=json-render-diagnostics", "--target-dir"])
        .arg(target)
        // Mutants leave things unused, and nobody debugs them.
        .env("RUSTFLAGS", "-Awarnings")
        .envs([("CARGO_PROFILE_DEV_DEBUG", "false"), ("CARGO_INCREMENTAL", "0")])
        .current_dir(from)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    for (name, _) in env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if OURS_ALONE.iter().any(|it| bytes.starts_with(it.as_bytes())) {
            command.env_remove(name);
        }
    }
    let built = command.output().context("cannot run cargo")?;
    ensure!(built.status.success(), "the mutants cannot be built; see above");
    let mut programs = Vec::new();
    for message in Message::parse_stream(built.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read what cargo says")? {
            programs.extend(program(artifact));
        }
    }
    Ok(programs)
}

fn program(artifact: Artifact) -> Option<Built> {
    let folder = artifact.manifest_path.parent()?.into();
    let path = artifact.executable?.into();
    Some(Built { path, folder })
}

impl Catcher {
    fn new(name: &'static str, programs: Vec<(PathBuf, PathBuf, Speech)>) -> anyhow::Result<Self> {
        ensure!(!programs.is_empty(), "cargo built nothing for the {name}");
        let program = |(path, folder, speech)| Program { path, folder, speech };
        let programs = programs.into_iter().map(program).collect();
        Ok(Self { name, programs })
    }

    /// What these tests notice of `mutant`, or of the code as it is without one: all of it if `whole`, else one thing at
    /// least. None of the programs may take longer than `limit`.
    pub(super) fn look(&self, mutant: Option<&str>, limit: Duration, whole: bool) -> anyhow::Result<Noticed> {
        let mut noticed = Noticed::default();
        for program in &self.programs {
            let more = program.look(mutant, limit, whole)?;
            noticed.by.extend(more.by);
            noticed.is_hung |= more.is_hung;
            if noticed.is_any() && !whole {
                break;
            }
        }
        noticed.by.sort();
        Ok(noticed)
    }
}

impl Program {
    fn look(&self, mutant: Option<&str>, limit: Duration, whole: bool) -> anyhow::Result<Noticed> {
        let mut ear = Ear::default();
        let end = watch(&mut self.command(mutant), limit, |line| {
            match self.speech {
                Speech::Tests => ear.hear_test(line),
                Speech::Seeds => ear.hear_seed(line),
            }
            if ear.faults.is_empty() || whole || self.speech == Speech::Seeds {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        let mut by = ear.named();
        if let End::Left(status) = end
            && !status.success()
            && by.is_empty()
        {
            // A stack that overflowed, or more memory than there may be.
            by.push(format!("its end, {status}"));
        }
        Ok(Noticed {
            by,
            is_hung: end == End::OutOfTime,
        })
    }

    fn command(&self, mutant: Option<&str>) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", WITHIN, &MEMORY_KIB_MAX.to_string()])
            .arg(&self.path);
        match self.speech {
            Speech::Tests => command.args(["--test-threads", TEST_THREADS]),
            Speech::Seeds => command.args(["--seeds", SEEDS, "--start", "0", "--no-shrink", "--json"]),
        };
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            // The same draws each time, and nothing written down for the next mutant.
            .env("PROPTEST_RNG_SEED", "1")
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            .env_remove("UPDATE_EXPECT")
            .env_remove(VARIABLE)
            .envs(mutant.map(|it| (VARIABLE, it)));
        command
    }
}

/// Hears what failed.
#[derive(Default)]
struct Ear {
    /// By its name, and the seed it was first seen in, if there are seeds.
    faults: BTreeMap<String, Option<u64>>,
    seed: Option<u64>,
    /// Whether a seed was named and its first fault is still to come.
    first: bool,
}

impl Ear {
    /// Takes in a line such as `test memory::finishing::a_late_report_is_refused ... FAILED`.
    fn hear_test(&mut self, line: &str) {
        let failed = line.strip_prefix("test ").and_then(|it| it.strip_suffix(" ... FAILED"));
        if let Some(name) = failed {
            let name = name.strip_prefix("memory::").unwrap_or(name);
            self.faults.insert(name.to_owned(), None);
        }
    }

    /// Takes in lines such as `seed 7 failed:`, and `  I4: …` after it.
    fn hear_seed(&mut self, line: &str) {
        let named = line.strip_prefix("seed ").and_then(|it| it.strip_suffix(" failed:"));
        if let Some(seed) = named.and_then(|it| it.parse().ok()) {
            (self.seed, self.first) = (Some(seed), true);
            return;
        }
        let Some((seed, fault)) = self.seed.zip(line.strip_prefix("  ")) else {
            return;
        };
        let rule = fault.split(':').next().unwrap_or(fault);
        // A fault may go on over further lines, which name no rule.
        if is_rule(rule) || self.first {
            self.faults.entry(rule.to_owned()).or_insert(Some(seed));
        }
        self.first = false;
    }

    /// The faults as they are told.
    fn named(self) -> Vec<String> {
        let faults = self.faults.into_iter();
        let told = faults.map(|(name, seed)| seed.map_or(name.clone(), |seed| format!("{name} in seed {seed}")));
        told.collect()
    }
}

/// Whether it is a rule's number, such as `I4` or `L2`.
fn is_rule(text: &str) -> bool {
    let number = text.strip_prefix(['I', 'L']);
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_failed_are_heard_by_their_names() {
        let mut ear = Ear::default();
        let said = "running 3 tests\n\
            test memory::finishing::a_finish_ends_a_job ... ok\n\
            test memory::syncing::a_lost_lease_is_told ... FAILED\n\
            test promises::budget::a_lost_attempt_burns ... FAILED\n\
            failures:\n    memory::syncing::a_lost_lease_is_told\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored";
        said.lines().for_each(|line| ear.hear_test(line));
        assert_eq!(
            ear.named(),
            [
                "promises::budget::a_lost_attempt_burns",
                "syncing::a_lost_lease_is_told"
            ]
        );
    }

    #[test]
    fn rules_that_were_broken_are_heard_with_their_first_seed() {
        let mut ear = Ear::default();
        let said = "seed 7 failed:\n  I4: 0190-1 was ended by another token\n  L1: these do not end: [\n      Job {\n\
            seed 9 failed:\n  I4: 0190-2 was ended by another token\n\
            seed 12 failed:\n  a panic: index out of bounds";
        said.lines().for_each(|line| ear.hear_seed(line));
        assert_eq!(ear.named(), ["I4 in seed 7", "L1 in seed 7", "a panic in seed 12"]);
    }

    #[test]
    fn what_is_no_failure_is_not_heard() {
        let mut ear = Ear::default();
        for line in [
            "{\"seeds\":400,\"failed\":0}",
            "  I4: said by nobody",
            "test a ... ok",
            "",
        ] {
            ear.hear_seed(line);
            ear.hear_test(line);
        }
        assert_eq!(ear.named(), [""; 0]);
    }
}
