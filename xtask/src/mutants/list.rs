//! The list of mutants: what each puts in the place of what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Where the list lies, from the root.
pub(super) const PATH: &str = "xtask/src/mutants/mutants.toml";

/// One mistake that is made on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    /// What it is called.
    pub(super) name: String,
    /// What is no longer so with it, as a sentence.
    pub(super) drops: String,
    /// The file it changes, from the root.
    pub(super) file: String,
    /// How the two texts go together.
    #[serde(default)]
    pub(super) form: Form,
    /// The text of the file that it changes; it occurs there once.
    pub(super) original: String,
    /// What stands there in its place.
    #[serde(rename = "mutant")]
    pub(super) instead: String,
}

/// How a mutant and its original go together, so that a switch chooses between them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// Both are expressions.
    #[default]
    Expression,
    /// Both are statements.
    Statement,
    /// The mutant holds the original too, and `{on}` where it asks the switch.
    Switched,
}

#[derive(Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

/// All mutants, in the order of the list. Two of one name are an error.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(PATH)).with_context(|| format!("cannot read {PATH}"))?;
    let list: List = toml::from_str(&text).with_context(|| format!("{PATH} is not a list of mutants"))?;
    let mut names = BTreeSet::new();
    for mutant in &list.mutant {
        ensure!(names.insert(&mutant.name), "two mutants are named `{}`", mutant.name);
    }
    Ok(list.mutant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::{report, seeding};

    fn mutants() -> (std::path::PathBuf, Vec<Mutant>) {
        let root = crate::root().expect("a root");
        let mutants = read(&root).expect("the list can be read");
        (root, mutants)
    }

    #[test]
    fn every_original_occurs_once_in_its_file_as_it_is_today() {
        let (root, mutants) = mutants();
        let files: BTreeSet<&str> = mutants.iter().map(|it| it.file.as_str()).collect();
        for file in files {
            let source = fs::read_to_string(root.join(file)).expect(file);
            let seeded = seeding::seeded(file, &source, &mutants).expect("every original is found");
            assert_ne!(seeded, source, "{file}");
        }
    }

    #[test]
    fn there_are_enough_of_them_and_each_says_what_it_drops() {
        let (_, mutants) = mutants();
        assert!(mutants.len() >= 15, "{}", mutants.len());
        for mutant in &mutants {
            assert!(mutant.drops.ends_with('.'), "{}", mutant.name);
            assert_ne!(mutant.original, mutant.instead, "{}", mutant.name);
        }
    }

    #[test]
    fn every_file_is_one_that_is_copied() {
        let (_, mutants) = mutants();
        for mutant in &mutants {
            assert!(crate::mutants::copy::holds(&mutant.file), "{}", mutant.file);
        }
    }

    #[test]
    fn the_document_tells_of_every_mutant() {
        let (root, mutants) = mutants();
        let document = fs::read_to_string(root.join(report::DOCUMENT)).expect("the document is there");
        for mutant in &mutants {
            let row = format!("| `{}` | {} |", mutant.name, mutant.drops);
            assert!(
                document.contains(&row),
                "{row}: `cargo xtask mutants --write-docs` writes it"
            );
        }
    }
}
