//! Which robot gets which job.
//!
//! What a job requires is hard: a robot that does not fit never gets it. What it prefers, and the queue's strategy, only
//! order the robots that fit.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use crate::{
    job::{Job, Prefers, Requires},
    names::{QueueName, TenantName, WorkflowName},
    queue::Strategy,
    robot::Robot,
    time::Timestamp,
};

/// That a job goes to a robot, by their places in the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The job's place.
    pub job: usize,
    /// The robot's place.
    pub robot: usize,
}

/// Gives `jobs`, taken in their order, to `robots` with free slots, each to the best that fits.
///
/// `strategy` tells the strategy of a queue; `chance` decides where that is random. The work is about one heap step for
/// each slot filled, and one look at each robot for each kind of job (queue, requirements, preferences). A job and a robot
/// of two tenants are never matched.
pub fn plan(jobs: &[&Job], robots: &[&Robot], strategy: impl Fn(&QueueName) -> Strategy, chance: u64) -> Vec<Match> {
    let mut seats: Vec<Seat<'_>> = (0..)
        .zip(robots)
        .map(|(place, robot)| Seat::new(robot, chance, place))
        .collect();
    let mut free: u64 = seats.iter().map(|seat| u64::from(seat.free)).sum();
    let mut benches: HashMap<JobKind<'_>, Bench> = HashMap::new();
    let mut matches = Vec::new();
    for (job, asked) in jobs.iter().enumerate() {
        if free == 0 {
            break;
        }
        let kind = JobKind::of(asked, strategy(&asked.spec.queue));
        let bench = benches.entry(kind).or_insert_with_key(|kind| Bench::of(kind, &seats));
        let Some(robot) = bench.take(&kind, &seats) else {
            continue;
        };
        matches.push(Match { job, robot });
        free -= 1;
        match seats[robot].give(kind.workflow) {
            // It is now better for this workflow than any bench knows.
            Some(learnt) => {
                let gathering = benches.iter_mut().filter(|(kind, _)| kind.workflow == Some(learnt));
                let fitting = gathering.filter(|(kind, _)| kind.fits(&seats[robot]));
                fitting.for_each(|(kind, bench)| bench.add(kind, &seats, robot));
            }
            None => bench.add(&kind, &seats, robot),
        }
    }
    matches
}

/// What all jobs share that the same robots fit in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct JobKind<'a> {
    tenant: &'a TenantName,
    queue: &'a QueueName,
    requires: &'a Requires,
    prefers: &'a Prefers,
    strategy: Strategy,
    /// Only where the strategy looks at it.
    workflow: Option<&'a WorkflowName>,
}

impl<'a> JobKind<'a> {
    fn of(job: &'a Job, strategy: Strategy) -> Self {
        Self {
            tenant: &job.tenant,
            queue: &job.spec.queue,
            requires: &job.spec.requires,
            prefers: &job.spec.prefers,
            strategy,
            workflow: (strategy == Strategy::Affinity).then_some(&job.spec.workflow),
        }
    }

    fn fits(&self, seat: &Seat<'_>) -> bool {
        seat.free > 0 && seat.robot.tenant == *self.tenant && seat.robot.fits(self.queue, self.requires)
    }
}

/// A robot while a plan is made.
struct Seat<'a> {
    robot: &'a Robot,
    free: u32,
    held: u32,
    /// How many jobs this plan gave it: what makes an older score stale.
    given: u32,
    given_workflows: Vec<&'a WorkflowName>,
    dice: Dice,
    /// The sum of its draws: where chance decides, the least goes next, so that each has its share of a batch.
    drawn: u64,
}

impl<'a> Seat<'a> {
    fn new(robot: &'a Robot, chance: u64, place: u64) -> Self {
        let mut dice = Dice::new(chance, place);
        Self {
            robot,
            free: robot.free(),
            held: u32::try_from(robot.holds.len()).unwrap_or(u32::MAX),
            given: 0,
            given_workflows: Vec::new(),
            drawn: dice.draw(),
            dice,
        }
    }

    fn had(&self, workflow: &WorkflowName) -> bool {
        self.robot.recent.contains(workflow) || self.given_workflows.contains(&workflow)
    }

    /// Gives it a job; answers with `workflow` if it did not have that before.
    fn give(&mut self, workflow: Option<&'a WorkflowName>) -> Option<&'a WorkflowName> {
        self.free -= 1;
        self.held += 1;
        self.given += 1;
        self.drawn += self.dice.draw();
        let learnt = workflow.filter(|workflow| !self.had(workflow));
        self.given_workflows.extend(learnt);
        learnt
    }
}

/// Draws that look random, and are the same again for the same chance and place (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn new(chance: u64, place: u64) -> Self {
        Self(chance.wrapping_add(place.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }

    /// A number below 2³², so that the draws for all slots there can be add up.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) >> 32
    }
}

/// How good a robot is for a kind of job; greater is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    preferred: bool,
    preferred_capabilities: usize,
    had_workflow: bool,
    /// Parts per million of its slots in use.
    load: Reverse<u64>,
    turn: Reverse<(u32, Timestamp)>,
    draw: Reverse<u64>,
}

impl Score {
    fn of(kind: &JobKind<'_>, seat: &Seat<'_>) -> Self {
        let robot = seat.robot;
        let random = kind.strategy == Strategy::Random;
        let spread = matches!(kind.strategy, Strategy::LeastLoaded | Strategy::Affinity);
        let load = u64::from(seat.held) * 1_000_000 / u64::from(robot.max_jobs.max(1));
        let last_turn = (seat.given, robot.assigned_at.unwrap_or_default());
        Self {
            preferred: kind.prefers.robot.as_ref() == Some(&robot.id),
            preferred_capabilities: kind.prefers.capabilities.intersection(&robot.capabilities).count(),
            had_workflow: kind.workflow.is_some_and(|workflow| seat.had(workflow)),
            load: Reverse(if spread { load } else { 0 }),
            turn: Reverse(if random { <_>::default() } else { last_turn }),
            draw: Reverse(if random { seat.drawn } else { 0 }),
        }
    }
}

/// The robots that fit one kind of job, best on top. A score may be out of date: it is looked at again when it comes up.
struct Bench {
    /// Score, then the lower place first, and how many jobs the plan had given the robot at that time.
    heap: BinaryHeap<(Score, Reverse<usize>, u32)>,
}

impl Bench {
    fn of(kind: &JobKind<'_>, seats: &[Seat<'_>]) -> Self {
        let fitting = seats.iter().enumerate().filter(|(_, seat)| kind.fits(seat));
        let heap = fitting
            .map(|(place, seat)| (Score::of(kind, seat), Reverse(place), seat.given))
            .collect();
        Self { heap }
    }

    /// Puts in the robot at `place`, which fits, as it is now, if it has a slot left.
    fn add(&mut self, kind: &JobKind<'_>, seats: &[Seat<'_>], place: usize) {
        let seat = &seats[place];
        if seat.free > 0 {
            self.heap.push((Score::of(kind, seat), Reverse(place), seat.given));
        }
    }

    /// Takes out the best robot that has a slot left.
    fn take(&mut self, kind: &JobKind<'_>, seats: &[Seat<'_>]) -> Option<usize> {
        while let Some((_, Reverse(place), given)) = self.heap.pop() {
            if seats[place].given == given {
                return Some(place);
            }
            // It was given jobs since. That only makes it worse, or it was put in again when it learnt a workflow; so one
            // look is enough.
            self.add(kind, seats, place);
        }
        None
    }
}
