//! The sample: jobs as anybody could submit them, each with a label that says how it is meant to end.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Deserialize;
use serde_json::{Value, json};

/// The sample file, in the binary, so that the demo runs wherever it lies.
const SAMPLE: &str = include_str!("../../../demo/jobs.jsonl");

/// How many jobs the sample file has.
pub(super) const SAMPLE_JOBS: u16 = 300;

/// The queue that the sample's jobs go to.
pub(super) const QUEUE: &str = "demo";

/// How a job is meant to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    /// It succeeds, at the latest when it is tried again.
    Succeeded,
    /// It fails whenever it is tried.
    ApplicationError,
    /// It fails, and is not tried again.
    BusinessError,
    /// It runs until its run timeout.
    RunTimeout,
    /// It waits until its queue timeout: no robot can do it.
    QueueTimeout,
    /// It is cancelled.
    Cancelled,
}

impl Expect {
    /// The state and the reason that the job ends with.
    pub(super) fn ending(self) -> (&'static str, Option<&'static str>) {
        match self {
            Expect::Succeeded => ("succeeded", None),
            Expect::ApplicationError => ("failed", Some("application_error")),
            Expect::BusinessError => ("failed", Some("business_error")),
            Expect::RunTimeout => ("timed_out", Some("run_timeout")),
            Expect::QueueTimeout => ("timed_out", Some("queue_timeout")),
            Expect::Cancelled => ("cancelled", Some("cancelled_by_client")),
        }
    }
}

/// In which state a job is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CancelWhen {
    /// Before its time has come.
    Scheduled,
    /// Before any robot is there.
    Ready,
    /// As soon as a robot is seen at work on it.
    Running,
}

/// One job of the sample.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// What is submitted, its idempotency key included.
    pub(super) body: Value,
    pub(super) workflow: String,
    /// The payload's number, which a result has to repeat.
    pub(super) number: u64,
    pub(super) expect: Expect,
    pub(super) cancel: Option<CancelWhen>,
    pub(super) max_attempts: u32,
    /// What a robot needs to be given it.
    pub(super) capabilities: Vec<String>,
}

/// An order that the server has accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The job's id.
    pub(super) id: String,
    pub(super) order: Order,
}

/// So many jobs of the sample, in an order that the seed decides; beyond its end the sample begins again.
pub(super) fn orders(jobs: u16, seed: u64) -> Vec<Order> {
    let lines: Vec<&str> = SAMPLE.lines().collect();
    let mut orders: Vec<Order> = (0..usize::from(jobs))
        .map(|index| order(lines[index % lines.len()], index, index / lines.len()))
        .collect();
    orders.shuffle(&mut StdRng::seed_from_u64(seed));
    orders
}

/// The same order under another key: its dedup key alone tells that it is the same. None where it has none.
pub(super) fn repeated(order: &Order) -> Option<Value> {
    let mut body = order.body.clone();
    body.get("dedup")?;
    body["idempotency_key"] = json!(format!(
        "{}-again",
        body["idempotency_key"].as_str().unwrap_or_default()
    ));
    Some(body)
}

/// What the sample says of a job besides its payload.
#[derive(Debug, Deserialize)]
struct Line {
    workflow: String,
    labels: Labels,
    #[serde(default)]
    retry: Retry,
    #[serde(default)]
    requires: Requires,
}

#[derive(Debug, Deserialize)]
struct Labels {
    expect: Expect,
    cancel: Option<CancelWhen>,
}

#[derive(Debug, Deserialize)]
struct Retry {
    max_attempts: u32,
}

impl Default for Retry {
    /// What the contract promises where nothing is said.
    fn default() -> Self {
        Retry { max_attempts: 3 }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Requires {
    capabilities: Vec<String>,
}

fn order(line: &str, index: usize, round: usize) -> Order {
    let mut body: Value = serde_json::from_str(line).expect("a test reads each line of the sample");
    let said = Line::deserialize(&body).expect("a test reads each line of the sample");
    let number = index as u64 + 1;
    body["payload"]["number"] = json!(number);
    if round > 0 {
        // A job of a later round is a job of its own.
        for pointer in ["/idempotency_key", "/dedup/key"] {
            if let Some(Value::String(key)) = body.pointer_mut(pointer) {
                *key = format!("{key}-round-{}", round + 1);
            }
        }
    }
    Order {
        body,
        workflow: said.workflow,
        number,
        expect: said.labels.expect,
        cancel: said.labels.cancel,
        max_attempts: said.retry.max_attempts,
        capabilities: said.requires.capabilities,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(orders: &[Order]) -> Vec<&str> {
        orders
            .iter()
            .map(|order| order.body["idempotency_key"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn the_sample_can_be_read_and_has_as_many_jobs_as_promised() {
        assert_eq!(SAMPLE.lines().count(), usize::from(SAMPLE_JOBS));
        let orders = orders(SAMPLE_JOBS, 1);
        assert!(orders.iter().all(|order| order.body["queue"] == QUEUE));
        assert!(
            orders
                .iter()
                .all(|order| (order.expect == Expect::Cancelled) == order.cancel.is_some())
        );
    }

    #[test]
    fn the_smallest_sample_has_jobs_of_every_kind() {
        let all: BTreeSet<String> = orders(SAMPLE_JOBS, 1).into_iter().map(|order| order.workflow).collect();
        let few: BTreeSet<String> = orders(60, 1).into_iter().map(|order| order.workflow).collect();
        assert_eq!(few, all);
    }

    #[test]
    fn jobs_beyond_the_end_of_the_sample_are_jobs_of_their_own() {
        let orders = orders(2 * SAMPLE_JOBS, 1);
        let keys: BTreeSet<&str> = keys(&orders).into_iter().collect();
        let numbers: BTreeSet<u64> = orders.iter().map(|order| order.number).collect();
        assert_eq!((keys.len(), numbers.len()), (600, 600));
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        assert_eq!(keys(&orders(100, 7)), keys(&orders(100, 7)));
        assert_ne!(keys(&orders(100, 7)), keys(&orders(100, 8)));
    }

    #[test]
    fn an_order_is_repeated_only_where_its_dedup_key_tells_it() {
        for order in orders(SAMPLE_JOBS, 1) {
            let again = repeated(&order);
            assert_eq!(again.is_some(), order.workflow == "order-sync");
            if let Some(again) = again {
                assert_ne!(again["idempotency_key"], order.body["idempotency_key"]);
                assert_eq!(again["dedup"], order.body["dedup"]);
            }
        }
    }
}
