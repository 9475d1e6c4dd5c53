//! A run around any store that lets its callers down: servers, clients, robots and schedules, all at once.
//!
//! Everybody keeps to the rules: what was not answered is sent again, and what was answered is taken down. For a while every
//! kind of fault comes; then none does any more, and everything has to end. What is there then is held against the rules
//! and against what was answered. Faults and draws come from a seed; who is quicker does not.

mod client;
mod robot;
mod world;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{TenantName, job::StateName};
use queue::{Engine, Settings, Store, Swept, hints::NoHints};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinHandle, time};

use self::{
    client::{Client, JOBS, Told},
    robot::{Kept, Robot},
    world::World,
};
use crate::{
    audit,
    faults::{Fault, FaultyStore, Pace, Rates},
    kit::{Kit, SeededEntropy, new_robot, secs, words},
};

/// Each kind often enough that a run meets all of them, and seldom enough that work goes on.
pub const RATES: Rates = Rates::ROUGH.with(Fault::Throttled, 4).with(Fault::Slow, 20);

/// How long an answer takes that takes its time: some other calls long, on any store.
const SLOW: Duration = Duration::from_millis(15);

/// How many robots each tenant has. The first has a capability that some jobs need.
const ROBOTS: usize = 3;

/// Whose clients and robots there are: what one does must not touch the other's.
const TENANTS: [&str; 2] = ["default", "acme"];

/// Asks for more seeds.
const SEEDS: &str = "REMUDA_SEEDS";

/// At how many ticks it is looked how far everything is.
const LOOK_EVERY: usize = 5;

/// How many ticks of the schedules a half of the run may take.
const TICKS_MAX: usize = 5_000;

/// Within this everybody has gone home once all jobs have ended.
const GOING_HOME_MAX: Duration = Duration::from_secs(30);

/// What went wrong in a run, and what it came to all the same.
#[derive(Clone, Debug)]
pub struct Endured {
    /// How often each kind of fault came.
    pub faults: Vec<(Fault, u64)>,
    /// How many jobs were acknowledged. All of them are there, and have ended.
    pub jobs: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many attempts were begun by a claim.
    pub attempts: u32,
}

impl fmt::Display for Endured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            faults,
            jobs,
            succeeded,
            attempts,
        } = self;
        write!(out, "{jobs} jobs, {attempts} attempts, {succeeded} succeeded; faults:")?;
        faults
            .iter()
            .try_for_each(|(fault, times)| write!(out, " {} {times}", fault.name()))
    }
}

/// The seeds of a run of tests: one, and as many more as the variable `REMUDA_SEEDS` asks for.
pub fn seeds() -> impl Iterator<Item = u64> {
    let more = std::env::var(SEEDS).ok().and_then(|text| text.parse().ok());
    1..2 + more.unwrap_or(0)
}

/// Puts every kind of fault around `stores`, which are so many servers' ways to one empty store, and sees that nothing comes
/// of it but time.
pub async fn endure(stores: &[Arc<dyn Store>], seed: u64) -> Endured {
    run(stores, seed, RATES).await
}

/// The same work with no faults but those that the stores have by themselves.
pub async fn work_through(stores: &[Arc<dyn Store>], seed: u64) -> Endured {
    run(stores, seed, Rates::NONE).await
}

async fn run(stores: &[Arc<dyn Store>], seed: u64, rates: Rates) -> Endured {
    let run = Run::new(stores, seed, rates);
    let robots = run.start_robots().await;
    let clients = run.start_clients();
    run.tick_while(seed, async || run.jobs_ended().await < JOBS * TENANTS.len() * 2 / 3)
        .await;
    run.calm_down();
    run.tick_while(seed + 1, async || {
        clients.iter().any(|client| !client.is_finished()) || run.jobs_ended().await < JOBS * TENANTS.len()
    })
    .await;
    run.world.close();
    let told = all_of(clients).await;
    let kept = all_of(robots).await;
    run.check(&told, &kept).await;
    run.report(rates).await
}

/// What everybody came home with.
async fn all_of<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut all = Vec::new();
    for task in tasks {
        let home = time::timeout(GOING_HOME_MAX, task).await;
        all.push(home.expect("everybody goes home").expect("nobody panics"));
    }
    all
}

/// Time that really passes.
struct Waiting;

#[async_trait]
impl Pace for Waiting {
    async fn step(&self) {
        tokio::task::yield_now().await;
    }

    async fn dawdle(&self) {
        time::sleep(SLOW).await;
    }
}

struct Run {
    /// The operations on the store below, to look at what is there.
    sound: Kit,
    faulty: Vec<Arc<FaultyStore>>,
    world: World,
    seed: u64,
}

impl Run {
    fn new(stores: &[Arc<dyn Store>], seed: u64, rates: Rates) -> Self {
        let sound = Kit::seeded(Arc::clone(&stores[0]), seed);
        let faulty: Vec<_> = stores
            .iter()
            .zip(seed..)
            .map(|(below, seed)| {
                let faulty = FaultyStore::with(Arc::clone(below), seed, rates, Arc::new(Waiting));
                Arc::new(faulty.claiming_below())
            })
            .collect();
        // Two servers at least, if need be on one way to the store.
        let engines = faulty.iter().cycle().take(stores.len().max(2)).zip(1..);
        let engines = engines.map(|(store, number)| {
            let entropy = Arc::new(SeededEntropy::new(seed.wrapping_mul(1_000) + number));
            let (clock, store) = (sound.clock.clone(), Arc::clone(store));
            Engine::new(store, Arc::new(NoHints), clock, entropy, Settings::default())
        });
        let world = World::new(engines.collect(), sound.clock.clone());
        Self {
            sound,
            faulty,
            world,
            seed,
        }
    }

    fn kits(&self) -> impl Iterator<Item = Kit> {
        TENANTS.into_iter().map(|tenant| self.sound.of_tenant(tenant))
    }

    async fn start_robots(&self) -> Vec<JoinHandle<Kept>> {
        let mut robots = Vec::new();
        for kit in self.kits() {
            for place in 0..ROBOTS {
                let capabilities = if place == 0 { words(&["browser"]) } else { words(&[]) };
                let mut new = new_robot();
                (new.capabilities, new.max_jobs) = (capabilities, robot::MAX_JOBS);
                let id = kit.register(new).await;
                let chance = self.chance(100 + robots.len() as u64);
                let robot = Robot::new(self.world.clone(), chance, kit.tenant.clone(), id);
                robots.push(tokio::spawn(robot.work()));
            }
        }
        robots
    }

    fn start_clients(&self) -> Vec<JoinHandle<Told>> {
        let client = |(kit, place): (Kit, u64)| {
            let client = Client::new(self.world.clone(), self.chance(200 + place), kit.tenant);
            tokio::spawn(client.work())
        };
        self.kits().zip(0..).map(client).collect()
    }

    /// The chance of one of those who take part.
    fn chance(&self, place: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(1_000) + place)
    }

    /// The schedules go round, two at once, and time passes, as long as `goes_on` says so.
    async fn tick_while(&self, place: u64, goes_on: impl AsyncFn() -> bool) {
        let mut chance = self.chance(300 + place);
        for tick in 0..TICKS_MAX {
            if tick % LOOK_EVERY == 0 && !goes_on().await {
                return;
            }
            self.world.clock.pass(secs(chance.random_range(1..8)));
            let servers = [self.world.server(&mut chance), self.world.server(&mut chance)];
            // What they do not get done is done the next time.
            let _ = tokio::join!(servers[0].sweep(), servers[1].sweep(), servers[1].dispatch());
        }
        panic!("seed {}: {} of the jobs have ended", self.seed, self.jobs_ended().await);
    }

    /// How many jobs have ended, over all tenants.
    async fn jobs_ended(&self) -> usize {
        let mut ended = 0;
        for kit in self.kits() {
            let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
            ended += jobs.iter().filter(|view| view.job.state.name().is_terminal()).count();
        }
        ended
    }

    /// From now on nothing goes wrong.
    fn calm_down(&self) {
        self.faulty.iter().for_each(|store| store.switch_off());
        self.world.calm_down();
    }

    async fn check(&self, told: &[Told], kept: &[Kept]) {
        for (kit, told) in self.kits().zip(told) {
            audit::hold(&kit.engine, &kit.tenant).await;
            let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
            told.hold(&jobs);
            let robots = audit::all_robots(&kit.engine, &kit.tenant).await;
            assert!(robots.iter().all(|robot| robot.holds.is_empty()), "{robots:#?}");
        }
        for kept in kept {
            kept.hold(&self.sound).await;
        }
        // L4: nothing is left to do.
        self.sound.pass(Duration::from_hours(1));
        assert_eq!(self.sound.sweep().await, Swept::default());
        let dispatched = self.sound.engine.dispatch().await.expect("the store answers");
        assert_eq!(dispatched.assigned, 0);
    }

    async fn report(&self, rates: Rates) -> Endured {
        let times = |fault: Fault| self.faulty.iter().map(|store| store.tally().of(fault)).sum();
        let faults: Vec<(Fault, u64)> = Fault::ALL.map(|fault| (fault, times(fault))).to_vec();
        for (fault, times) in &faults {
            let is_asked_for = rates.of(*fault) > 0;
            assert_eq!(*times > 0, is_asked_for, "{}: {times} times", fault.name());
        }
        let mut endured = Endured {
            faults,
            jobs: 0,
            succeeded: 0,
            attempts: 0,
        };
        for kit in self.kits() {
            for view in audit::all_jobs(&kit.engine, &kit.tenant).await {
                endured.jobs += 1;
                endured.succeeded += usize::from(view.job.state.name() == StateName::Succeeded);
                endured.attempts += view.job.attempts.given;
            }
        }
        endured
    }
}

/// Of whom something is said in a message.
fn of(tenant: &TenantName, what: &impl fmt::Display) -> String {
    format!("{what} of {tenant}")
}
