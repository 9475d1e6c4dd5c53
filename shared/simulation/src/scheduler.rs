//! One thread that takes turns among tasks by chance, and a clock that moves when nobody has anything to do.
//!
//! Whoever could go on is chosen by a seed, at every await. The same seed gives the same order. Tasks belong to groups: a
//! group that is killed stops where it stands, between two of its awaits, as a process does.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use domain::Timestamp;
use futures::future::BoxFuture;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

/// The moment at which every run begins, in milliseconds since 1970.
const BEGINNING_MS: i64 = 1_790_000_000_000;

/// How many turns a run may take: some hundred times what one takes.
const TURNS_MAX: u64 = 5_000_000;

/// What is killed together: a process of the server, or a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group(u64);

impl Group {
    /// What nobody kills.
    pub(crate) const WORLD: Self = Self(0);
}

/// The tasks, and whose turn it is.
pub(crate) struct Scheduler {
    handle: Handle,
    tasks: Vec<Option<Task>>,
    free: Vec<usize>,
}

struct Task {
    group: Group,
    name: Arc<str>,
    future: BoxFuture<'static, ()>,
    waker: Arc<TaskWaker>,
}

/// A task that has had no turn yet.
struct Spawned {
    group: Group,
    name: Arc<str>,
    future: BoxFuture<'static, ()>,
}

struct TaskWaker {
    place: usize,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready).push(self.place);
        }
    }
}

/// What tasks see of the scheduler; cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

struct Shared {
    now_micros: AtomicI64,
    ready: Arc<Mutex<Vec<usize>>>,
    timers: Mutex<BTreeMap<(i64, u64), Waker>>,
    spawned: Mutex<Vec<Spawned>>,
    killed: Mutex<Vec<Group>>,
    counter: AtomicU64,
    polls: AtomicU64,
    chance: Mutex<StdRng>,
    current: Mutex<Arc<str>>,
    /// What was seen that must not be; the first ends the run.
    violations: Mutex<Vec<String>>,
    is_over: AtomicBool,
    trace: Option<Mutex<Vec<String>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scheduler {
    /// A scheduler that takes turns by `seed`, and keeps a trace if it is to.
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let shared = Shared {
            now_micros: AtomicI64::new(Timestamp::from_millis(BEGINNING_MS).as_micros()),
            ready: Arc::default(),
            timers: Mutex::default(),
            spawned: Mutex::default(),
            killed: Mutex::default(),
            counter: AtomicU64::new(1),
            polls: AtomicU64::new(0),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
            current: Mutex::new("".into()),
            violations: Mutex::default(),
            is_over: AtomicBool::new(false),
            trace: traced.then(Mutex::default),
        };
        Self {
            handle: Handle(Arc::new(shared)),
            tasks: Vec::new(),
            free: Vec::new(),
        }
    }

    /// What tasks see of it.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Takes turns until somebody says that it is over, something is seen that must not be, or `until` is reached.
    pub(crate) fn run(&mut self, until: Timestamp) {
        while !self.handle.is_over() {
            self.adopt();
            self.bury();
            if self.handle.turns() > TURNS_MAX {
                self.handle
                    .violated(format!("L1: it goes on without end: {TURNS_MAX} turns"));
            }
            if !self.take_a_turn() && !self.handle.skip_to_next_timer(until) {
                return;
            }
        }
    }

    fn adopt(&mut self) {
        let spawned = std::mem::take(&mut *lock(&self.handle.0.spawned));
        for Spawned { group, name, future } in spawned {
            let place = self.free.pop().unwrap_or_else(|| {
                self.tasks.push(None);
                self.tasks.len() - 1
            });
            let waker = Arc::new(TaskWaker {
                place,
                queued: AtomicBool::new(false),
                ready: Arc::clone(&self.handle.0.ready),
            });
            Arc::clone(&waker).wake();
            self.tasks[place] = Some(Task {
                group,
                name,
                future,
                waker,
            });
        }
    }

    fn bury(&mut self) {
        let killed = std::mem::take(&mut *lock(&self.handle.0.killed));
        if killed.is_empty() {
            return;
        }
        for (place, slot) in self.tasks.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|task| killed.contains(&task.group)) {
                *slot = None;
                self.free.push(place);
            }
        }
    }

    /// Lets one of those go on who can; `false` when nobody can.
    fn take_a_turn(&mut self) -> bool {
        let place = {
            let mut ready = lock(&self.handle.0.ready);
            if ready.is_empty() {
                return false;
            }
            let chosen = lock(&self.handle.0.chance).random_range(0..ready.len());
            ready.swap_remove(chosen)
        };
        let Some(task) = &mut self.tasks[place] else {
            return true;
        };
        task.waker.queued.store(false, Ordering::Relaxed);
        self.handle.0.polls.fetch_add(1, Ordering::Relaxed);
        if self.handle.0.trace.is_some() {
            *lock(&self.handle.0.current) = Arc::clone(&task.name);
        }
        let waker = Waker::from(Arc::clone(&task.waker));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks[place] = None;
            self.free.push(place);
        }
        true
    }
}

impl Handle {
    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now_micros.load(Ordering::Relaxed))
    }

    /// How many turns were taken.
    pub(crate) fn turns(&self) -> u64 {
        self.0.polls.load(Ordering::Relaxed)
    }

    /// A group of its own.
    pub(crate) fn new_group(&self) -> Group {
        Group(self.number())
    }

    /// A number that nobody else has.
    pub(crate) fn number(&self) -> u64 {
        self.0.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a task to `group`. What `name` gives is in the trace.
    pub(crate) fn spawn(
        &self,
        group: Group,
        name: impl FnOnce() -> String,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let name: Arc<str> = if self.0.trace.is_some() {
            name().into()
        } else {
            "".into()
        };
        let future = Box::pin(future);
        lock(&self.0.spawned).push(Spawned { group, name, future });
    }

    /// Stops every task of `group` where it stands.
    pub(crate) fn kill(&self, group: Group) {
        lock(&self.0.killed).push(group);
    }

    /// Goes on after `time`.
    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        Sleep {
            handle: self.clone(),
            until: self.now() + time,
            is_set: false,
        }
    }

    /// Whether chance says so, `per_mille` times of a thousand.
    pub(crate) fn happens(&self, per_mille: u32) -> bool {
        per_mille > 0 && lock(&self.0.chance).random_ratio(per_mille.min(1_000), 1_000)
    }

    /// A number of `range`.
    pub(crate) fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        lock(&self.0.chance).random_range(range)
    }

    /// Seconds of `range`, to the millisecond.
    pub(crate) fn seconds(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.draw(range.start * 1_000..range.end * 1_000))
    }

    /// One of `among`, if there is any.
    pub(crate) fn pick<'a, T>(&self, among: &'a [T]) -> Option<&'a T> {
        if among.is_empty() {
            return None;
        }
        among.get(lock(&self.0.chance).random_range(0..among.len()))
    }

    /// A seed for somebody who draws for himself.
    pub(crate) fn new_seed(&self) -> u64 {
        lock(&self.0.chance).next_u64()
    }

    /// Ends the run.
    pub(crate) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether the run is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Takes down something that must not be, and ends the run.
    pub(crate) fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        self.say(|| format!("VIOLATION {what}"));
        lock(&self.0.violations).push(what);
        self.end();
    }

    /// What was seen that must not be.
    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.0.violations).clone()
    }

    /// Adds a line to the trace, if one is kept.
    pub(crate) fn say(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.0.trace {
            let by = lock(&self.0.current).clone();
            let line = format!("{} {by:<28} {}", self.now(), line());
            lock(trace).push(line);
        }
    }

    /// The trace so far.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.0
            .trace
            .as_ref()
            .map(|trace| lock(trace).clone())
            .unwrap_or_default()
    }

    /// Moves the clock to the next timer and wakes who waits for it; `false` when there is none before `until`.
    fn skip_to_next_timer(&self, until: Timestamp) -> bool {
        let mut timers = lock(&self.0.timers);
        let Some((&(at, _), _)) = timers.first_key_value() else {
            return false;
        };
        if at > until.as_micros() {
            return false;
        }
        self.0.now_micros.store(at, Ordering::Relaxed);
        while let Some(entry) = timers.first_entry().filter(|entry| entry.key().0 <= at) {
            entry.remove().wake();
        }
        true
    }
}

/// Lets somebody else go on first, perhaps.
#[derive(Default)]
pub(crate) struct Step {
    taken: bool,
}

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.taken {
            return Poll::Ready(());
        }
        self.taken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Goes on at a moment.
pub(crate) struct Sleep {
    handle: Handle,
    until: Timestamp,
    is_set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.handle.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.is_set {
            self.is_set = true;
            let key = (self.until.as_micros(), self.handle.number());
            lock(&self.handle.0.timers).insert(key, context.waker().clone());
        }
        Poll::Pending
    }
}
