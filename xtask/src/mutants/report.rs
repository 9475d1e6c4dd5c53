//! Tells what became of mutants: to a person, to a program, and to who reads the documents.

use std::fs;
use std::path::Path;

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::list::Mutant;
use super::trial::{Look, Verdict};

/// The document that has the table, from the root.
pub(super) const DOCUMENT: &str = "docs/mutants.md";

/// What the table stands between.
const BEGIN: &str = "<!-- mutants: begin -->\n";
const END: &str = "<!-- mutants: end -->\n";

/// How wide the table is where there is no terminal to fill.
const WIDTH: u16 = 160;

/// How many tests are named of those that notice a mutant.
const NAMES_MAX: usize = 2;

/// For people: a row a mutant, and how many were caught.
pub(super) fn table(verdicts: &[Verdict<'_>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["mutant", "what it drops", "caught by"]);
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    for verdict in verdicts {
        table.add_row([&verdict.mutant.name, &verdict.mutant.drops, &caught_by(verdict)]);
    }
    let caught = verdicts.iter().filter(|it| it.is_caught()).count();
    format!("{table}\n\n{caught} of {} mutants were caught", verdicts.len())
}

fn caught_by(verdict: &Verdict<'_>) -> String {
    let looks = verdict.looks.iter().filter(|look| look.noticed.is_any());
    let told: Vec<String> = looks
        .map(|look| format!("{}: {}", look.catcher, told(look, str::to_owned)))
        .collect();
    if told.is_empty() {
        "NOTHING".to_owned()
    } else {
        told.join("; ")
    }
}

/// What a look noticed, in a few words, each name as `form` has it.
fn told(look: &Look, form: impl Fn(&str) -> String) -> String {
    let names = &look.noticed.by;
    let mut parts: Vec<String> = names.iter().take(NAMES_MAX).map(|name| form(name)).collect();
    if names.len() > NAMES_MAX {
        parts.push(format!("{} more", names.len() - NAMES_MAX));
    }
    if look.noticed.is_hung {
        parts.push("the time limit".to_owned());
    }
    parts.join(", ")
}

/// For programs: all that was noticed.
pub(super) fn json(verdicts: &[Verdict<'_>]) -> anyhow::Result<String> {
    let looks = |verdict: &Verdict<'_>| -> Vec<Value> {
        let looks = verdict.looks.iter();
        looks
            .map(|look| {
                json!({
                    "tests": look.catcher,
                    "noticed": look.noticed.by,
                    "time_limit": look.noticed.is_hung,
                    "seconds": look.took.as_secs_f64(),
                })
            })
            .collect()
    };
    let mutants: Vec<Value> = verdicts
        .iter()
        .map(|it| {
            json!({
                "mutant": it.mutant.name,
                "drops": it.mutant.drops,
                "caught": it.is_caught(),
                "tried_on": looks(it),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&mutants)?)
}

/// Writes what became of those that were tried into the table of the document. The rows of others of `list` stay.
pub(super) fn write_docs(root: &Path, list: &[Mutant], verdicts: &[Verdict<'_>]) -> anyhow::Result<()> {
    let path = root.join(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let (head, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("{DOCUMENT} does not say where its table begins: {BEGIN}"))?;
    let (before, foot) = rest
        .split_once(END)
        .with_context(|| format!("{DOCUMENT} does not say where its table ends: {END}"))?;
    let table = markdown(before, list, verdicts);
    fs::write(&path, format!("{head}{BEGIN}{table}{END}{foot}")).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The table, with a column for each kind of tests: a row of `verdicts` where there is one, else that of `before`.
fn markdown(before: &str, list: &[Mutant], verdicts: &[Verdict<'_>]) -> String {
    let looks = verdicts.first().map(|it| it.looks.as_slice()).unwrap_or_default();
    let kinds: Vec<&str> = looks.iter().map(|look| look.catcher).collect();
    let mut text = format!("| mutant | what it drops | {} |\n|---|---|", kinds.join(" | "));
    text += &"---|".repeat(kinds.len());
    text.push('\n');
    for mutant in list {
        let start = format!("| `{}` |", mutant.name);
        let tried = verdicts.iter().find(|it| it.mutant.name == mutant.name);
        let row = tried.map(row).or_else(|| {
            let kept = before.lines().find(|line| line.starts_with(&start));
            kept.map(str::to_owned)
        });
        text.extend(row.into_iter().flat_map(|row| [row, "\n".to_owned()]));
    }
    text
}

fn row(Verdict { mutant, looks }: &Verdict<'_>) -> String {
    let cells = looks.iter().map(|look| {
        if look.noticed.is_any() {
            told(look, code)
        } else {
            "–".to_owned()
        }
    });
    let cells: Vec<String> = cells.collect();
    format!("| `{}` | {} | {} |", mutant.name, mutant.drops, cells.join(" | "))
}

/// A test's name as code; a rule and its seed are plain words.
fn code(name: &str) -> String {
    if name.contains("::") {
        format!("`{name}`")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mutants::catchers::Noticed;
    use crate::mutants::list::Form;

    fn mutant(name: &str) -> Mutant {
        Mutant {
            name: name.to_owned(),
            drops: "A promise.".to_owned(),
            file: "shared/queue/src/lib.rs".to_owned(),
            form: Form::Expression,
            original: "x".to_owned(),
            instead: "y".to_owned(),
        }
    }

    fn look(catcher: &'static str, by: &[&str], is_hung: bool) -> Look {
        Look {
            catcher,
            noticed: Noticed {
                by: by.iter().map(ToString::to_string).collect(),
                is_hung,
            },
            took: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_row_tells_what_noticed_the_mutant_and_the_others_stay() {
        let [it, other, new] = ["it", "other", "new"].map(mutant);
        let looks = vec![
            look("suite", &["a::b", "a::c", "a::d", "a::e"], false),
            look("seeds", &["I4 in seed 7"], true),
            look("others", &[], false),
        ];
        let verdicts = [Verdict { mutant: &it, looks }];
        let before = "| `it` | It was. | – |\n| `other` | Stays. | – | – | – |\n| `gone` | Goes. | – |\n";
        assert_eq!(
            markdown(before, &[it.clone(), other, new], &verdicts),
            "| mutant | what it drops | suite | seeds | others |\n|---|---|---|---|---|\n\
             | `it` | A promise. | `a::b`, `a::c`, 2 more | I4 in seed 7, the time limit | – |\n\
             | `other` | Stays. | – | – | – |\n"
        );
        assert_eq!(
            caught_by(&verdicts[0]),
            "suite: a::b, a::c, 2 more; seeds: I4 in seed 7, the time limit"
        );
    }

    #[test]
    fn a_survivor_stands_out() {
        let mutant = mutant("it");
        let verdicts = [Verdict {
            mutant: &mutant,
            looks: vec![look("suite", &[], false)],
        }];
        assert_eq!(caught_by(&verdicts[0]), "NOTHING");
        assert!(table(&verdicts).ends_with("0 of 1 mutants were caught"));
        let json = json(&verdicts).expect("is written");
        assert!(json.contains("\"caught\": false"), "{json}");
    }
}
