//! What goes wrong, and when: planned from a seed before anything runs. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use crate::store::StoreKind;

/// How many faults there may be at the same time.
const AT_ONCE_MAX: usize = 3;

/// The pause from the start of one fault to that of the next.
const GAP_MS: Range<u64> = 500..3_500;

/// What a target is left alone after a fault, to come up again.
const REST: Duration = Duration::from_secs(2);

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A server gets SIGKILL, and is started again on its port.
    ServerKilled,
    /// A server is held still for longer than a lease.
    ServerPaused,
    /// A robot gets SIGKILL, and is started again under its name.
    RobotKilled,
    /// A robot is held still for longer than a lease, while its commands go on.
    RobotPaused,
    /// All robots' connections are cut, whatever is on its way.
    ConnectionsCut,
    /// The store is stopped as a power cut would, and started again.
    StoreStopped,
    /// The store is held still.
    StorePaused,
    /// What carries hints is stopped, loses them, and is started again.
    HintsStopped,
}

/// What a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Server(usize),
    Robot(usize),
    Front,
    Store,
    Hints,
}

/// One fault of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// When it is put in, from the beginning.
    pub(crate) begins: Duration,
    /// How long its target is away or held still.
    pub(crate) lasts: Duration,
}

/// How large a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) servers: usize,
    pub(crate) robots: usize,
    /// For how long faults are put in.
    pub(crate) span: Duration,
}

impl Kind {
    /// What people call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::ServerKilled => "server killed",
            Kind::ServerPaused => "server held still",
            Kind::RobotKilled => "robot killed",
            Kind::RobotPaused => "robot held still",
            Kind::ConnectionsCut => "connections cut",
            Kind::StoreStopped => "store stopped",
            Kind::StorePaused => "store held still",
            Kind::HintsStopped => "hints stopped",
        }
    }

    /// What goes wrong on this kind of store, and how often each in proportion.
    fn on(store: StoreKind) -> &'static [(Kind, u32)] {
        match store {
            StoreKind::Sqlite => &[
                (Kind::ServerKilled, 4),
                (Kind::ServerPaused, 1),
                (Kind::RobotKilled, 5),
                (Kind::RobotPaused, 4),
                (Kind::ConnectionsCut, 4),
            ],
            StoreKind::Postgres => &[
                (Kind::ServerKilled, 4),
                (Kind::ServerPaused, 3),
                (Kind::RobotKilled, 5),
                (Kind::RobotPaused, 4),
                (Kind::ConnectionsCut, 4),
                (Kind::StoreStopped, 3),
            ],
            StoreKind::Sqs => &[
                (Kind::ServerKilled, 4),
                (Kind::ServerPaused, 3),
                (Kind::RobotKilled, 5),
                (Kind::RobotPaused, 4),
                (Kind::ConnectionsCut, 4),
                (Kind::StoreStopped, 2),
                (Kind::StorePaused, 2),
                (Kind::HintsStopped, 2),
            ],
        }
    }

    /// How long it lasts, in milliseconds. A lease lasts ten seconds.
    fn lasts_ms(self) -> Range<u64> {
        match self {
            Kind::ServerKilled => 200..3_000,
            Kind::ServerPaused | Kind::RobotPaused => 11_000..14_000,
            Kind::RobotKilled => 200..5_000,
            Kind::ConnectionsCut => 0..1,
            Kind::StoreStopped | Kind::HintsStopped => 300..4_000,
            Kind::StorePaused => 1_000..9_000,
        }
    }

    /// Whether all jobs have to do with what it hits.
    const fn is_central(self) -> bool {
        matches!(
            self,
            Kind::ServerKilled | Kind::ServerPaused | Kind::StoreStopped | Kind::StorePaused
        )
    }

    /// Whether the two can be under way at the same time. What is held still hangs whoever asks it: with a second one away, nothing
    /// would happen at all for most of the time, and little could go wrong.
    const fn goes_with(self, other: Kind) -> bool {
        let hangs = matches!(self, Kind::ServerPaused | Kind::StorePaused)
            || matches!(other, Kind::ServerPaused | Kind::StorePaused);
        !(hangs && self.is_central() && other.is_central())
    }

    fn target(self, size: Size, chance: &mut StdRng) -> Target {
        match self {
            Kind::ServerKilled | Kind::ServerPaused => Target::Server(chance.random_range(0..size.servers)),
            Kind::RobotKilled | Kind::RobotPaused => Target::Robot(chance.random_range(0..size.robots)),
            Kind::ConnectionsCut => Target::Front,
            Kind::StoreStopped | Kind::StorePaused => Target::Store,
            Kind::HintsStopped => Target::Hints,
        }
    }
}

/// The faults of a run, in the order in which they begin: each kind at least once where the time is enough, then by chance.
pub(crate) fn plan(store: StoreKind, size: Size, seed: u64) -> Vec<Fault> {
    let mut chance = StdRng::seed_from_u64(seed);
    let kinds = Kind::on(store);
    let mut wanted: Vec<Kind> = kinds.iter().map(|(kind, _)| *kind).collect();
    wanted.shuffle(&mut chance);
    let mut faults: Vec<Fault> = Vec::new();
    // Until when each target is better left alone.
    let mut busy: BTreeMap<Target, Duration> = BTreeMap::new();
    let mut now = gap(&mut chance);
    while now < size.span {
        let under_way: Vec<Kind> = faults
            .iter()
            .filter(|fault| fault.begins + fault.lasts > now)
            .map(|fault| fault.kind)
            .collect();
        let fits = |kind: &Kind| under_way.iter().all(|other| kind.goes_with(*other));
        let kind = wanted.iter().copied().find(fits);
        let kind = kind.unwrap_or_else(|| by_weight(kinds, &mut chance));
        let target = kind.target(size, &mut chance);
        let lasts = Duration::from_millis(chance.random_range(kind.lasts_ms()));
        let is_busy = busy.get(&target).is_some_and(|until| *until > now);
        if !is_busy && under_way.len() < AT_ONCE_MAX && fits(&kind) {
            wanted.retain(|wanted| *wanted != kind);
            busy.insert(target, now + lasts + REST);
            faults.push(Fault {
                number: faults.len(),
                kind,
                target,
                begins: now,
                lasts,
            });
        }
        now += gap(&mut chance);
    }
    faults
}

fn gap(chance: &mut StdRng) -> Duration {
    Duration::from_millis(chance.random_range(GAP_MS))
}

fn by_weight(kinds: &[(Kind, u32)], chance: &mut StdRng) -> Kind {
    let all: u32 = kinds.iter().map(|(_, weight)| weight).sum();
    let mut ticket = chance.random_range(0..all);
    for (kind, weight) in kinds {
        if ticket < *weight {
            return *kind;
        }
        ticket -= weight;
    }
    kinds[0].0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn minutes(minutes: u64, seed: u64, store: StoreKind) -> Vec<Fault> {
        let size = Size {
            servers: store.servers(),
            robots: 6,
            span: Duration::from_mins(minutes),
        };
        plan(store, size, seed)
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        assert_eq!(minutes(2, 7, StoreKind::Sqs), minutes(2, 7, StoreKind::Sqs));
        assert_ne!(minutes(2, 7, StoreKind::Sqs), minutes(2, 8, StoreKind::Sqs));
    }

    #[test]
    fn a_minute_holds_every_kind_that_the_store_knows() {
        for store in [StoreKind::Sqlite, StoreKind::Postgres, StoreKind::Sqs] {
            for seed in 0..20 {
                let kinds: BTreeSet<Kind> = minutes(1, seed, store).iter().map(|fault| fault.kind).collect();
                let all: BTreeSet<Kind> = Kind::on(store).iter().map(|(kind, _)| *kind).collect();
                assert_eq!(kinds, all, "{store:?} by the seed {seed}");
            }
        }
    }

    #[test]
    fn while_one_hangs_the_others_are_there() {
        for seed in 0..20 {
            let faults = minutes(3, seed, StoreKind::Sqs);
            let paused = faults.iter().filter(|fault| fault.kind == Kind::ServerPaused);
            for fault in paused {
                let ends = fault.begins + fault.lasts;
                let beside = faults
                    .iter()
                    .filter(|other| other.begins < ends && other.begins + other.lasts > fault.begins);
                assert_eq!(
                    beside.filter(|other| other.kind.is_central()).count(),
                    1,
                    "by the seed {seed}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_hit_again_before_it_is_up() {
        for seed in 0..20 {
            let faults = minutes(3, seed, StoreKind::Sqs);
            for (place, fault) in faults.iter().enumerate() {
                let later = faults[place + 1..].iter().find(|later| later.target == fault.target);
                assert!(later.is_none_or(|later| later.begins >= fault.begins + fault.lasts + REST));
            }
        }
    }
}
