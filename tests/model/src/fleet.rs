//! Clients and robots that keep to the rules on a store with faults: what is not answered is sent again, and what was
//! answered is taken down, to be looked for in the end.

mod robot;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{
    JobId,
    job::{ErrorKind, Outcome, StateName},
    robot::SyncRejection,
};
use queue::{Engine, Idempotency, NewRobot, Refusal, Settings, Store, Submission, hints::NoHints};
use queue_conformance::{
    audit,
    faults::FaultyStore,
    kit::{Kit, SeededEntropy, client, failed, new_robot, report, submission, words},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use self::robot::{MAX_JOBS, Robot};

/// How many robots there are. The first has a capability that some jobs need.
const ROBOTS: usize = 4;

/// How many rounds of five seconds everything has to come to an end in, once the faults are off.
const ROUNDS_MAX: usize = 2_000;

/// A fleet and its clients.
pub struct Fleet {
    chance: StdRng,
    faulty: Arc<FaultyStore>,
    /// The operations on the store with faults.
    kit: Kit,
    /// The operations on the store below, to look at what is there.
    sound: Kit,
    submits: Vec<Submit>,
    robots: Vec<Robot>,
    /// Jobs whose success was answered, with the attempt that did it.
    succeeded: BTreeMap<JobId, u32>,
    /// Jobs that a client was told are cancelled.
    cancelled: BTreeSet<JobId>,
}

/// A job that a client wants.
struct Submit {
    asked: Submission,
    answered: Option<JobId>,
}

impl Fleet {
    /// A fleet on `below` with the faults and the chance of `seed`.
    pub async fn new(below: Arc<dyn Store>, seed: u64) -> Self {
        let sound = Kit::seeded(below.clone(), seed);
        let faulty = Arc::new(FaultyStore::new(below, seed));
        let entropy = Arc::new(SeededEntropy::new(seed + 1));
        let engine = Engine::new(
            faulty.clone(),
            Arc::new(NoHints),
            sound.clock.clone(),
            entropy,
            Settings::default(),
        );
        let kit = Kit {
            engine,
            ..sound.clone()
        };
        let mut robots = Vec::new();
        for place in 0..ROBOTS {
            let capabilities = if place == 0 { words(&["browser"]) } else { words(&[]) };
            let id = sound
                .register(NewRobot {
                    capabilities,
                    max_jobs: MAX_JOBS,
                    ..new_robot()
                })
                .await;
            robots.push(Robot {
                id,
                epoch: None,
                seq: 0,
                open: None,
                working: Vec::new(),
            });
        }
        Self {
            chance: StdRng::seed_from_u64(seed),
            faulty,
            kit,
            sound,
            submits: Vec::new(),
            robots,
            succeeded: BTreeMap::new(),
            cancelled: BTreeSet::new(),
        }
    }

    /// Goes on for `steps` steps with faults; every so often all that has to hold at any time is looked at.
    pub async fn go_on(&mut self, steps: usize) {
        for step in 0..steps {
            self.step().await;
            if step % 20 == 0 {
                audit::hold(&self.sound.engine, &self.sound.tenant).await;
            }
        }
    }

    /// Switches the faults off, sees everything to its end, and holds what is there against what was answered.
    pub async fn come_to_rest(&mut self) {
        assert!(self.faulty.put_in() > 0, "faults were put in");
        self.faulty.switch_off();
        for _ in 0..ROUNDS_MAX {
            self.kit.pass(Duration::from_secs(5));
            self.submit_again().await;
            self.schedules().await;
            for robot in 0..ROBOTS {
                self.work(robot, true).await;
            }
            if self.is_at_rest().await {
                return self.check().await;
            }
        }
        let jobs = audit::all_jobs(&self.sound.engine, &self.sound.tenant).await;
        let open: Vec<_> = jobs
            .iter()
            .filter(|view| !view.job.state.name().is_terminal())
            .collect();
        panic!("{} jobs do not end: {open:#?}", open.len());
    }

    async fn step(&mut self) {
        match self.chance.random_range(0..100) {
            0..12 => {
                let asked = self.new_job();
                self.submits.push(Submit { asked, answered: None });
                self.submit_again().await;
            }
            12..16 => self.submit_again().await,
            16..20 => self.cancel_some_job().await,
            20..32 => self.schedules().await,
            32..45 => {
                let seconds = self.chance.random_range(1..40);
                self.kit.pass(Duration::from_secs(seconds));
            }
            _ => {
                let robot = self.chance.random_range(0..ROBOTS);
                if self.chance.random_ratio(1, 25) {
                    self.crash(robot);
                }
                self.work(robot, false).await;
            }
        }
    }

    fn new_job(&mut self) -> Submission {
        let key = format!("key-{}", self.submits.len());
        let needs = if self.chance.random_ratio(1, 6) {
            words(&["browser"])
        } else {
            words(&[])
        };
        let run_seconds = if self.chance.random_ratio(1, 6) { 50 } else { 3_600 };
        Submission {
            idempotency: Some(Idempotency {
                digest: key.clone(),
                key,
            }),
            payload: Some(self.submits.len().to_string()),
            ..submission(|spec| {
                spec.requires.capabilities = needs;
                spec.timeouts.run_seconds = run_seconds;
            })
        }
    }

    /// Sends every submit that was not answered.
    async fn submit_again(&mut self) {
        for submit in self.submits.iter_mut().filter(|submit| submit.answered.is_none()) {
            let sent = self
                .kit
                .engine
                .submit(&self.kit.tenant, &client(), vec![submit.asked.clone()])
                .await;
            if let Ok(answers) = sent {
                let taken = answers[0].as_ref().expect("each key is used for one request");
                assert_eq!(taken.job.payload, submit.asked.payload);
                submit.answered = Some(taken.job.job.id);
            }
        }
    }

    async fn cancel_some_job(&mut self) {
        let answered: Vec<JobId> = self.submits.iter().filter_map(|submit| submit.answered).collect();
        if answered.is_empty() {
            return;
        }
        let job = answered[self.chance.random_range(0..answered.len())];
        let Ok(view) = self.kit.cancel(job).await else { return };
        if view.job.state.name() == StateName::Cancelled {
            self.cancelled.insert(job);
        }
    }

    /// The sweep and the dispatch, whatever comes of them.
    async fn schedules(&mut self) {
        let _ = self.kit.engine.sweep().await;
        let _ = self.kit.engine.dispatch().await;
    }

    fn crash(&mut self, robot: usize) {
        let robot = &mut self.robots[robot];
        (robot.epoch, robot.open) = (None, None);
        // Reports lie on its disk; what it was working on is gone.
        robot.working.retain(|work| work.done.is_some());
    }

    /// A robot does its part once: reports, and a sync. At the end it brings everything to a success.
    async fn work(&mut self, place: usize, to_the_end: bool) {
        self.report(place).await;
        if self.robots[place].epoch.is_none() {
            self.open_session(place).await;
        }
        let again = self.chance.random_ratio(4, 5);
        let Some(request) = self.robots[place].next_sync(again) else {
            return;
        };
        let (kit, robot) = (self.kit.clone(), &mut self.robots[place]);
        match kit.engine.sync(&kit.tenant, &robot.id, request.clone()).await {
            Ok(answer) => {
                robot.open = None;
                robot.hear(&answer);
            }
            Err(Refusal::Sync(SyncRejection::SessionSuperseded)) => robot.epoch = None,
            Err(_) => robot.open = Some(request),
        }
        self.conclude(place, to_the_end);
    }

    async fn report(&mut self, place: usize) {
        let (kit, robot) = (self.kit.clone(), &mut self.robots[place]);
        let mut kept = Vec::new();
        for work in std::mem::take(&mut robot.working) {
            let Some(outcome) = work.done.clone() else {
                kept.push(work);
                continue;
            };
            let report = report(&work.held, outcome.clone(), Some("1"));
            match kit.engine.finish(&kit.tenant, &robot.id, work.held.job, report).await {
                Ok(answered) if answered.state == StateName::Succeeded => {
                    let by = self.succeeded.insert(work.held.job, work.held.fence.attempt);
                    assert!(
                        by.is_none_or(|by| by == work.held.fence.attempt),
                        "two attempts succeeded"
                    );
                }
                Err(Refusal::Store(_)) => kept.push(work),
                Ok(_) | Err(_) => {}
            }
        }
        robot.working.extend(kept);
    }

    async fn open_session(&mut self, place: usize) {
        let (kit, robot) = (self.kit.clone(), &mut self.robots[place]);
        let holding: Vec<_> = robot
            .working
            .iter()
            .map(|work| (work.held.job, work.held.fence.clone()))
            .collect();
        if let Ok(epoch) = kit.engine.open_session(&kit.tenant, &robot.id, &holding).await {
            (robot.epoch, robot.seq, robot.open) = (Some(epoch), 0, None);
        }
    }

    /// Some of what has begun comes to an end.
    fn conclude(&mut self, place: usize, to_the_end: bool) {
        for work in self.robots[place]
            .working
            .iter_mut()
            .filter(|work| work.begun && work.done.is_none())
        {
            work.done = match self.chance.random_range(0..10) {
                _ if to_the_end => Some(Outcome::Succeeded),
                0..3 => Some(Outcome::Succeeded),
                3 => Some(failed(ErrorKind::Application)),
                _ => None,
            };
        }
    }

    /// Whether every submit was answered, every job ended, and no robot has anything left.
    async fn is_at_rest(&self) -> bool {
        let idle = self
            .robots
            .iter()
            .all(|robot| robot.working.is_empty() && robot.open.is_none());
        let jobs = audit::all_jobs(&self.sound.engine, &self.sound.tenant).await;
        let robots = audit::all_robots(&self.sound.engine, &self.sound.tenant).await;
        idle && self.submits.iter().all(|submit| submit.answered.is_some())
            && jobs.iter().all(|view| view.job.state.name().is_terminal())
            && robots.iter().all(|robot| robot.holds.is_empty())
    }

    async fn check(&self) {
        let (engine, tenant) = (&self.sound.engine, &self.sound.tenant);
        audit::hold(engine, tenant).await;
        let jobs = audit::all_jobs(engine, tenant).await;
        let state = |id: &JobId| {
            jobs.iter()
                .find(|view| view.job.id == *id)
                .map(|view| view.job.state.name())
        };
        for submit in &self.submits {
            let id = submit.answered.expect("all were answered");
            assert!(
                state(&id).is_some_and(StateName::is_terminal),
                "{id} was accepted and is {:?}",
                state(&id)
            );
        }
        assert_eq!(jobs.len(), self.submits.len(), "no job was made twice");
        for id in self.succeeded.keys() {
            assert_eq!(state(id), Some(StateName::Succeeded), "{id}: its success was answered");
        }
        for id in &self.cancelled {
            assert_eq!(state(id), Some(StateName::Cancelled), "{id}: its cancel was answered");
        }
        // Nothing is left to do.
        self.kit.pass(Duration::from_hours(1));
        assert_eq!(
            engine.sweep().await.expect("the store answers"),
            queue::Swept::default()
        );
        assert_eq!(engine.dispatch().await.expect("the store answers").assigned, 0);
    }
}
