//! What many runs came to, as a table or as JSON.

use std::{collections::BTreeMap, time::Duration};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use domain::job::StateName;
use serde_json::json;
use simulation::{plan::Trouble, run::Outcome};

/// What runs came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    seeds: u64,
    failed: u64,
    jobs: u64,
    turns: u64,
    virtual_time: Duration,
    took: Duration,
    latest_notice: Duration,
    troubles: BTreeMap<Trouble, (u64, u64)>,
    steps: BTreeMap<(Option<StateName>, StateName), u64>,
}

impl Report {
    /// What `outcomes` came to, which took so long.
    pub(crate) fn of(outcomes: impl IntoIterator<Item = Outcome>, took: Duration) -> Self {
        let mut report = Self::default();
        outcomes.into_iter().for_each(|outcome| report.add(outcome));
        report.took(took);
        report
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.failed += u64::from(!outcome.violations.is_empty());
        self.jobs += outcome.jobs;
        self.turns += outcome.turns;
        self.virtual_time += outcome.virtual_time;
        self.latest_notice = self.latest_notice.max(outcome.latest_notice);
        for (trouble, count) in outcome.troubles {
            let (times, seeds) = self.troubles.entry(trouble).or_default();
            *times += count;
            *seeds += u64::from(count > 0);
        }
        for (step, count) in outcome.steps {
            *self.steps.entry(step).or_default() += count;
        }
    }

    /// How long it took.
    pub(crate) fn took(&mut self, took: Duration) {
        self.took = took;
    }

    /// For people, or for machines.
    pub(crate) fn printed(&self, as_json: bool) -> String {
        if as_json {
            format!("{}\n", self.json())
        } else {
            self.tables()
        }
    }

    fn json(&self) -> serde_json::Value {
        let troubles: BTreeMap<&str, _> = self
            .troubles
            .iter()
            .map(|(trouble, (times, seeds))| (trouble.name(), json!({ "times": times, "seeds": seeds })))
            .collect();
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|((from, to), times)| json!({ "from": from, "to": to, "times": times }))
            .collect();
        json!({
            "seeds": self.seeds, "failed": self.failed, "jobs": self.jobs, "turns": self.turns,
            "virtual_days": self.virtual_days(), "seconds": self.took.as_secs_f64(),
            "seeds_a_minute": self.seeds_a_minute(), "latest_notice_seconds": self.latest_notice.as_secs_f64(),
            "troubles": troubles, "steps": steps,
        })
    }

    fn virtual_days(&self) -> f64 {
        self.virtual_time.as_secs_f64() / 86_400.0
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn seeds_a_minute(&self) -> f64 {
        60.0 * self.seeds as f64 / self.took.as_secs_f64().max(0.001)
    }

    fn tables(&self) -> String {
        let mut troubles = table(&["what went wrong", "times", "in seeds"]);
        for (trouble, (times, seeds)) in &self.troubles {
            troubles.add_row([trouble.name().to_owned(), times.to_string(), seeds.to_string()]);
        }
        let mut steps = table(&["from", "to", "times"]);
        for ((from, to), times) in &self.steps {
            let from = from.map_or("(new)", StateName::as_str);
            steps.add_row([from.to_owned(), to.to_string(), times.to_string()]);
        }
        format!(
            "{troubles}\n\n{steps}\n\n{} seeds, {} failed; {} jobs, {:.0} days of virtual time, {} turns, in {:.1} s: {:.0} seeds a \
             minute\nonce nothing went wrong any more, no timer was handled later than {:.1} s after it was due\n",
            self.seeds,
            self.failed,
            self.jobs,
            self.virtual_days(),
            self.turns,
            self.took.as_secs_f64(),
            self.seeds_a_minute(),
            self.latest_notice.as_secs_f64(),
        )
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
