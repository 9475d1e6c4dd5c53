//! What a seed means: how much there is to do, by whom, and what goes wrong.

use std::{fmt, time::Duration};

use queue_conformance::faults::{Fault, Rates};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// What goes wrong outside of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mishap {
    /// A process of the server is killed where it stands, and another takes its place.
    ServerKilled,
    /// A robot is killed where it stands, and starts anew with nothing.
    RobotKilled,
    /// A robot stands still, longer than its leases may last, and goes on as if nothing had happened.
    RobotPaused,
    /// A second robot with the same key begins to work.
    RobotDoubled,
    /// A robot says that it has more free slots than it has.
    RobotLied,
    /// A robot shows a token that was never given, or another robot's.
    RobotForged,
    /// A request does not reach the server.
    RequestLost,
    /// An answer does not reach who asked.
    AnswerLost,
    /// A request reaches the server twice.
    RequestDoubled,
    /// A hint does not arrive.
    HintLost,
    /// A hint arrives twice.
    HintDoubled,
    /// A hint arrives late, after others that were sent later.
    HintDelayed,
    /// A schedule fires twice at once.
    TickDoubled,
    /// A schedule does not fire.
    TickMissed,
}

impl Mishap {
    /// Every mishap there is.
    pub const ALL: [Self; 14] = [
        Self::ServerKilled,
        Self::RobotKilled,
        Self::RobotPaused,
        Self::RobotDoubled,
        Self::RobotLied,
        Self::RobotForged,
        Self::RequestLost,
        Self::AnswerLost,
        Self::RequestDoubled,
        Self::HintLost,
        Self::HintDoubled,
        Self::HintDelayed,
        Self::TickDoubled,
        Self::TickMissed,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerKilled => "server-killed",
            Self::RobotKilled => "robot-killed",
            Self::RobotPaused => "robot-paused",
            Self::RobotDoubled => "robot-doubled",
            Self::RobotLied => "robot-lied",
            Self::RobotForged => "robot-forged",
            Self::RequestLost => "request-lost",
            Self::AnswerLost => "answer-lost",
            Self::RequestDoubled => "request-doubled",
            Self::HintLost => "hint-lost",
            Self::HintDoubled => "hint-doubled",
            Self::HintDelayed => "hint-delayed",
            Self::TickDoubled => "tick-doubled",
            Self::TickMissed => "tick-missed",
        }
    }

    /// How often it comes where it comes at all, of a thousand times that it could.
    const fn per_mille(self) -> u16 {
        match self {
            Self::RobotPaused | Self::RobotDoubled => 8,
            Self::RobotLied | Self::RobotForged | Self::AnswerLost | Self::RequestLost => 40,
            Self::RequestDoubled => 30,
            Self::HintLost | Self::HintDoubled | Self::HintDelayed => 200,
            Self::TickDoubled | Self::TickMissed => 100,
            // Of those whose turn it is to be killed, see `chaos`.
            Self::ServerKilled | Self::RobotKilled => 600,
        }
    }
}

/// Something that goes wrong, in the store or around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// In the store.
    Store(Fault),
    /// Around it.
    Around(Mishap),
}

impl Trouble {
    /// Everything that can go wrong.
    pub fn all() -> impl Iterator<Item = Self> {
        let store = Fault::ALL.into_iter().map(Self::Store);
        store.chain(Mishap::ALL.into_iter().map(Self::Around))
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store(fault) => fault.name(),
            Self::Around(mishap) => mishap.name(),
        }
    }

    /// The trouble of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|trouble| trouble.name() == name)
    }
}

/// What one run does. The same plan gives the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What all chance comes from.
    pub seed: u64,
    /// How many jobs each tenant's client submits.
    pub jobs: u64,
    /// How many robots each tenant has.
    pub robots: u64,
    /// How many tenants there are.
    pub tenants: u64,
    /// How many queues each tenant uses.
    pub queues: u64,
    /// How many processes the server has.
    pub servers: u64,
    /// For how long things go wrong, without the days on which nothing happens.
    pub busy_minutes: u64,
    /// How often the whole fleet is off for some days.
    pub holidays: u64,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
}

impl Plan {
    /// The plan of `seed`.
    pub fn of(seed: u64) -> Self {
        // Another stream than the run's own, so that a shrunk plan still meets the same chances.
        let mut chance = StdRng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15);
        Self {
            seed,
            jobs: chance.random_range(4..20),
            robots: chance.random_range(1..5),
            tenants: chance.random_range(1..3),
            queues: chance.random_range(1..4),
            servers: chance.random_range(2..4),
            busy_minutes: chance.random_range(4..16),
            holidays: chance.random_range(0..3),
            troubles: Trouble::all().filter(|_| chance.random_ratio(3, 5)).collect(),
        }
    }

    /// How often each fault of the store comes.
    pub fn rates(&self) -> Rates {
        let rate = |fault: Fault| match fault {
            Fault::Refused | Fault::Unanswered => 20,
            Fault::CutShort | Fault::Slow => 10,
            Fault::Conflict => 30,
            Fault::Throttled => 3,
            Fault::Stale => 250,
        };
        let faults = self.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Store(fault) => Some(*fault),
            Trouble::Around(_) => None,
        });
        faults.fold(Rates::NONE, |rates, fault| rates.with(fault, rate(fault)))
    }

    /// How often `mishap` comes, of a thousand times that it could.
    pub fn rate(&self, mishap: Mishap) -> u32 {
        let comes = self.troubles.contains(&Trouble::Around(mishap));
        if comes { u32::from(mishap.per_mille()) } else { 0 }
    }

    /// For how long things go wrong, without holidays.
    pub fn busy(&self) -> Duration {
        Duration::from_mins(self.busy_minutes)
    }

    /// Plans with a little less in them, the least first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut plan = self.clone();
            change(&mut plan);
            if plan != *self {
                plans.push(plan);
            }
        };
        with(&|plan| plan.tenants = 1);
        with(&|plan| plan.jobs = (plan.jobs / 2).max(1));
        with(&|plan| plan.robots = (plan.robots / 2).max(1));
        with(&|plan| plan.queues = 1);
        with(&|plan| plan.holidays = 0);
        with(&|plan| plan.busy_minutes = (plan.busy_minutes / 2).max(1));
        with(&|plan| plan.servers = 1);
        for trouble in &self.troubles {
            with(&|plan| plan.troubles.retain(|other| other != trouble));
        }
        with(&|plan| plan.jobs = (plan.jobs - 1).max(1));
        with(&|plan| plan.robots = (plan.robots - 1).max(1));
        with(&|plan| plan.busy_minutes = (plan.busy_minutes - 1).max(1));
        plans
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "--seed {} --jobs {} --robots {} --tenants {} --queues {} --servers {} --busy-minutes {} --holidays {} --troubles ",
            self.seed,
            self.jobs,
            self.robots,
            self.tenants,
            self.queues,
            self.servers,
            self.busy_minutes,
            self.holidays
        )?;
        let names: Vec<&str> = self.troubles.iter().map(|trouble| trouble.name()).collect();
        let names = names.join(",");
        out.write_str(if names.is_empty() { "none" } else { &names })
    }
}
