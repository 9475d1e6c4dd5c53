//! What a run came to, as tables or as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use crate::check::{self, Defect, Rule};
use crate::effects::What;
use crate::evidence::Evidence;
use crate::figures::{self, Recovery};
use crate::record::Event;
use crate::run::Settings;

/// How many defects are told one by one; the rest is counted.
const DEFECTS_TOLD: usize = 20;

/// All figures of a run, and everything that was wrong.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The kind of store.
    pub store: &'static str,
    /// What gives the same orders and the same faults again.
    pub seed: u64,
    /// How many servers there were.
    pub servers: usize,
    /// How many robots there were.
    pub robots: usize,
    /// For how long faults were put in.
    pub seconds: u64,
    /// How many orders were attempted.
    pub attempted: usize,
    /// How many times any of them was sent.
    pub submits: usize,
    /// How many orders were acknowledged.
    pub acknowledged: usize,
    /// How many jobs came of orders that nobody acknowledged.
    pub unacknowledged: usize,
    /// How many jobs ended in each way.
    pub endings: BTreeMap<String, usize>,
    /// Acknowledged jobs that are not there.
    pub lost: usize,
    /// Jobs that nobody submitted, or that share a key.
    pub unexpected: usize,
    /// Attempts that ran.
    pub attempts: usize,
    /// Attempts that were lost under way.
    pub attempts_lost: usize,
    /// Effects in the world outside.
    pub effects: usize,
    /// Effects beyond one a job, each by an attempt that was lost.
    pub doubled_by_loss: usize,
    /// Effects beyond one a job that nothing explains.
    pub doubled_unexplained: usize,
    /// Robots that one of their jobs has killed.
    pub robots_killed_by_jobs: usize,
    /// What went wrong, by its name.
    pub faults: BTreeMap<&'static str, Recovery>,
    /// From when faults stopped until everything was over.
    pub settled_ms: u64,
    /// Everything that is wrong.
    pub defects: Vec<Defect>,
}

impl Report {
    /// The figures of this run.
    pub(crate) fn of(evidence: &Evidence, settings: &Settings) -> Report {
        let defects = check::check(evidence);
        let breaking = |rules: &[Rule]| defects.iter().filter(|defect| rules.contains(&defect.rule)).count();
        let events = |holds: fn(&Event) -> bool| evidence.entries.iter().filter(|entry| holds(&entry.event)).count();
        let marks = |what: What| evidence.marks.iter().filter(|mark| mark.what == what).count();
        let acknowledged: BTreeSet<u64> = check::acknowledged(evidence).iter().map(|(order, _)| *order).collect();
        let told_nothing = |number: &u64| evidence.orders.contains_key(number) && !acknowledged.contains(number);
        let doubled = figures::doubled(evidence);
        let unexplained = breaking(&[Rule::EffectTwice]);
        Report {
            store: settings.store.name(),
            seed: settings.seed,
            servers: settings.store.servers(),
            robots: settings.robots,
            seconds: settings.span.as_secs(),
            attempted: evidence.orders.len(),
            submits: events(|event| matches!(event, Event::Attempted { .. })),
            acknowledged: acknowledged.len(),
            unacknowledged: evidence
                .jobs
                .iter()
                .filter_map(check::order_of)
                .filter(told_nothing)
                .count(),
            endings: figures::endings(evidence),
            lost: breaking(&[Rule::Lost]),
            unexpected: breaking(&[Rule::Unexpected, Rule::TwoForOneKey]),
            attempts: marks(What::Begun),
            attempts_lost: figures::lost_attempts(evidence),
            effects: marks(What::Done),
            doubled_by_loss: doubled.effects.saturating_sub(unexplained),
            doubled_unexplained: unexplained,
            robots_killed_by_jobs: events(|event| matches!(event, Event::Ended { expected: true, .. })),
            faults: figures::recoveries(evidence)
                .into_iter()
                .map(|(kind, recovery)| (kind.name(), recovery))
                .collect(),
            settled_ms: settled_ms(evidence),
            defects,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.defects.is_empty()
    }

    /// All of it as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain texts and numbers")
    }

    fn counts(&self) -> Table {
        let mut table = table(["what", "count"]);
        let mut row = |what: &str, count: usize| {
            table.add_row([what.to_owned(), count.to_string()]);
        };
        row("attempted", self.attempted);
        row("acknowledged", self.acknowledged);
        row("not acknowledged, and there", self.unacknowledged);
        for (ending, count) in &self.endings {
            row(ending, *count);
        }
        row("attempts that ran", self.attempts);
        row("attempts lost under way", self.attempts_lost);
        row("robots killed by their jobs", self.robots_killed_by_jobs);
        row("effects", self.effects);
        row("effects doubled, by a lost lease", self.doubled_by_loss);
        row("**effects doubled, unexplained**", self.doubled_unexplained);
        row("**lost**", self.lost);
        row("**unexpected**", self.unexpected);
        row("**defects in all**", self.defects.len());
        table
    }

    fn faults(&self) -> Table {
        let mut table = table(["fault", "times", "recovery p50", "max", "silence p50", "max"]);
        for (name, found) in &self.faults {
            let (recovery, silence) = (found.recovery_ms, found.silence_ms);
            let [recovery, recovery_max, silence, silence_max] =
                [recovery.p50, recovery.max, silence.p50, silence.max].map(seconds);
            let (name, faults) = ((*name).to_owned(), found.faults.to_string());
            table.add_row([name, faults, recovery, recovery_max, silence, silence_max]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} servers, {} robots, {} s of faults, everything over {} later; seed {}\n",
            self.store,
            self.servers,
            self.robots,
            self.seconds,
            seconds(self.settled_ms),
            self.seed
        )?;
        writeln!(f, "{}\n\n{}", self.counts(), self.faults())?;
        writeln!(
            f,
            "\nrecovery: from the end of a fault to the next job that ended; silence: without an acknowledgement around it"
        )?;
        for defect in self.defects.iter().take(DEFECTS_TOLD) {
            writeln!(f, "{defect}")?;
        }
        if self.defects.len() > DEFECTS_TOLD {
            writeln!(f, "… and {} more", self.defects.len() - DEFECTS_TOLD)?;
        }
        Ok(())
    }
}

fn table<const COLUMNS: usize>(names: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(names);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// From when faults stopped until nothing was unfinished.
fn settled_ms(evidence: &Evidence) -> u64 {
    let moment = |holds: fn(&Event) -> bool| {
        let entry = evidence.entries.iter().find(|entry| holds(&entry.event));
        entry.map(|entry| entry.at)
    };
    let calm = moment(|event| matches!(event, Event::Calm));
    let settled = moment(|event| matches!(event, Event::Settled { .. }));
    let time = calm.zip(settled).map(|(calm, settled)| settled.duration_since(calm));
    time.and_then(|time| u64::try_from(time.as_millis()).ok())
        .unwrap_or_default()
}
