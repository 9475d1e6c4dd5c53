//! Answers as text for people: values in, text out, nothing read from anywhere.

mod details;
mod fleet;
mod jobs;
mod keys;

pub(crate) use details::{job_details, named_json, progress_text};
pub(crate) use fleet::{queues, robot_details, robots, stats, whole_span};
pub(crate) use jobs::{explanation, history, job_line, jobs, transition_line};
pub(crate) use keys::keys;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table};

/// The space between two columns.
const COLUMN_GAP: u16 = 2;

/// How text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// The columns of the terminal; without one, lines are as long as they need to be.
    pub(crate) width: Option<u16>,
    /// Whether colours are wanted.
    pub(crate) colour: bool,
}

impl Style {
    /// As into a pipe.
    #[cfg(test)]
    pub(crate) const PLAIN: Style = Style {
        width: None,
        colour: false,
    };

    /// A table without lines, its first column never wrapped: it holds what people copy.
    fn table(self, header: &[&str]) -> Table {
        let mut table = self.frameless();
        table.set_header(header.iter().map(|name| self.dressed(name, Look::Heading)));
        if let Some(column) = table.column_mut(0) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        table
    }

    fn frameless(self) -> Table {
        let mut table = Table::new();
        table.force_no_tty().load_style(comfy_table::presets::NOTHING);
        match self.width {
            Some(width) => table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.colour {
            table.enforce_styling();
        }
        table
    }

    fn dressed(self, text: &str, look: Look) -> Cell {
        let cell = Cell::new(clean(text));
        if !self.colour {
            return cell;
        }
        match look {
            Look::Plain => cell,
            Look::Heading => cell.add_attribute(Attribute::Bold),
            Look::Faint => cell.fg(Color::DarkGrey),
            Look::Good => cell.fg(Color::Green),
            Look::Busy => cell.fg(Color::Cyan),
            Look::Warning => cell.fg(Color::Yellow),
            Look::Bad => cell.fg(Color::Red),
        }
    }
}

/// What a text means to the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Heading,
    Faint,
    Good,
    Busy,
    Warning,
    Bad,
}

impl Look {
    /// The look of a job's or a robot's state.
    fn of_state(state: &str) -> Self {
        match state {
            "succeeded" | "idle" => Look::Good,
            "running" | "leased" | "busy" => Look::Busy,
            "failed" | "timed_out" | "offline" => Look::Bad,
            "draining" | "ready" => Look::Warning,
            "cancelled" | "scheduled" => Look::Faint,
            _ => Look::Plain,
        }
    }
}

/// The table's text, without the space that padding leaves at the ends of lines.
///
/// Where the terminal is too narrow, columns are left out in the order of `expendable`, and only then are cells wrapped.
fn text_of(table: &mut Table, expendable: &[usize]) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, COLUMN_GAP));
    }
    for index in expendable {
        if fits(table) {
            break;
        }
        if let Some(column) = table.column_mut(*index) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    table.trim_fmt()
}

/// A table of texts under a header.
pub(crate) fn plain_table(style: Style, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = style.table(header);
    for row in rows {
        table.add_row(row.iter().map(|text| style.dressed(text, Look::Plain)));
    }
    text_of(&mut table, &[])
}

fn fits(table: &Table) -> bool {
    let shown = table.column_iter().filter(|column| !column.is_hidden());
    let needed: usize = shown
        .map(|column| usize::from(table.column_max_content_widths()[column.index] + COLUMN_GAP))
        .sum();
    table.width().is_none_or(|width| needed <= usize::from(width))
}

/// Rows of a name and a value, the values aligned.
fn fields(style: Style, rows: &[(&str, String)]) -> String {
    let mut table = style.frameless();
    for (name, value) in rows {
        table.add_row([style.dressed(name, Look::Heading), Cell::new(clean(value))]);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    text_of(&mut table, &[])
}

/// Text from elsewhere without what would steer a terminal; line ends stay.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c })
        .collect()
}

/// Text from elsewhere on one line.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// A line of a log without colours and without what would steer a terminal; tabs stay.
pub(crate) fn clean_log_line(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                // A control sequence ends with a character from `@` to `~`.
                rest.by_ref().find(|c| ('@'..='~').contains(c));
            }
            '\t' => text.push(c),
            c if c.is_control() => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

/// Text in the colours of a look, where colours are wanted.
pub(crate) fn paint(style: Style, text: &str, look: Look) -> String {
    let code = match look {
        _ if !style.colour => return text.to_owned(),
        Look::Plain => return text.to_owned(),
        Look::Heading => 1,
        Look::Faint => 90,
        Look::Good => 32,
        Look::Busy => 36,
        Look::Warning => 33,
        Look::Bad => 31,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A value, or a dash where there is none.
fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// Texts in a row, or a dash where there are none.
fn joined<S: AsRef<str>>(texts: &[S]) -> String {
    if texts.is_empty() {
        return "-".to_owned();
    }
    texts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// `1 job`, `2 jobs`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// What the tests of rendering share.
#[cfg(test)]
mod tests_support {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use crate::answers::Job;

    /// A time.
    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A plain job as the API writes it, with `changes` on top.
    pub(crate) fn job(changes: &Value) -> Job {
        let mut job = json!({
            "id": "0190f1f0-0000-7000-8000-000000000001", "tenant": "default", "workflow": "invoice-export",
            "workflow_version": null, "payload": null, "queue": "default", "priority": 5, "run_at": null, "deadline": null,
            "timeouts": { "queue_seconds": null, "run_seconds": 3600 },
            "retry": { "max_attempts": 3, "initial_seconds": 10, "max_seconds": 3600, "multiplier": 2.0, "jitter": 0.2 },
            "requires": { "capabilities": [], "environment": null, "robot": null },
            "prefers": { "capabilities": [], "robot": null }, "on_lost": "retry", "dedup": null, "labels": {},
            "state": "ready", "reason": null, "attempt": 0, "attempts_left": 3, "robot": null, "progress": null,
            "result": null, "error": null, "created_at": "2026-11-21T12:00:00.000Z", "ready_at": null, "leased_at": null,
            "started_at": null, "finished_at": null, "cancel_requested_at": null, "retry_of": null, "version": 1
        });
        for (name, value) in changes.as_object().expect("changes are an object") {
            job[name] = value.clone();
        }
        serde_json::from_str(&job.to_string()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
        assert_eq!(clean_line("a\nb"), "a b");
        assert_eq!(clean_log_line("\u{1b}[1;31mred\u{1b}[0m\tend\u{7}"), "red\tend\u{fffd}");
    }

    #[test]
    fn a_table_fits_the_terminal_and_keeps_its_first_column_whole() {
        let style = Style {
            width: Some(60),
            colour: false,
        };
        let mut table = style.table(&["ID", "TEXT"]);
        table.add_row(["0190f1f0-0000-7000-8000-000000000001", &"word ".repeat(30)]);
        let text = text_of(&mut table, &[]);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("0190f1f0-0000-7000-8000-000000000001"), "{text}");
    }

    #[test]
    fn columns_are_left_out_only_where_the_terminal_is_too_narrow() {
        let text = |width| {
            let mut table = Style { width, colour: false }.table(&["ID", "MISSABLE", "NEEDED"]);
            table.add_row(["0190f1f0-0000-7000-8000-000000000001", "something", "word"]);
            text_of(&mut table, &[1])
        };
        assert!(text(None).contains("something"));
        assert!(text(Some(60)).contains("something"));
        let narrow = text(Some(50));
        assert!(
            !narrow.contains("MISSABLE") && narrow.contains("NEEDED") && narrow.contains("word"),
            "{narrow}"
        );
    }

    #[test]
    fn colours_appear_only_where_they_are_wanted() {
        let row = |style: Style| {
            let mut table = style.table(&["STATE"]);
            table.add_row([style.dressed("failed", Look::Bad)]);
            text_of(&mut table, &[])
        };
        assert!(!row(Style::PLAIN).contains('\u{1b}'));
        assert!(
            row(Style {
                width: None,
                colour: true
            })
            .contains('\u{1b}')
        );
    }
}
