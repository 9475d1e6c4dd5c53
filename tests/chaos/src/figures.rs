//! The figures of a run: evidence in, numbers out. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::effects::{Mark, What};
use crate::evidence::{Evidence, Found};
use crate::fault::Kind;
use crate::record::Event;
use crate::story;

/// How values are spread, in milliseconds; zero where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The middle one.
    pub p50: u64,
    /// The largest.
    pub max: u64,
}

/// What the faults of one kind came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// How many there were.
    pub faults: usize,
    /// From the end of each to the next job that ended.
    pub recovery_ms: Spread,
    /// The longest time without an acknowledgement that overlaps with each.
    pub silence_ms: Spread,
}

/// How many times a job's effect came more than once because an attempt was lost that had done it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Doubled {
    /// Jobs whose effect is there more than once.
    pub(crate) jobs: usize,
    /// Effects of lost attempts, beside those that count.
    pub(crate) effects: usize,
}

impl Spread {
    /// The spread of these; each figure is one of them.
    fn of(mut values: Vec<u64>) -> Spread {
        values.sort_unstable();
        let middle = values.len().div_ceil(2).saturating_sub(1);
        Spread {
            p50: values.get(middle).copied().unwrap_or_default(),
            max: values.last().copied().unwrap_or_default(),
        }
    }
}

/// What the faults came to, by their kind.
pub(crate) fn recoveries(evidence: &Evidence) -> BTreeMap<Kind, Recovery> {
    let mut finished: Vec<Timestamp> = evidence.jobs.iter().filter_map(|found| found.job.finished_at).collect();
    finished.sort_unstable();
    let silences = silences(evidence);
    let mut by_kind: BTreeMap<Kind, (usize, Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for (kind, begun, ended) in faults(evidence) {
        let (count, recovery, silence) = by_kind.entry(kind).or_default();
        *count += 1;
        let next = finished.iter().find(|at| **at >= ended);
        recovery.extend(next.map(|next| between(ended, *next)));
        let overlapping = silences.iter().filter(|(from, to)| *from <= ended && *to >= begun);
        silence.extend(overlapping.map(|(from, to)| between(*from, *to)).max());
    }
    let row = |(faults, recovery, silence)| Recovery {
        faults,
        recovery_ms: Spread::of(recovery),
        silence_ms: Spread::of(silence),
    };
    by_kind.into_iter().map(|(kind, seen)| (kind, row(seen))).collect()
}

/// How many effects came more than once.
pub(crate) fn doubled(evidence: &Evidence) -> Doubled {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for Mark { job, .. } in evidence.marks.iter().filter(|mark| mark.what == What::Done) {
        *done.entry(job).or_default() += 1;
    }
    let more = done.values().filter(|times| **times > 1);
    Doubled {
        jobs: more.clone().count(),
        effects: more.map(|times| times - 1).sum(),
    }
}

/// How many attempts were lost under way.
pub(crate) fn lost_attempts(evidence: &Evidence) -> usize {
    let lost = |found: &Found| story::lost(&found.history).len();
    evidence.jobs.iter().map(lost).sum()
}

/// How many jobs ended in each way: the state, and for what did not succeed the reason.
pub(crate) fn endings(evidence: &Evidence) -> BTreeMap<String, usize> {
    let mut endings = BTreeMap::new();
    for Found { job, .. } in &evidence.jobs {
        let name = match &job.reason {
            Some(reason) if job.state != "succeeded" => format!("{}: {reason}", job.state),
            _ => job.state.clone(),
        };
        *endings.entry(name).or_default() += 1;
    }
    endings
}

/// Each fault that was over, with its begin and its end.
fn faults(evidence: &Evidence) -> Vec<(Kind, Timestamp, Timestamp)> {
    let mut begun = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in &evidence.entries {
        match entry.event {
            Event::FaultBegan { fault, kind, .. } => {
                begun.insert(fault, (kind, entry.at));
            }
            Event::FaultEnded { fault } => {
                faults.extend(begun.remove(&fault).map(|(kind, begun)| (kind, begun, entry.at)));
            }
            _ => {}
        }
    }
    faults
}

/// The times between each acknowledgement and the next.
fn silences(evidence: &Evidence) -> Vec<(Timestamp, Timestamp)> {
    let is_one = |event: &Event| matches!(event, Event::Acknowledged { .. });
    let entries = evidence.entries.iter().filter(|entry| is_one(&entry.event));
    let moments: Vec<Timestamp> = entries.map(|entry| entry.at).collect();
    moments.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Entry;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    fn entry(second: i64, event: Event) -> Entry {
        Entry { at: at(second), event }
    }

    fn acknowledged(second: i64) -> Entry {
        let event = Event::Acknowledged {
            order: 1,
            job: "a".to_owned(),
            status: 201,
        };
        entry(second, event)
    }

    fn ended(second: i64) -> Found {
        let job = json!({
            "id": "a", "labels": {}, "state": "succeeded", "reason": null, "attempt": 1, "result": null,
            "finished_at": at(second).to_string(),
        });
        Found {
            job: serde_json::from_value(job).expect("a job"),
            history: Vec::new(),
            explanation: None,
        }
    }

    #[test]
    fn a_spread_is_made_of_values_that_were_seen() {
        let spread = |values: &[u64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[]), Spread::default());
        assert_eq!(spread(&[7]), Spread { p50: 7, max: 7 });
        assert_eq!(spread(&[30, 10, 20]), Spread { p50: 20, max: 30 });
    }

    #[test]
    fn a_recovery_goes_from_the_end_of_a_fault_to_the_next_end_of_a_job() {
        let kind = Kind::StoreStopped;
        let target = "store".to_owned();
        let evidence = Evidence {
            entries: vec![
                acknowledged(9),
                entry(10, Event::FaultBegan { fault: 0, kind, target }),
                entry(15, Event::FaultEnded { fault: 0 }),
                acknowledged(16),
                acknowledged(60),
            ],
            jobs: vec![ended(14), ended(18), ended(30)],
            ..Evidence::default()
        };
        let expected = Recovery {
            faults: 1,
            recovery_ms: Spread { p50: 3_000, max: 3_000 },
            silence_ms: Spread { p50: 7_000, max: 7_000 },
        };
        assert_eq!(recoveries(&evidence), BTreeMap::from([(kind, expected)]));
    }
}
