//! How far a run is, on a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::record::{Event, Record};

/// How often it moves.
const TICK: Duration = Duration::from_millis(200);

/// The bar of a run. It is not drawn where the standard error is no terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Bar {
        let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}");
        let bar = ProgressBar::new_spinner();
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(TICK);
        Bar(bar)
    }

    /// Says what is being done.
    pub(crate) fn tell(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// Shows how many faults there were, and how many jobs are acknowledged.
    pub(crate) fn show(&self, record: &Record) {
        let acknowledged = record.count(|event| matches!(event, Event::Acknowledged { .. }));
        let begun = record.count(|event| matches!(event, Event::FaultBegan { .. }));
        let over = record.count(|event| matches!(event, Event::FaultEnded { .. }));
        let calm = record.count(|event| matches!(event, Event::Calm)) > 0;
        let phase = if calm {
            "; faults stopped, waiting for the rest"
        } else {
            ""
        };
        self.0.set_message(format!(
            "{acknowledged} acknowledged, {begun} faults, {} under way{phase}",
            begun - over
        ));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
