//! Asks each question in each situation, and prints the answers as a table.

use domain::{
    Job, Rejection,
    job::{State, StateName},
};

use super::{diagram::Diagram, questions::Asked, sections::Section, situations::Situation, word};

/// The section as Markdown; what it sees goes into `diagram`.
pub(crate) fn print(section: &Section, situations: &[Situation], diagram: &mut Diagram) -> String {
    let heads = section.questions.iter().map(|question| question.head.to_owned());
    let mut rows = vec![std::iter::once(String::new()).chain(heads).collect()];
    rows.extend(shared_rows(
        situations
            .iter()
            .map(|situation| answer_all(section, situation, diagram))
            .collect(),
    ));
    format!("\n## {}\n\n{}\n\n{}", section.title, section.text, markdown(&rows))
}

/// What each question of a section came to in a situation.
struct Answered {
    state: StateName,
    name: &'static str,
    cells: Vec<String>,
}

fn answer_all(section: &Section, situation: &Situation, diagram: &mut Diagram) -> Answered {
    let mut answer = |asked: Option<Asked>| {
        let Some(Asked { job, event, now }) = asked else {
            return String::new();
        };
        let result = job.apply(&event, now);
        if let Ok(after) = &result {
            diagram.saw(word(&event), &job, after);
        }
        cell(&job, result)
    };
    let cells = section
        .questions
        .iter()
        .map(|question| answer((question.ask)(situation)))
        .collect();
    Answered {
        state: situation.story.job.state.name(),
        name: situation.name,
        cells,
    }
}

fn cell(before: &Job, result: Result<Job, Rejection>) -> String {
    match result {
        Ok(after) => change(before, &after),
        Err(Rejection::LeaseLost) => "`lease_lost`".to_owned(),
        Err(Rejection::OutcomeConflict) => "`outcome_conflict`".to_owned(),
        Err(Rejection::Repeated(state)) => format!("same again: {state}"),
        Err(Rejection::AlreadyStarted) => "`already_started`".to_owned(),
        Err(Rejection::Finished) => "`finished`".to_owned(),
        Err(Rejection::NotReady) => "`not_ready`".to_owned(),
        Err(Rejection::NothingDue) => "—".to_owned(),
        Err(Rejection::NoDeadLetter) => "`no_dead_letter`".to_owned(),
    }
}

fn change(before: &Job, after: &Job) -> String {
    let steps = &after.history[before.history.len()..];
    let states: Vec<String> = steps.iter().map(|step| format!("→ {}", step.to)).collect();
    let said = if states.is_empty() {
        "stays".to_owned()
    } else {
        states.join(" ")
    };
    let reason = after
        .reason
        .filter(|_| !steps.is_empty())
        .map(|reason| format!(" ({reason})"));
    let notes = notes(before, after, steps.is_empty()).map(|note| format!(", {note}"));
    std::iter::once(said).chain(reason).chain(notes).collect()
}

fn notes(before: &Job, after: &Job, stays: bool) -> impl Iterator<Item = &'static str> {
    let told = |job: &Job| {
        matches!(
            job.state,
            State::Running {
                cancel_told_at: Some(_),
                ..
            }
        )
    };
    [
        (after.attempts.started > before.attempts.started, "burns one"),
        (
            stays && after.cancel_requested_at != before.cancel_requested_at,
            "cancel requested",
        ),
        (told(after) && !told(before), "cancel told"),
        (stays && after.next_timer() != before.next_timer(), "new lease"),
        (stays && after.finishes.len() > before.finishes.len(), "report kept"),
        (after.settled != before.settled, "settled"),
    ]
    .into_iter()
    .filter_map(|(shown, note)| shown.then_some(note))
}

/// One row for all situations of a state that fare alike.
fn shared_rows(answered: Vec<Answered>) -> Vec<Vec<String>> {
    let mut rows: Vec<(StateName, Vec<&str>, Vec<String>)> = Vec::new();
    for Answered { state, name, cells } in answered {
        match rows.iter_mut().find(|row| (row.0, &row.2) == (state, &cells)) {
            Some(row) => row.1.push(name),
            None => rows.push((state, vec![name], cells)),
        }
    }
    let alone = |state| rows.iter().filter(|row| row.0 == state).count() == 1;
    let label = |state, names: &[&str]| match names {
        _ if alone(state) => format!("**{state}**"),
        [_, _, _, _, ..] => format!("**{state}**: otherwise"),
        few => format!("**{state}**: {}", few.join("; ")),
    };
    let labels: Vec<String> = rows.iter().map(|(state, names, _)| label(*state, names)).collect();
    labels
        .into_iter()
        .zip(rows)
        .map(|(label, (_, _, cells))| std::iter::once(label).chain(cells).collect())
        .collect()
}

/// The rows, the first of them heads, with columns of one width each.
fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &[String]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let body: String = rows[1..].iter().map(|row| line(row)).collect();
    line(&rows[0]) + &line(&rule) + &body
}
