//! `cargo xtask mutants`: puts known mistakes into a copy of our own code, one at a time, and says which test notices each.
//!
//! All of them are built at once, each behind a switch that a process reads from its environment: to try one more takes a
//! run of the tests, and no build. The code in the repository knows nothing of it.

mod catchers;
mod copy;
mod list;
mod report;
mod seeding;
mod share;
mod trial;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;

use crate::say;
use crate::tally::Tally;
use list::Mutant;
use share::Share;
use trial::Verdict;

/// Which mutants are tried, how far, and how it is told.
#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Try only these
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Try one part of them, such as `1/3` for the first of three
    #[arg(long, value_name = "I/N", conflicts_with = "only")]
    share: Option<Share>,
    /// Try each on all tests, and tell all that notice it; else the first that does is enough
    #[arg(long)]
    all: bool,
    /// Print JSON in place of a table
    #[arg(long)]
    json: bool,
    /// Try each on all tests, and write its row into the table of docs/mutants.md; the rows of others stay
    #[arg(long)]
    write_docs: bool,
}

/// Tries mutants; the exit code is a success only if each of them was caught.
pub(crate) fn run(arguments: &Mutants) -> anyhow::Result<ExitCode> {
    let root = crate::root()?;
    let list = list::read(&root)?;
    let chosen = arguments.choose(&list)?;
    let verdicts = verdicts(&root, &list, &chosen, arguments.all || arguments.write_docs)?;
    if arguments.json {
        println!("{}", report::json(&verdicts)?);
    } else {
        println!("{}", report::table(&verdicts));
    }
    if arguments.write_docs {
        report::write_docs(&root, &list, &verdicts)?;
    }
    let tally = tally(&verdicts);
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tries a third of the mutants, another one each day, and counts those that were caught as passed.
pub(crate) fn third_of_the_day() -> anyhow::Result<Tally> {
    let root = crate::root()?;
    let list = list::read(&root)?;
    let share = Share::of_the_day(3);
    say(&format!("mutants: part {share} of them, the one of the day …"));
    let chosen: Vec<&Mutant> = share.of(&list).collect();
    let verdicts = verdicts(&root, &list, &chosen, false)?;
    println!("{}", report::table(&verdicts));
    Ok(tally(&verdicts))
}

impl Mutants {
    fn choose<'a>(&self, list: &'a [Mutant]) -> anyhow::Result<Vec<&'a Mutant>> {
        if let Some(share) = self.share {
            return Ok(share.of(list).collect());
        }
        if self.only.is_empty() {
            return Ok(list.iter().collect());
        }
        let find = |name: &String| {
            let found = list.iter().find(|it| it.name == *name);
            found.with_context(|| format!("there is no mutant `{name}` in {}", list::PATH))
        };
        self.only.iter().map(find).collect()
    }
}

/// Builds the copy with all of `list` in it, and tries `chosen`.
fn verdicts<'a>(root: &Path, list: &[Mutant], chosen: &[&'a Mutant], whole: bool) -> anyhow::Result<Vec<Verdict<'a>>> {
    ensure!(!chosen.is_empty(), "there is no mutant to try");
    let folder = crate::target(root).join("mutants");
    let sources = folder.join("src");
    copy::make(root, &sources, list)?;
    say(&format!("mutants: building {} at once …", list.len()));
    let catchers = catchers::build(&sources, &folder.join("target"))?;
    let verdicts = trial::tried(&catchers, chosen, whole)?;
    for verdict in verdicts.iter().filter(|it| !it.is_caught()) {
        say(&format!(
            "mutants: nothing notices `{}`: {}",
            verdict.mutant.name, verdict.mutant.drops
        ));
    }
    Ok(verdicts)
}

fn tally(verdicts: &[Verdict<'_>]) -> Tally {
    let caught = verdicts.iter().filter(|it| it.is_caught()).count();
    Tally {
        passed: caught as u64,
        failed: (verdicts.len() - caught) as u64,
        skipped: 0,
    }
}
