//! Puts mutants into the text of a file, each behind its switch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use anyhow::{bail, ensure};

use super::list::{Form, Mutant};

/// What a switched mutant holds where it asks whether it runs.
const SWITCH: &str = "{on}";

/// The text `source` of `file` with all of `mutants` that are for this file. Fails, and names the mutant, when an original
/// does not occur exactly once, or when two of them overlap without being the same.
pub(super) fn seeded(file: &str, source: &str, mutants: &[Mutant]) -> anyhow::Result<String> {
    let mut places: BTreeMap<usize, (Range<usize>, Vec<&Mutant>)> = BTreeMap::new();
    for mutant in mutants.iter().filter(|it| it.file == file) {
        let range = only_place(source, mutant)?;
        let (there, sharing) = places.entry(range.start).or_insert_with(|| (range.clone(), Vec::new()));
        ensure!(*there == range, overlap(mutant, sharing[0]));
        sharing.push(mutant);
    }
    let (mut seeded, mut done) = (String::with_capacity(source.len()), 0);
    let mut before: Option<&Mutant> = None;
    for (range, sharing) in places.into_values() {
        if let Some(before) = before.filter(|_| range.start < done) {
            bail!(overlap(sharing[0], before));
        }
        seeded += &source[done..range.start];
        seeded += &chosen(file, &sharing)?;
        (done, before) = (range.end, sharing.first().copied());
    }
    seeded += &source[done..];
    Ok(seeded)
}

/// Where the original of `mutant` lies in `source`.
fn only_place(source: &str, mutant: &Mutant) -> anyhow::Result<Range<usize>> {
    let mut found = source.match_indices(&mutant.original);
    match (found.next(), found.next()) {
        (Some((start, text)), None) => Ok(start..start + text.len()),
        (None, _) => bail!(
            "mutant `{}`: {} does not hold its original any more: {}",
            mutant.name,
            mutant.file,
            mutant.original
        ),
        (Some(_), Some(_)) => bail!(
            "mutant `{}`: {} holds its original more than once: {}",
            mutant.name,
            mutant.file,
            mutant.original
        ),
    }
}

fn overlap(one: &Mutant, other: &Mutant) -> String {
    format!("mutants `{}` and `{}` change texts that overlap", one.name, other.name)
}

/// The code that chooses between the mutants of one place, which share their original, and that original.
fn chosen(file: &str, sharing: &[&Mutant]) -> anyhow::Result<String> {
    let first = sharing[0];
    ensure!(
        sharing.iter().all(|it| it.form == first.form) && (first.form != Form::Switched || sharing.len() == 1),
        "mutant `{}` shares its original with others, which its form does not allow",
        first.name
    );
    if first.form == Form::Switched {
        ensure!(
            first.instead.contains(SWITCH),
            "mutant `{}` does not say where it asks its switch",
            first.name
        );
        return Ok(first.instead.replace(SWITCH, &switch(file, first)));
    }
    let mut code = String::new();
    for mutant in sharing {
        write!(code, "if {} {{ {} }} else ", switch(file, mutant), mutant.instead)?;
    }
    write!(code, "{{ {} }}", first.original)?;
    Ok(if first.form == Form::Expression {
        format!("({code})")
    } else {
        code
    })
}

/// The call by which code in `file` asks whether `mutant` runs.
fn switch(file: &str, mutant: &Mutant) -> String {
    let domain = if file.starts_with("shared/domain/") {
        "crate"
    } else {
        "domain"
    };
    format!("{domain}::mutant::is({:?})", mutant.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "shared/queue/src/lib.rs";

    fn mutant(name: &str, form: Form, original: &str, mutant: &str) -> Mutant {
        Mutant {
            name: name.to_owned(),
            drops: "Something.".to_owned(),
            file: FILE.to_owned(),
            form,
            original: original.to_owned(),
            instead: mutant.to_owned(),
        }
    }

    fn refusal(source: &str, mutants: &[Mutant]) -> String {
        let refused = seeded(FILE, source, mutants).expect_err("is refused");
        refused.to_string()
    }

    #[test]
    fn an_expression_is_chosen_by_its_switch() {
        let mutants = [mutant("off", Form::Expression, "a == b", "true")];
        let code = seeded(FILE, "if a == b { c }", &mutants).expect("is seeded");
        assert_eq!(
            code,
            r#"if (if domain::mutant::is("off") { true } else { a == b }) { c }"#
        );
    }

    #[test]
    fn a_statement_and_a_switched_text_stand_by_themselves() {
        let mutants = [
            mutant("still", Form::Statement, "n += 1;", "n += 0;"),
            mutant("open", Form::Switched, "Some(it) if it =>", "Some(it) if {on} || it =>"),
        ];
        let code = seeded(FILE, "n += 1; match m { Some(it) if it => {} }", &mutants).expect("is seeded");
        assert_eq!(
            code,
            r#"if domain::mutant::is("still") { n += 0; } else { n += 1; } match m { Some(it) if domain::mutant::is("open") || it => {} }"#
        );
    }

    #[test]
    fn mutants_of_one_original_are_taken_in_turn() {
        let mutants = [
            mutant("one", Form::Expression, "x", "1"),
            mutant("two", Form::Expression, "x", "2"),
        ];
        let code = seeded(FILE, "x", &mutants).expect("is seeded");
        assert_eq!(
            code,
            r#"(if domain::mutant::is("one") { 1 } else if domain::mutant::is("two") { 2 } else { x })"#
        );
    }

    #[test]
    fn within_the_domain_the_switch_is_its_own() {
        let file = "shared/domain/src/plan.rs";
        let mutants = [Mutant {
            file: file.to_owned(),
            ..mutant("it", Form::Expression, "x", "1")
        }];
        let code = seeded(file, "x", &mutants).expect("is seeded");
        assert!(code.contains("crate::mutant::is"), "{code}");
    }

    #[test]
    fn an_original_that_is_gone_or_not_alone_names_its_mutant() {
        let mutants = [mutant("it", Form::Expression, "a + b", "0")];
        assert!(refusal("a - b", &mutants).contains("`it`"));
        assert!(
            refusal("a + b; a + b", &mutants).contains("`it`: shared/queue/src/lib.rs holds its original more than")
        );
    }

    #[test]
    fn originals_that_overlap_are_refused() {
        let long = mutant("long", Form::Expression, "a + b", "0");
        let within = mutant("within", Form::Expression, "b", "0");
        let start = mutant("start", Form::Expression, "a", "0");
        for other in [within, start] {
            let said = refusal("a + b", &[long.clone(), other]);
            assert!(said.contains("overlap") && said.contains("`long`"), "{said}");
        }
    }
}
