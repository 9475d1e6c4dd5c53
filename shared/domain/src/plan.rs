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
    names::{QueueName, WorkflowName},
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
/// each slot filled, and one look at each robot for each kind of job (queue, requirements, preferences).
pub fn plan(jobs: &[&Job], robots: &[&Robot], strategy: impl Fn(&QueueName) -> Strategy, chance: u64) -> Vec<Match> {
    let mut seats: Vec<Seat<'_>> = robots.iter().map(|robot| Seat::new(robot)).collect();
    let mut free: u64 = seats.iter().map(|seat| u64::from(seat.free)).sum();
    let mut benches: HashMap<JobKind<'_>, Bench> = HashMap::new();
    let mut matches = Vec::new();
    for (job, asked) in jobs.iter().enumerate() {
        if free == 0 {
            break;
        }
        let kind = JobKind::of(asked, strategy(&asked.spec.queue));
        let bench = benches
            .entry(kind)
            .or_insert_with_key(|kind| Bench::of(kind, &seats, chance));
        if let Some(robot) = bench.take(&kind, &mut seats, chance) {
            matches.push(Match { job, robot });
            free -= 1;
        }
    }
    matches
}

/// What all jobs share that the same robots fit in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct JobKind<'a> {
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
            queue: &job.spec.queue,
            requires: &job.spec.requires,
            prefers: &job.spec.prefers,
            strategy,
            workflow: (strategy == Strategy::Affinity).then_some(&job.spec.workflow),
        }
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
}

impl<'a> Seat<'a> {
    fn new(robot: &'a Robot) -> Self {
        let held = u32::try_from(robot.holds.len()).unwrap_or(u32::MAX);
        Self {
            robot,
            free: robot.free(),
            held,
            given: 0,
            given_workflows: Vec::new(),
        }
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
    draw: u64,
}

impl Score {
    fn of(kind: &JobKind<'_>, seat: &Seat<'_>, place: usize, chance: u64) -> Self {
        let robot = seat.robot;
        let spread = matches!(kind.strategy, Strategy::LeastLoaded | Strategy::Affinity);
        let load = u64::from(seat.held) * 1_000_000 / u64::from(robot.max_jobs.max(1));
        let last_turn = (seat.given, robot.assigned_at.unwrap_or_default());
        Self {
            preferred: kind.prefers.robot.as_ref() == Some(&robot.id),
            preferred_capabilities: kind.prefers.capabilities.intersection(&robot.capabilities).count(),
            had_workflow: kind
                .workflow
                .is_some_and(|workflow| robot.recent.contains(workflow) || seat.given_workflows.contains(&workflow)),
            load: Reverse(if spread { load } else { 0 }),
            turn: Reverse(if kind.strategy == Strategy::Random {
                <_>::default()
            } else {
                last_turn
            }),
            draw: if kind.strategy == Strategy::Random {
                scatter(chance, place, seat.given)
            } else {
                0
            },
        }
    }
}

/// A number that looks random for each robot and turn, the same for the same `chance` (`SplitMix64`).
fn scatter(chance: u64, place: usize, given: u32) -> u64 {
    let mut word = chance
        .wrapping_add((place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(u64::from(given).wrapping_mul(0xD1B5_4A32_D192_ED03));
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The robots that fit one kind of job, best on top. A score may be out of date: it is looked at again when it comes up.
struct Bench {
    /// Score, then the lower place first, and how many jobs the plan had given the robot at that time.
    heap: BinaryHeap<(Score, Reverse<usize>, u32)>,
}

impl Bench {
    fn of(kind: &JobKind<'_>, seats: &[Seat<'_>], chance: u64) -> Self {
        let fits = |seat: &Seat<'_>| seat.free > 0 && seat.robot.fits(kind.queue, kind.requires);
        let entry = |(place, seat)| (Score::of(kind, seat, place, chance), Reverse(place), seat.given);
        Self {
            heap: seats
                .iter()
                .enumerate()
                .filter(|(_, seat)| fits(seat))
                .map(entry)
                .collect(),
        }
    }

    /// Takes a slot of the best robot that has one left.
    fn take<'a>(&mut self, kind: &JobKind<'a>, seats: &mut [Seat<'a>], chance: u64) -> Option<usize> {
        while let Some((_, Reverse(place), given)) = self.heap.pop() {
            let seat = &mut seats[place];
            if seat.free == 0 {
                continue;
            }
            // Other kinds of jobs may have filled it since. Only a turn can have made it worse, so one look is enough.
            if seat.given != given {
                self.heap
                    .push((Score::of(kind, seat, place, chance), Reverse(place), seat.given));
                continue;
            }
            seat.free -= 1;
            seat.held += 1;
            seat.given += 1;
            seat.given_workflows.extend(kind.workflow);
            if seat.free > 0 {
                self.heap
                    .push((Score::of(kind, seat, place, chance), Reverse(place), seat.given));
            }
            return Some(place);
        }
        None
    }
}
