//! What was measured, for people and for machines.

use comfy_table::Table;
use serde::Serialize;

/// All figures of one run.
#[derive(Serialize)]
pub(crate) struct Report {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Report {
    pub(crate) fn new(title: &'static str, columns: &[&'static str]) -> Self {
        Self {
            title,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let mut table = Table::new();
        table.set_header(self.columns.clone());
        table.add_rows(self.rows.clone());
        println!("{}\n{table}", self.title);
        Ok(())
    }
}

/// The median of some figures, with the least and the greatest.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `figures`, of which there must be one at least.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self {
            min: figures[0],
            median: percentile(&figures, 0.5),
            max: figures[figures.len() - 1],
        }
    }
}

/// The figure below which `share` of the sorted `figures` lie.
pub(crate) fn percentile(figures: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small counts"
    )]
    let place = ((figures.len() - 1) as f64 * share).round() as usize;
    figures[place]
}

/// `count` things in `time`, as a rate a second.
pub(crate) fn rate(count: usize, time: std::time::Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count as f64;
    count / time.as_secs_f64()
}
