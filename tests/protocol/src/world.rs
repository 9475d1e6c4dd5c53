//! The state of everything, and what may happen in it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    Event, Job, JobId, JobSpec, QueueName, Robot, RobotId, TenantName, Timestamp,
    job::{Actor, StateName},
    names::{KeyId, WorkflowName},
    robot::Mode,
};
use stateright::{Model, Property};

pub use crate::call::Call;
use crate::{
    body::Body,
    call::{Answer, Op},
    limits::Limits,
    properties,
};

/// How long a lease is, which is also how far time goes at once.
pub const LEASE: Duration = Duration::from_mins(1);

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub(crate) now: Timestamp,
    /// The records of the jobs that were submitted.
    pub(crate) jobs: Vec<Job>,
    /// The records of the robots.
    pub(crate) robots: Vec<Robot>,
    pub(crate) bodies: Vec<Body>,
    /// What servers work on.
    pub(crate) calls: Vec<Call>,
    /// What is on its way back.
    pub(crate) answers: Vec<Answer>,
    /// Hints that dispatch has not seen.
    pub(crate) hints: u8,
    /// Counts tokens, so that each is another.
    pub(crate) tokens: u16,
    pub(crate) left: Left,
    /// What happened in the latest step that some path has to come by.
    pub(crate) seen: BTreeSet<Seen>,
    guards: bool,
    /// What happened that must not.
    pub(crate) broken: Option<&'static str>,
}

/// How often things may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) leases: u8,
    pub(crate) server_crashes: u8,
    pub(crate) robot_crashes: u8,
    pub(crate) lost_answers: u8,
    pub(crate) doubled_calls: u8,
    pub(crate) cancels: u8,
    pub(crate) dispatches: u8,
    pub(crate) sweeps: u8,
    pub(crate) syncs: u8,
}

/// Something that some path has to come by, or the exploration shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// A write was refused because of another one.
    Conflict,
    /// A report of an attempt that was over was taken.
    LateReport,
    /// A report was told that its lease is lost.
    LeaseLost,
    /// A report was answered as before.
    Repeated,
    /// A sync was told that its session is over.
    Superseded,
    /// A slot was reserved for a job that never came.
    EmptyReservation,
    /// Two robots clicked at the same time, for two attempts of one job.
    TwoClicked,
    /// A robot got a job that dispatch had reserved for it.
    HandedOver,
    /// A robot heard that it is to stop.
    CancelHeard,
}

impl Seen {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Conflict,
        Self::LateReport,
        Self::LeaseLost,
        Self::Repeated,
        Self::Superseded,
        Self::EmptyReservation,
        Self::TwoClicked,
        Self::HandedOver,
        Self::CancelHeard,
    ];
}

impl Hash for World {
    /// All that differs between two states of one model. The domain's values are no keys of maps, but their text tells all of
    /// them.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut text = String::new();
        for job in &self.jobs {
            told(&mut text, job);
        }
        for robot in &self.robots {
            let Robot {
                epoch,
                seq,
                mode,
                free_slots,
                holds,
                answered,
                ..
            } = robot;
            let _ = write!(text, "{epoch} {seq:?} {mode:?} {free_slots} {holds:?} {answered:?};");
        }
        let Self {
            now,
            bodies,
            answers,
            hints,
            tokens,
            broken,
            ..
        } = self;
        let _ = write!(
            text,
            "{} {bodies:?} {answers:?} {hints} {tokens} {broken:?}",
            now.as_micros()
        );
        for call in &self.calls {
            call.told(&mut text);
        }
        text.hash(hasher);
        self.left.hash(hasher);
    }
}

/// Writes down what of `job` may change.
pub(crate) fn told(text: &mut String, job: &Job) {
    let Job {
        id,
        state,
        reason,
        attempts,
        cancel_requested_at,
        finishes,
        ..
    } = job;
    let _ = write!(
        text,
        "{} {state:?} {reason:?} {attempts:?} {cancel_requested_at:?} {finishes:?};",
        id.0.as_u128()
    );
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client submits its next job.
    Submit,
    /// The client asks to cancel that job.
    Cancel(usize),
    /// That robot opens a session.
    OpenSession(usize),
    /// That robot syncs.
    Sync(usize),
    /// That robot sends its latest sync again.
    SyncAgain(usize),
    /// That robot is through with its work, well or not.
    Through(usize, bool),
    /// That robot reports what it is through with.
    Report(usize),
    /// A hint arrives, and may come once more.
    Hint {
        /// The robot that dispatch looks at first.
        robot: usize,
        /// Whether it stays in the queue.
        again: bool,
    },
    /// A hint is lost.
    LoseHint,
    /// The schedule dispatches, and looks at that robot first.
    Dispatch(usize),
    /// The schedule sweeps that job.
    Sweep(usize),
    /// A call that is under way goes one step on.
    Step(usize),
    /// A call that is under way is there twice.
    Double(usize),
    /// The server that works on that call dies.
    CrashServer(usize),
    /// That answer arrives.
    Hear(usize),
    /// That answer is lost.
    LoseAnswer(usize),
    /// That robot dies and starts anew with nothing.
    CrashRobot(usize),
    /// That robot has waited long enough for an answer.
    GiveUpWaiting(usize),
    /// A lease's time passes.
    Pass,
}

/// The model: what may happen within limits.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// How much of everything there is.
    pub limits: Limits,
    /// What was come by so far. Beside the states, which would be more for it.
    pub seen: Arc<Mutex<BTreeSet<Seen>>>,
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.limits)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.clients_may(&self.limits, actions);
        world.robots_may(&self.limits, actions);
        world.servers_may(&self.limits, actions);
        world.chance_may(&self.limits, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&self.limits, action);
        next.note_clicks();
        if !next.seen.is_empty() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.append(&mut next.seen);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl World {
    fn new(limits: &Limits) -> Self {
        Self {
            now: Timestamp::from_millis(1_790_000_000_000),
            jobs: Vec::new(),
            robots: (0..limits.robots).map(robot).collect(),
            bodies: vec![Body::new(); limits.robots],
            calls: Vec::new(),
            answers: Vec::new(),
            hints: 0,
            tokens: 0,
            left: Left {
                leases: limits.leases,
                server_crashes: limits.server_crashes,
                robot_crashes: limits.robot_crashes,
                lost_answers: limits.lost_answers,
                doubled_calls: limits.doubled_calls,
                cancels: limits.cancels,
                dispatches: limits.dispatches,
                sweeps: limits.sweeps,
                syncs: limits.syncs,
            },
            seen: BTreeSet::new(),
            guards: limits.guards,
            broken: None,
        }
    }

    fn clients_may(&self, limits: &Limits, actions: &mut Vec<Action>) {
        if self.jobs.len() < limits.jobs {
            actions.push(Action::Submit);
        }
        if self.left.cancels > 0 && self.calls.len() < limits.calls {
            actions.extend((0..self.jobs.len()).map(Action::Cancel));
        }
    }

    fn robots_may(&self, limits: &Limits, actions: &mut Vec<Action>) {
        for (place, body) in self.bodies.iter().enumerate() {
            if body.waits {
                let is_on_its_way = self.calls.iter().any(|call| call.op.robot() == Some(place))
                    || self.answers.iter().any(|answer| answer.robot() == place);
                // It hears nothing before whoever works on its call is through: to give up sooner is the same as to lose the
                // answer.
                actions.extend((!is_on_its_way).then_some(Action::GiveUpWaiting(place)));
                continue;
            }
            if body.clicks().is_some() {
                actions.extend([true, false].map(|well| Action::Through(place, well)));
            }
            if self.calls.len() >= limits.calls {
                continue;
            }
            if body.epoch.is_none() {
                actions.push(Action::OpenSession(place));
                continue;
            }
            if body.work.as_ref().is_some_and(|work| work.done.is_some() || work.stops) {
                actions.push(Action::Report(place));
            } else if self.left.syncs > 0 {
                actions.push(Action::Sync(place));
                actions.extend(body.is_unanswered.then_some(Action::SyncAgain(place)));
            }
        }
    }

    fn servers_may(&self, limits: &Limits, actions: &mut Vec<Action>) {
        for place in 0..self.calls.len() {
            actions.push(Action::Step(place));
            actions.extend((self.left.server_crashes > 0).then_some(Action::CrashServer(place)));
            if self.left.doubled_calls > 0 && self.calls.len() < limits.calls && self.calls[place].is_new() {
                actions.push(Action::Double(place));
            }
        }
        for place in 0..self.answers.len() {
            actions.push(Action::Hear(place));
            actions.extend((self.left.lost_answers > 0).then_some(Action::LoseAnswer(place)));
        }
        if self.calls.len() < limits.calls {
            if self.left.dispatches > 0 && self.jobs.iter().any(|job| job.state.name() == StateName::Ready) {
                actions.extend((0..self.robots.len()).map(Action::Dispatch));
            }
            if self.left.sweeps > 0 {
                let due = (0..self.jobs.len()).filter(|place| self.jobs[*place].is_due(self.now));
                actions.extend(due.map(Action::Sweep));
            }
        }
    }

    fn chance_may(&self, limits: &Limits, actions: &mut Vec<Action>) {
        if self.hints > 0 {
            actions.push(Action::LoseHint);
            if self.calls.len() < limits.calls && self.left.dispatches > 0 {
                let hint = |robot| [true, false].map(|again| Action::Hint { robot, again });
                actions.extend((0..self.robots.len()).flat_map(hint));
            }
        }
        if self.left.robot_crashes > 0 {
            let alive = (0..self.bodies.len()).filter(|place| self.bodies[*place] != Body::new());
            actions.extend(alive.map(Action::CrashRobot));
        }
        // Time that nothing waits for shows nothing.
        if self.left.leases > 0 && self.jobs.iter().any(|job| job.next_timer().is_some()) {
            actions.push(Action::Pass);
        }
    }

    fn act(&mut self, limits: &Limits, action: Action) {
        match action {
            Action::Submit => self.submit(limits),
            Action::Cancel(job) => {
                self.left.cancels -= 1;
                self.begin(Op::cancel(job));
            }
            Action::OpenSession(robot) => {
                self.bodies[robot].waits = true;
                let holding = self.bodies[robot].running();
                self.begin(Op::session(robot, holding));
            }
            Action::Sync(robot) => {
                self.bodies[robot].seq += 1;
                self.send_sync(robot);
            }
            Action::SyncAgain(robot) => self.send_sync(robot),
            Action::Through(robot, well) => {
                if let Some(work) = &mut self.bodies[robot].work {
                    work.done = Some(well);
                }
            }
            Action::Report(robot) => self.send_report(robot),
            Action::Hint { robot, again } => {
                self.hints -= u8::from(!again);
                self.left.dispatches -= 1;
                self.begin(Op::dispatch(robot));
            }
            Action::LoseHint => self.hints -= 1,
            Action::Dispatch(robot) => {
                self.left.dispatches -= 1;
                self.begin(Op::dispatch(robot));
            }
            Action::Sweep(job) => {
                self.left.sweeps -= 1;
                self.begin(Op::sweep(job));
            }
            Action::Step(place) => self.step(place),
            Action::Double(place) => {
                self.left.doubled_calls -= 1;
                let again = self.calls[place].clone();
                self.calls.push(again);
            }
            Action::CrashServer(place) => {
                self.left.server_crashes -= 1;
                self.calls.remove(place);
            }
            Action::Hear(place) => {
                let answer = self.answers.remove(place);
                self.bodies[answer.robot()].hear(answer);
            }
            Action::LoseAnswer(place) => {
                self.left.lost_answers -= 1;
                self.answers.remove(place);
            }
            Action::CrashRobot(robot) => {
                self.left.robot_crashes -= 1;
                self.bodies[robot] = Body::new();
                self.answers.retain(|answer| answer.robot() != robot);
            }
            Action::GiveUpWaiting(robot) => self.bodies[robot].waits = false,
            Action::Pass => {
                self.left.leases -= 1;
                self.now = self.now + LEASE;
            }
        }
        // What is on its way has no order.
        if self.calls.len() > 1 {
            self.calls.sort_by_cached_key(|call| {
                let mut text = String::new();
                call.told(&mut text);
                text
            });
        }
        self.answers.sort_by_key(Answer::robot);
    }

    fn submit(&mut self, limits: &Limits) {
        let number = self.jobs.len();
        let mut spec = JobSpec::new(WorkflowName::parse("invoice").expect("a good name"));
        spec.retry.max_attempts = limits.max_attempts;
        spec.retry.initial_seconds = 0;
        spec.retry.jitter = 0.0;
        let id = JobId(uuid::Uuid::from_u128(number as u128 + 1));
        let mut job = Job::new(id, tenant(), spec, None, client(), self.now);
        job.history.clear();
        self.jobs.push(job);
        self.hints = (self.hints + 1).min(2);
    }

    fn begin(&mut self, op: Op) {
        self.calls.push(Call::new(op));
    }

    fn send_sync(&mut self, robot: usize) {
        self.left.syncs -= 1;
        let body = &mut self.bodies[robot];
        (body.waits, body.is_unanswered) = (true, true);
        let (epoch, seq, running) = (body.epoch.unwrap_or_default(), body.seq, body.running());
        self.begin(Op::sync(robot, epoch, seq, running));
    }

    fn send_report(&mut self, robot: usize) {
        let body = &mut self.bodies[robot];
        let Some(work) = body.work.clone() else { return };
        body.waits = true;
        self.begin(Op::finish(robot, work.job, work.fence, work.done));
    }

    /// Whether two robots click for one job, and that never for one attempt.
    fn note_clicks(&mut self) {
        let clicks: Vec<(usize, u32)> = self.bodies.iter().filter_map(Body::clicks).collect();
        for (place, click) in clicks.iter().enumerate() {
            for other in &clicks[place + 1..] {
                if click == other {
                    self.broken = Some("one attempt is done by two robots");
                } else if click.0 == other.0 {
                    self.seen.insert(Seen::TwoClicked);
                }
            }
        }
    }

    /// Writes a job, and marks what was decided on the one before as out of date.
    pub(crate) fn write_job(&mut self, place: usize, mut job: Job) {
        // How it came there was checked when it was decided, and would keep apart what is the same from here on.
        job.history.clear();
        self.check_end(place, &job);
        self.jobs[place] = job;
        if self.guards {
            self.calls.iter_mut().for_each(|call| call.job_was_written(place));
        }
    }

    /// Writes a robot, likewise.
    pub(crate) fn write_robot(&mut self, place: usize, mut robot: Robot) {
        (robot.seen_at, robot.next_sync_at, robot.assigned_at) = (None, None, None);
        robot.recent.clear();
        self.robots[place] = robot;
        if self.guards {
            self.calls.iter_mut().for_each(|call| call.robot_was_written(place));
        }
    }

    fn check_end(&mut self, place: usize, next: &Job) {
        let before = &self.jobs[place];
        let changed = before.state != next.state || before.result != next.result || before.reason != next.reason;
        if before.state.name().is_terminal() && changed {
            self.broken = Some("what was over has changed");
        }
        if next.attempts.given > before.attempts.given + 1 {
            self.broken = Some("an attempt was left out");
        }
        let token = |job: &Job| job.state.last_hold().map(|hold| hold.token.clone());
        if next.attempts.given == before.attempts.given && token(next) != token(before) {
            self.broken = Some("one attempt was given to two");
        }
    }
}

fn robot(place: usize) -> Robot {
    Robot {
        id: RobotId::parse(&format!("rob_{place}")).expect("a good id"),
        tenant: tenant(),
        key: KeyId::parse("key_robot").expect("a good id"),
        name: String::new(),
        queues: vec![QueueName::default_queue()],
        capabilities: BTreeSet::default(),
        environment: None,
        max_jobs: 1,
        version: None,
        labels: std::collections::BTreeMap::default(),
        created_at: Timestamp::default(),
        drain: false,
        epoch: 0,
        seq: None,
        mode: Mode::Idle,
        free_slots: 0,
        seen_at: None,
        next_sync_at: None,
        assigned_at: None,
        recent: Vec::new(),
        holds: Vec::new(),
        answered: Vec::new(),
    }
}

fn tenant() -> TenantName {
    TenantName::default_tenant()
}

pub(crate) fn client() -> Actor {
    Actor::Key(KeyId::parse("key_client").expect("a good id"))
}

/// The event that time has passed.
pub(crate) fn tick() -> Event {
    Event::Tick {
        chance: domain::retry::Chance::new(0.5),
    }
}
