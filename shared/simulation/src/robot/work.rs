//! A job that a robot has.

use domain::{Timestamp, job::Outcome};
use queue::FinishReport;
use queue_conformance::kit::{Held, report};

/// A job that a robot has.
pub(super) struct Work {
    pub(super) held: Held,
    /// Since it was told that it may begin: when it will be done, and how.
    pub(super) under_way: Option<(Timestamp, Outcome)>,
    /// What is to be reported, until that is answered.
    pub(super) report: Option<FinishReport>,
    /// The next chunk of its log.
    pub(super) chunk: u32,
}

impl Work {
    pub(super) fn new(held: Held) -> Self {
        Self {
            held,
            under_way: None,
            report: None,
            chunk: 0,
        }
    }

    /// When it will be done, if it has begun.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.under_way.as_ref().map(|(at, _)| *at)
    }

    /// It is to stop, politely and at once.
    pub(super) fn stop(&mut self, now: Timestamp) {
        if self.report.is_none() {
            self.under_way = Some((now, Outcome::Cancelled));
        }
    }

    /// Makes its report once it is done.
    pub(super) fn conclude(&mut self, now: Timestamp) {
        if let Some((at, outcome)) = &self.under_way
            && *at <= now
            && self.report.is_none()
        {
            self.report = Some(report(&self.held, outcome.clone(), Some("\"done\"")));
        }
    }
}
