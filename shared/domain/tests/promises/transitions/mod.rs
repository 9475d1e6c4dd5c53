//! Every situation of a job × everything that can happen to it, printed from `Job::apply` and compared with the kept
//! `transitions.md`; `UPDATE_EXPECT=1 cargo test -p domain` rewrites that file.

mod diagram;
mod questions;
mod sections;
mod situations;
mod table;

use std::collections::BTreeSet;

use domain::{Event, job::StateName};
use expect_test::expect_file;

use self::{diagram::Diagram, situations::situations};

/// The edges of the state graph. A report of a job that was handed out and not listed in `running` takes two of them.
pub(crate) const EDGES: [(StateName, StateName); 21] = {
    use StateName::{Cancelled, Failed, Leased, Ready, Running, Scheduled, Succeeded, TimedOut};
    [
        (Scheduled, Ready),
        (Scheduled, Succeeded),
        (Scheduled, Failed),
        (Scheduled, TimedOut),
        (Scheduled, Cancelled),
        (Ready, Leased),
        (Ready, Succeeded),
        (Ready, Failed),
        (Ready, TimedOut),
        (Ready, Cancelled),
        (Leased, Ready),
        (Leased, Running),
        (Leased, Failed),
        (Leased, TimedOut),
        (Leased, Cancelled),
        (Running, Scheduled),
        (Running, Ready),
        (Running, Succeeded),
        (Running, Failed),
        (Running, TimedOut),
        (Running, Cancelled),
    ]
};

/// The word for an event; a new event does not compile until it has one.
pub(crate) const fn word(event: &Event) -> &'static str {
    match event {
        Event::Tick { .. } => "tick",
        Event::Claim { .. } => "claim",
        Event::HandOver { .. } => "hand_over",
        Event::Renew { .. } => "renew",
        Event::Finish { .. } => "finish",
        Event::Release { .. } => "release",
        Event::Lose { .. } => "lose",
        Event::Cancel { .. } => "cancel",
        Event::Replace { .. } => "replace",
        Event::Settle { .. } => "settle",
    }
}

#[test]
fn the_kept_tables_are_what_apply_does() {
    let situations = situations();
    let mut diagram = Diagram::default();
    let mut page = HEAD.to_owned();
    for section in sections::all() {
        page += &table::print(&section, &situations, &mut diagram);
    }
    page += &diagram.print();
    expect_file!["../../../transitions.md"].assert_eq(&page);
}

#[test]
fn the_tables_show_every_state_every_event_and_every_edge() {
    let situations = situations();
    let states: BTreeSet<StateName> = situations
        .iter()
        .map(|situation| situation.story.job.state.name())
        .collect();
    assert_eq!(states, BTreeSet::from(StateName::ALL));

    let mut diagram = Diagram::default();
    let mut events = BTreeSet::new();
    for section in sections::all() {
        table::print(&section, &situations, &mut diagram);
        let asked = section
            .questions
            .iter()
            .flat_map(|question| situations.iter().map(|it| (question.ask)(it)));
        events.extend(asked.flatten().map(|asked| word(&asked.event)));
    }
    assert_eq!(events.len(), 10, "{events:?}");
    assert_eq!(diagram.edges(), BTreeSet::from(EDGES));
}

const HEAD: &str = "\
# What becomes of a job

Printed by a test from `Job::apply`, the one place that decides. `UPDATE_EXPECT=1 cargo test -p domain` prints it anew;
a change here is a change of what clients and robots were promised.

A row is a situation, a column is something that happens in it. Situations of one state that fare alike share a row.

- `→ ready (lease_lost)`: the states it goes through and the reason it then has; `burns one`: an attempt counts as started.
- `stays`: the state does not change, what does is named.
- `lease_lost`, `not_ready`, …: the event is refused and changes nothing. `same again: ready`: so is this one, for it was
  done before, and the answer is the same as then.
- `—`: nothing is due. An empty cell: this cannot be asked here.
- *The right fence* is that of the latest attempt, over or not; *an older fence* is that of an attempt before it.
";
