//! What submitters order: jobs of every kind, made from a seed and a number alone.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The queue of all orders.
pub(crate) const QUEUE: &str = "chaos";

/// The label by which a job says which order it came from.
pub(crate) const LABEL: &str = "order";

/// What a robot may be able to do, and a job may need.
pub(crate) const CAPABILITIES: [&str; 2] = ["browser", "excel"];

/// Spreads seeds: neighbouring numbers must not give alike orders.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Longer than the lease that the queue has.
const SLOW_MS: std::ops::Range<u64> = 11_000..13_000;
const QUICK_MS: std::ops::Range<u64> = 30..400;

/// How a job behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It does its work.
    Plain,
    /// It does its work, and takes longer than a lease.
    Slow,
    /// Its first attempts are killed.
    Crashes,
    /// Its first attempts fail.
    Flaky,
    /// It fails whenever it is tried.
    Hopeless,
    /// It fails, and is not to be tried again.
    Business,
    /// It never ends by itself.
    Stuck,
    /// It kills the robot that runs it.
    Lethal,
}

/// How many of a thousand orders are of each kind; the rest is plain.
const KINDS: [(Kind, u32); 7] = [
    (Kind::Slow, 25),
    (Kind::Crashes, 70),
    (Kind::Flaky, 80),
    (Kind::Hopeless, 30),
    (Kind::Business, 40),
    (Kind::Stuck, 15),
    (Kind::Lethal, 8),
];

/// One order: what is submitted, once or again, under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) max_attempts: u32,
    /// Whether it is to end when its robot is lost, in place of being tried again.
    pub(crate) fails_when_lost: bool,
    /// What a robot needs to be given it.
    pub(crate) needs: Option<&'static str>,
    /// Whether it is cancelled after it was acknowledged.
    pub(crate) cancel: bool,
    /// Whether it is submitted again after it was acknowledged.
    pub(crate) again: bool,
    priority: u8,
    work: Work,
    seed: u64,
}

/// What a robot's command is told, as the job's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) order: u64,
    pub(crate) kind: Kind,
    /// How long it takes.
    pub(crate) ms: u64,
    /// How many attempts fail, where the first ones do.
    pub(crate) failures: u32,
}

impl Order {
    /// The order of this number.
    pub(crate) fn new(number: u64, seed: u64) -> Order {
        let mut chance = StdRng::seed_from_u64(seed ^ number.wrapping_add(1).wrapping_mul(STRIDE));
        let kind = kind(chance.random_range(0..1000));
        let may_be_lost = matches!(kind, Kind::Plain | Kind::Slow);
        let ms = chance.random_range(if kind == Kind::Slow { SLOW_MS } else { QUICK_MS });
        Order {
            number,
            kind,
            max_attempts: max_attempts(kind),
            fails_when_lost: may_be_lost && chance.random_bool(0.2),
            needs: chance
                .random_bool(0.4)
                .then(|| CAPABILITIES[chance.random_range(0..CAPABILITIES.len())]),
            cancel: may_be_lost && chance.random_bool(0.06),
            again: chance.random_bool(0.06),
            priority: chance.random_range(0..=20),
            work: Work {
                order: number,
                kind,
                ms,
                failures: chance.random_range(1..=2),
            },
            seed,
        }
    }

    /// Its idempotency key.
    pub(crate) fn key(&self) -> String {
        format!("chaos-{:x}-{}", self.seed, self.number)
    }

    /// The body that is submitted, the same each time.
    pub(crate) fn body(&self) -> Value {
        let run_seconds = if self.kind == Kind::Stuck { 2 } else { 3600 };
        let needs: Vec<&str> = self.needs.into_iter().collect();
        json!({
            "workflow": self.kind,
            "payload": self.work,
            "queue": QUEUE,
            "priority": self.priority,
            "timeouts": { "run_seconds": run_seconds },
            "retry": { "max_attempts": self.max_attempts, "initial_seconds": 1, "max_seconds": 2 },
            "requires": { "capabilities": needs },
            "on_lost": if self.fails_when_lost { "fail" } else { "retry" },
            "labels": { LABEL: self.number.to_string() },
        })
    }

    /// The body within a bulk, where the key is part of it.
    pub(crate) fn bulk_body(&self) -> Value {
        let mut body = self.body();
        body["idempotency_key"] = json!(self.key());
        body
    }
}

fn kind(mut ticket: u32) -> Kind {
    for (kind, share) in KINDS {
        if ticket < share {
            return kind;
        }
        ticket -= share;
    }
    Kind::Plain
}

fn max_attempts(kind: Kind) -> u32 {
    match kind {
        // Each of its attempts is to be seen, and no more.
        Kind::Hopeless | Kind::Lethal => 2,
        Kind::Stuck | Kind::Business => 1,
        Kind::Plain | Kind::Slow | Kind::Crashes | Kind::Flaky => 6,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_and_number_give_the_same_order() {
        assert_eq!(Order::new(7, 1), Order::new(7, 1));
        assert_ne!(Order::new(7, 1), Order::new(7, 2));
        assert_ne!(Order::new(7, 1).key(), Order::new(8, 1).key());
    }

    #[test]
    fn a_thousand_orders_hold_every_kind() {
        let kinds: BTreeSet<Kind> = (0..1000).map(|number| Order::new(number, 1).kind).collect();
        assert_eq!(kinds.len(), KINDS.len() + 1);
    }

    #[test]
    fn first_attempts_that_fail_leave_some_that_do_not() {
        let orders = (0..1000).map(|number| Order::new(number, 1));
        let failing = orders.filter(|order| matches!(order.kind, Kind::Crashes | Kind::Flaky));
        assert!(
            failing
                .map(|order| order.max_attempts - order.work.failures)
                .all(|rest| rest >= 4)
        );
    }
}
