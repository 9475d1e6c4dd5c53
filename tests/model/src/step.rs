//! What a test draws at random: steps that mean something whatever has happened before.

use std::time::Duration;

use domain::job::{ErrorKind, OnConflict, OnLost, Settlement, StateName};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::call::{Filter, How, Profile};

/// Something of a kind, counted back from the newest; beyond the oldest it starts over.
pub type Pick = usize;

/// A job to ask for, with what it names still to be picked.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which queue.
    pub queue: usize,
    /// Which workflow.
    pub workflow: usize,
    /// How urgent.
    pub priority: u8,
    /// How long it is to wait first.
    pub delay_seconds: Option<u32>,
    /// How soon it has to be done.
    pub deadline_seconds: Option<u32>,
    /// How long it may wait.
    pub queue_seconds: Option<u32>,
    /// How long an attempt may take.
    pub run_seconds: u32,
    /// How many attempts it has.
    pub max_attempts: u32,
    /// The first wait of its backoff.
    pub backoff_seconds: u32,
    /// Whether a loss ends it.
    pub fragile: bool,
    /// Which capability it requires.
    pub capability: Option<usize>,
    /// The one robot that may have it.
    pub robot: Option<Pick>,
    /// Its dedup key.
    pub dedup: Option<(u8, u8)>,
    /// Its idempotency key and what the request says.
    pub idempotency: Option<(u8, u8)>,
    /// Its payload.
    pub payload: Option<u8>,
}

impl Draft {
    /// What a held dedup key means.
    pub fn on_conflict(choice: u8) -> OnConflict {
        [OnConflict::Return, OnConflict::Reject, OnConflict::Replace][usize::from(choice) % 3]
    }

    /// What a lost robot means.
    pub fn on_lost(&self) -> OnLost {
        if self.fragile { OnLost::Fail } else { OnLost::Retry }
    }
}

/// Which of its leases a robot names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// All that it holds as far as it knows.
    Held,
    /// None.
    None,
    /// The newest.
    Newest,
    /// Every one it ever had.
    Ever,
}

/// Where a sync stands in the order of a robot's syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTurn {
    /// It is the next one.
    Next,
    /// It is the last one again, word for word.
    Again,
    /// It has an older number.
    Stale,
    /// It is of the session before.
    OldSession,
}

/// One step of a run.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each is the call of its name, with what it names still to be picked"
)]
pub enum Step {
    Submit(Vec<Draft>),
    Cancel(Pick),
    Retry(Pick),
    Requeue(Pick),
    Settle(Pick, Settlement),
    BulkCancel(Filter, bool),
    BulkRetry(Filter, bool),
    SetQueue(usize, Option<bool>, Option<u32>),
    List(Filter, usize),
    DeadLetters,
    Explain(Pick),
    Stats,
    Register(Profile),
    OpenSession(Pick, Named),
    Sync {
        robot: Pick,
        turn: InTurn,
        free_slots: u32,
        draining: bool,
        running: Named,
        percent: Option<u8>,
    },
    Finish {
        lease: Pick,
        how: How,
        result: Option<u8>,
        wrong: Wrong,
    },
    Release {
        lease: Pick,
        wrong: Wrong,
    },
    Log {
        lease: Pick,
        seq: u32,
        text: u8,
    },
    Checkpoint {
        lease: Pick,
        name: u8,
        value: u8,
    },
    Drain(Pick, bool),
    Remove(Pick),
    Dispatch,
    Sweep,
    Pass(Duration),
}

/// What is wrong with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing.
    Nothing,
    /// Its token.
    Token,
    /// The robot that sends it.
    Robot,
}

/// Any step, the ordinary ones more often.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(draft(), 1..4).prop_map(Step::Submit),
        3 => job().prop_map(Step::Cancel),
        2 => job().prop_map(Step::Retry),
        1 => job().prop_map(Step::Requeue),
        1 => (job(), select(vec![Settlement::Discarded, Settlement::Resolved])).prop_map(|(job, as_)| Step::Settle(job, as_)),
        1 => (filter(), any::<bool>()).prop_map(|(filter, dry_run)| Step::BulkCancel(filter, dry_run)),
        1 => (filter(), any::<bool>()).prop_map(|(filter, dry_run)| Step::BulkRetry(filter, dry_run)),
        2 => queue_change(),
        2 => (filter(), 1..6_usize).prop_map(|(filter, limit)| Step::List(filter, limit)),
        1 => Just(Step::DeadLetters),
        3 => job().prop_map(Step::Explain),
        1 => Just(Step::Stats),
        3 => profile().prop_map(Step::Register),
        3 => (robot(), named()).prop_map(|(robot, named)| Step::OpenSession(robot, named)),
        26 => sync(),
        12 => (lease(), how(), option::of(0..2_u8), wrong())
            .prop_map(|(lease, how, result, wrong)| Step::Finish { lease, how, result, wrong }),
        2 => (lease(), wrong()).prop_map(|(lease, wrong)| Step::Release { lease, wrong }),
        4 => (0..2_usize, 0..3_u32, 0..2_u8).prop_map(|(lease, seq, text)| Step::Log { lease, seq, text }),
        2 => (lease(), 0..2_u8, any::<u8>()).prop_map(|(lease, name, value)| Step::Checkpoint { lease, name, value }),
        1 => (robot(), any::<bool>()).prop_map(|(robot, drain)| Step::Drain(robot, drain)),
        1 => robot().prop_map(Step::Remove),
        6 => Just(Step::Dispatch),
        10 => Just(Step::Sweep),
        10 => span().prop_map(Step::Pass),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let times = (
        option::weighted(0.2, select(vec![1, 10, 60])),
        option::weighted(0.2, select(vec![5, 60, 300])),
        option::weighted(0.2, select(vec![5, 60])),
        select(vec![5, 90, 3_600]),
    );
    let retry = (1..4_u32, select(vec![0, 5, 30]), prop::bool::weighted(0.2));
    let wants = (
        option::weighted(0.2, 0..2_usize),
        option::weighted(0.1, robot()),
        option::weighted(0.2, (0..2_u8, 0..3_u8)),
        option::weighted(0.2, (0..3_u8, 0..2_u8)),
        option::of(0..3_u8),
    );
    (0..2_usize, 0..2_usize, select(vec![0_u8, 5, 20]), times, retry, wants).prop_map(
        |(queue, workflow, priority, times, retry, wants)| {
            let (delay_seconds, deadline_seconds, queue_seconds, run_seconds) = times;
            let (max_attempts, backoff_seconds, fragile) = retry;
            let (capability, robot, dedup, idempotency, payload) = wants;
            Draft {
                queue,
                workflow,
                priority,
                delay_seconds,
                deadline_seconds,
                queue_seconds,
                run_seconds,
                max_attempts,
                backoff_seconds,
                fragile,
                capability,
                robot,
                dedup,
                idempotency,
                payload,
            }
        },
    )
}

fn sync() -> impl Strategy<Value = Step> {
    let turn = prop_oneof![
        16 => Just(InTurn::Next),
        3 => Just(InTurn::Again),
        1 => Just(InTurn::Stale),
        1 => Just(InTurn::OldSession),
    ];
    let said = (0..4_u32, prop::bool::weighted(0.05), option::weighted(0.2, 0..100_u8));
    (robot(), turn, said, named()).prop_map(|(robot, turn, (free_slots, draining, percent), running)| Step::Sync {
        robot,
        turn,
        free_slots,
        draining,
        running,
        percent,
    })
}

fn named() -> impl Strategy<Value = Named> {
    prop_oneof![8 => Just(Named::Held), 2 => Just(Named::None), 2 => Just(Named::Newest), 1 => Just(Named::Ever)]
}

fn how() -> impl Strategy<Value = How> {
    let asked = option::weighted(0.2, select(vec![0_u32, 7, 100_000]));
    prop_oneof![
        4 => Just(How::Succeeded),
        3 => asked.prop_map(|asked| How::Failed(ErrorKind::Application, asked)),
        1 => Just(How::Failed(ErrorKind::Business, None)),
        1 => Just(How::Cancelled),
    ]
}

fn wrong() -> impl Strategy<Value = Wrong> {
    prop_oneof![12 => Just(Wrong::Nothing), 1 => Just(Wrong::Token), 1 => Just(Wrong::Robot)]
}

fn filter() -> impl Strategy<Value = Filter> {
    let state = option::of(select(StateName::ALL.to_vec()));
    (
        state,
        option::of(0..2_usize),
        option::weighted(0.2, 0..2_usize),
        option::weighted(0.1, 0..3_usize),
    )
        .prop_map(|(state, queue, workflow, robot)| Filter {
            state,
            queue,
            workflow,
            robot,
        })
}

fn profile() -> impl Strategy<Value = Profile> {
    let queues = select(vec![vec![0], vec![1], vec![0, 1]]);
    (queues, option::of(0..2_usize), 1..4_u32).prop_map(|(queues, capability, max_jobs)| Profile {
        queues,
        capability,
        max_jobs,
    })
}

fn queue_change() -> impl Strategy<Value = Step> {
    let paused = prop_oneof![2 => Just(Some(false)), 1 => Just(Some(true)), 1 => Just(None)];
    (0..2_usize, paused, option::weighted(0.3, select(vec![10_u32, 60, 600])))
        .prop_map(|(queue, paused, lease)| Step::SetQueue(queue, paused, lease))
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => Just(Duration::from_secs(1)),
        4 => Just(Duration::from_secs(5)),
        4 => Just(Duration::from_secs(26)),
        3 => Just(Duration::from_secs(61)),
        1 => Just(Duration::from_secs(700)),
        1 => Just(Duration::from_hours(25)),
        1 => Just(Duration::from_hours(24 * 31)),
    ]
}

/// The newest jobs more often.
fn job() -> impl Strategy<Value = Pick> {
    prop_oneof![3 => 0..4_usize, 1 => 0..64_usize]
}

fn robot() -> impl Strategy<Value = Pick> {
    0..4_usize
}

/// The newest leases more often.
fn lease() -> impl Strategy<Value = Pick> {
    prop_oneof![6 => 0..3_usize, 1 => 0..32_usize]
}
