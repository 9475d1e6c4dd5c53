//! Everything that happens in a run, in the order in which it happened: kept in memory for the checker, and written down, a
//! line of JSON each, as it happens.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use crate::fault;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The run began.
    Begun { store: &'static str, seed: u64 },
    /// An order was sent to a server.
    Attempted { order: u64, server: usize },
    /// A server said that the order is a job.
    Acknowledged { order: u64, job: String, status: u16 },
    /// No server has said what became of it, for now.
    Unanswered { order: u64, why: String },
    /// A server considered the order and refused it.
    Refused { order: u64, why: String },
    /// A server said what the job is after it was asked to cancel it.
    Cancelled { order: u64, state: String },
    /// A fault was put in.
    FaultBegan {
        fault: usize,
        kind: fault::Kind,
        target: String,
    },
    /// A fault was over: what was down is up again.
    FaultEnded { fault: usize },
    /// A server or a robot ended though nobody told it to, and was started again.
    Ended { name: String, how: String, expected: bool },
    /// No more faults were put in, and nothing was submitted any more.
    Calm,
    /// Nothing was unfinished any more, or the time for it was up.
    Settled { unfinished: u64 },
}

/// The record of a run.
#[derive(Debug, Default)]
pub(crate) struct Record {
    file: Option<Mutex<File>>,
    entries: Mutex<Vec<Entry>>,
}

impl Record {
    /// A record that is also written to this file, which it replaces.
    pub(crate) fn to_file(path: &Path) -> anyhow::Result<Record> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Record {
            file: Some(Mutex::new(file)),
            entries: Mutex::default(),
        })
    }

    /// Notes that this happened now.
    pub(crate) fn note(&self, event: Event) {
        let entry = Entry {
            at: Timestamp::now(),
            event,
        };
        if let Some(file) = &self.file {
            let line = serde_json::to_string(&entry).expect("an entry is plain texts and numbers");
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // The run is judged by what is in memory; a full disk must not end it.
            let _ = writeln!(file, "{line}");
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// How many entries there are of which this holds.
    pub(crate) fn count(&self, holds: impl Fn(&Event) -> bool) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| holds(&entry.event)).count()
    }

    /// Everything so far, the oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}
