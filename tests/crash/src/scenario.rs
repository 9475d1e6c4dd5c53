//! One way to call an operation: what is there before, the call, and how it has to end whatever happens in between.

use std::{ops::RangeInclusive, rc::Rc, sync::Arc, time::Duration};

use domain::{
    Job, Robot,
    job::{Fence, StateName},
    robot::Mode,
};
use futures::future::LocalBoxFuture;
use queue::{Engine, Listed, Refusal, Settings, Store, SyncRequest};
use queue_conformance::{
    audit,
    kit::{Held, Kit, SeededEntropy, TestClock},
    points::Points,
};

type Prepare = Box<dyn for<'a> Fn(&'a Kit) -> LocalBoxFuture<'a, ()>>;
type Act = Box<dyn for<'a> Fn(&'a Kit, &'a Before) -> LocalBoxFuture<'a, Result<(), Refusal>>>;

/// A way to call an operation.
pub struct Scenario {
    /// The operation's name, as in `queue::Engine`.
    pub operation: &'static str,
    /// What is special about this call of it.
    pub case: &'static str,
    prepare: Prepare,
    act: Act,
    /// How many jobs there may be in the end.
    pub jobs: RangeInclusive<usize>,
    /// The state in which the first job has to end once the call was answered, if that is certain.
    pub first_ends: Option<StateName>,
    /// Whether jobs that were over before may be gone in the end.
    pub purges: bool,
}

impl Scenario {
    /// A call of `operation` on an empty store, after which there is no job.
    pub fn new(operation: &'static str, case: &'static str) -> Self {
        Self {
            operation,
            case,
            prepare: Box::new(|_| Box::pin(async {})),
            act: Box::new(|_, _| Box::pin(async { Ok(()) })),
            jobs: 0..=0,
            first_ends: None,
            purges: false,
        }
    }

    /// Has `prepare` fill the store before.
    #[must_use]
    pub fn after(self, prepare: impl AsyncFn(&Kit) + 'static) -> Self {
        let prepare = Rc::new(prepare);
        Self {
            prepare: Box::new(move |kit| {
                let prepare = Rc::clone(&prepare);
                Box::pin(async move { prepare(kit).await })
            }),
            ..self
        }
    }

    /// The call itself. It panics when the answer is a wrong one, and is also what a caller does who heard no answer.
    #[must_use]
    pub fn calls(self, act: impl AsyncFn(&Kit, &Before) -> Result<(), Refusal> + 'static) -> Self {
        let act = Rc::new(act);
        Self {
            act: Box::new(move |kit, before| {
                let act = Rc::clone(&act);
                Box::pin(async move { act(kit, before).await })
            }),
            ..self
        }
    }

    /// So many jobs there are in the end: more than one number where a caller that names no idempotency key asks again.
    #[must_use]
    pub fn jobs(self, jobs: RangeInclusive<usize>) -> Self {
        Self { jobs, ..self }
    }

    /// The first job ends so, once the call was answered.
    #[must_use]
    pub fn first_ends(self, state: StateName) -> Self {
        Self {
            first_ends: Some(state),
            ..self
        }
    }

    /// What was over before may be gone in the end.
    #[must_use]
    pub fn purges(self) -> Self {
        Self { purges: true, ..self }
    }

    /// Operation and case in one.
    pub fn name(&self) -> String {
        format!("{}: {}", self.operation, self.case)
    }

    /// Fills the store of `kit`, and moves its clock.
    pub async fn prepare(&self, kit: &Kit) {
        (self.prepare)(kit).await;
    }

    /// Calls the operation.
    pub async fn act(&self, kit: &Kit, before: &Before) -> Result<(), Refusal> {
        (self.act)(kit, before).await
    }
}

/// What clients and robots know when the call is made; what became of it they do not.
#[derive(Clone, Debug)]
pub struct Before {
    /// The jobs, the oldest first.
    pub jobs: Vec<Job>,
    /// The robots, the oldest first.
    pub robots: Vec<Robot>,
}

impl Before {
    /// What there is in the store of `kit`.
    pub async fn of(kit: &Kit) -> Self {
        let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
        Self {
            jobs: jobs.into_iter().map(|view| view.job).collect(),
            robots: audit::all_robots(&kit.engine, &kit.tenant).await,
        }
    }

    /// The latest attempt of the `place`th job.
    pub fn held(&self, place: usize) -> Held {
        let job = &self.jobs[place];
        let hold = job.state.last_hold().expect("the job was handed out");
        Held {
            job: job.id,
            fence: hold.fence(),
        }
    }

    /// Its fence.
    pub fn fence(&self, place: usize) -> Fence {
        self.held(place).fence
    }

    /// The next sync of the first robot, which works on `running`.
    pub fn sync(&self, free_slots: u32, running: &[usize]) -> SyncRequest {
        let robot = &self.robots[0];
        let listed = |place: &usize| Listed {
            job: self.jobs[*place].id,
            fence: self.fence(*place),
            progress: None,
        };
        SyncRequest {
            epoch: robot.epoch,
            seq: robot.seq.unwrap_or(0) + 1,
            mode: if running.is_empty() { Mode::Idle } else { Mode::Busy },
            free_slots,
            running: running.iter().map(listed).collect(),
        }
    }

    /// The latest sync of the first robot again.
    pub fn sync_again(&self, free_slots: u32) -> SyncRequest {
        let next = self.sync(free_slots, &[]);
        SyncRequest {
            seq: next.seq - 1,
            ..next
        }
    }
}

/// A process of its own on `store`: it remembers nothing, draws its own chance, and its clock stands `elapsed` after the
/// beginning.
pub fn process(store: Arc<dyn Store>, seed: u64, elapsed: Duration) -> Kit {
    let kit = Kit::seeded(store, seed);
    kit.pass(elapsed);
    kit
}

/// How long after the beginning it is for `kit`.
pub fn elapsed(kit: &Kit) -> Duration {
    use queue::Clock as _;
    kit.now().since(TestClock::default().now())
}

/// The same process, with everything it does going through `points`.
#[must_use]
pub fn through(kit: &Kit, points: &Arc<Points>, seed: u64) -> Kit {
    let engine = Engine::new(
        points.clone(),
        points.clone(),
        kit.clock.clone(),
        Arc::new(SeededEntropy::new(seed)),
        Settings::default(),
    );
    Kit { engine, ..kit.clone() }
}
