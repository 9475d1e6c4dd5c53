//! One run: a time in which things go wrong, and a time in which everything has to come to an end.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use domain::{Timestamp, job::StateName};
use queue::{Engine, Settings, hints::NoHints, memory::MemoryStore};
use queue_conformance::{
    faults::{Fault, FaultyStore, Pace},
    kit::SeededEntropy,
};

use crate::{
    client,
    holidays::Holidays,
    mailbox::{self, Mailbox},
    operator,
    plan::{Mishap, Plan, Trouble},
    rest,
    scheduler::{Group, Handle, Scheduler, Step},
    server::{RETENTION, Servers},
    tally::Mishaps,
    witness::{self, Witness},
    world::World,
};

/// How long the fleet is off at a time, in hours.
const HOLIDAY_HOURS: std::ops::Range<u64> = 30..200;

/// How long a slow answer takes, in milliseconds, at most: longer than anybody waits for it.
const DAWDLE_MS_MAX: u64 = 40_000;

/// The longest that a run may take until everything is over.
const REST_MAX: Duration = Duration::from_hours(24);

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was seen that must not be; none is as it should be.
    pub violations: Vec<String>,
    /// How often each trouble came.
    pub troubles: BTreeMap<Trouble, u64>,
    /// How many jobs were taken in, over all tenants.
    pub jobs: u64,
    /// How many times each step of the state machine was taken.
    pub steps: BTreeMap<(Option<StateName>, StateName), u64>,
    /// How many turns the scheduler took.
    pub turns: u64,
    /// How much time passed in it.
    pub virtual_time: Duration,
    /// The longest that a due timer went unnoticed once nothing went wrong any more.
    pub latest_notice: Duration,
    /// What happened, a line each, if that was asked for.
    pub trace: Vec<String>,
}

/// Runs `plan`. The same plan gives the same outcome, trace and all.
pub fn run(plan: &Plan, traced: bool) -> Outcome {
    let mut scheduler = Scheduler::new(plan.seed, traced);
    let handle = scheduler.handle();
    let begun_at = handle.now();
    let world = build(&handle, plan);
    let going = AssertUnwindSafe(|| {
        handle.spawn(Group::WORLD, || "run".to_owned(), whole_run(Arc::clone(&world)));
        scheduler.run(Timestamp::from_micros(i64::MAX));
    });
    if let Err(panic) = catch_unwind(going) {
        handle.violated(format!("a panic: {}", text_of(&*panic)));
    }
    outcome(&handle, &world, begun_at)
}

fn build(handle: &Handle, plan: &Plan) -> Arc<World> {
    let witness = Arc::new(Witness::new(Arc::new(MemoryStore::new()), handle.clone()));
    let pace = Arc::new(Turns(handle.clone()));
    let faulty = Arc::new(FaultyStore::with(
        witness.clone(),
        handle.new_seed(),
        plan.rates(),
        pace,
    ));
    let mishaps = Arc::new(Mishaps::new(handle.clone(), plan.clone()));
    let (mailbox, hints) = Mailbox::new();
    let servers = Servers::new(
        handle.clone(),
        faulty.clone(),
        Arc::new(mailbox),
        mishaps.clone(),
        plan.servers,
    );
    let servers = Arc::new(servers);
    let holidays = Arc::new(Holidays::default());
    let (h, s, m) = (handle.clone(), servers.clone(), mishaps.clone());
    handle.spawn(Group::WORLD, || "hints".to_owned(), mailbox::deliver(hints, h, s, m));
    let (h, s, m, o) = (handle.clone(), servers.clone(), mishaps.clone(), holidays.clone());
    handle.spawn(Group::WORLD, || "schedules".to_owned(), mailbox::tick(h, s, m, o));
    let sound = sound_engine(handle, &witness);
    Arc::new(World::new(
        handle.clone(),
        plan.clone(),
        servers,
        mishaps,
        faulty,
        witness,
        sound,
        holidays,
    ))
}

/// The operations on the store below all faults; what they write is seen all the same.
fn sound_engine(handle: &Handle, witness: &Arc<Witness>) -> Engine {
    let settings = Settings {
        retention: RETENTION,
        ..Settings::default()
    };
    let entropy = Arc::new(SeededEntropy::new(handle.new_seed()));
    Engine::new(
        witness.clone(),
        Arc::new(NoHints),
        Arc::new(TrueClock(handle.clone())),
        entropy,
        settings,
    )
}

async fn whole_run(world: Arc<World>) {
    let handle = world.handle.clone();
    for tenant in world.tenants() {
        for robot in 0..world.plan.robots {
            operator::enlist(&world, &tenant, robot == 0).await;
        }
        let clients = client::submit_all(Arc::clone(&world), tenant.clone());
        handle.spawn(Group::WORLD, || format!("client of {tenant}"), clients);
    }
    // People and chaos stop when the faults do.
    let meddlers = handle.new_group();
    for tenant in world.tenants() {
        let people = operator::meddle(Arc::clone(&world), tenant.clone());
        handle.spawn(meddlers, || format!("operator of {tenant}"), people);
    }
    handle.spawn(meddlers, || "chaos".to_owned(), operator::chaos(Arc::clone(&world)));
    let stretches = world.plan.holidays + 1;
    for stretch in 0..stretches {
        let busy = world.plan.busy() / u32::try_from(stretches).unwrap_or(1);
        handle.sleep(busy).await;
        if stretch + 1 < stretches {
            let off = Duration::from_hours(handle.draw(HOLIDAY_HOURS));
            handle.say(|| format!("the fleet is off for {} hours", off.as_secs() / 3_600));
            world.holidays.begin(handle.now() + off);
            handle.sleep(off).await;
        }
    }
    handle.kill(meddlers);
    rest::come_to_rest(&world, REST_MAX).await;
    handle.end();
}

fn outcome(handle: &Handle, world: &World, begun_at: Timestamp) -> Outcome {
    let store = Fault::ALL.map(|fault| (Trouble::Store(fault), world.faulty.tally().of(fault)));
    let around = Mishap::ALL.map(|mishap| (Trouble::Around(mishap), world.mishaps.of(mishap)));
    let seen = world.witness.seen();
    Outcome {
        violations: handle.violations(),
        troubles: store.into_iter().chain(around).collect(),
        jobs: seen
            .steps
            .iter()
            .filter(|((from, _), _)| from.is_none())
            .map(|(_, count)| count)
            .sum(),
        steps: seen.steps.clone(),
        turns: handle.turns(),
        virtual_time: handle.now().since(begun_at),
        latest_notice: seen.latest_notice,
        trace: handle.trace(),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("of something that is no text").to_owned()
}

/// Others take turns at each step of the store.
struct Turns(Handle);

#[async_trait::async_trait]
impl Pace for Turns {
    async fn step(&self) {
        Step::default().await;
    }

    async fn dawdle(&self) {
        self.0
            .sleep(Duration::from_millis(self.0.draw(100..DAWDLE_MS_MAX)))
            .await;
    }
}

/// The true time.
struct TrueClock(Handle);

impl queue::Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// What a failing run is called by: its first violation, without the ids in it.
pub fn kind_of(outcome: &Outcome) -> Option<String> {
    let first = outcome.violations.first()?;
    Some(first.split(':').next().unwrap_or(first).to_owned())
}

/// Every step that a job may take from one state to another; the first is from none.
pub fn edges() -> impl Iterator<Item = (Option<StateName>, StateName)> {
    let from = StateName::ALL.into_iter().map(Some).chain([None]);
    let all = from.flat_map(|from| StateName::ALL.map(|to| (from, to)));
    all.filter(|(from, to)| witness::is_an_edge(*from, *to))
}
