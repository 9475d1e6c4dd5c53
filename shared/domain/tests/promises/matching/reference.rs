//! The obvious matcher: for each job it looks at every robot anew and takes the best.

use std::cmp::Ordering;

use domain::{Job, Robot, Strategy, WorkflowName, plan::Match};

use super::{fleets::Fleet, may_have};

/// A robot, and what it was given so far.
struct Seat<'a> {
    place: usize,
    robot: &'a Robot,
    given: usize,
    /// The workflows it was given in queues where that counts.
    workflows: Vec<&'a WorkflowName>,
}

/// Gives each job to the robot that is best for it when its turn comes.
pub(crate) fn plan(fleet: &Fleet) -> Vec<Match> {
    let mut seats = seats(fleet);
    let mut matches = Vec::new();
    for (place, job) in fleet.jobs.iter().enumerate() {
        let strategy = fleet.strategy(&job.spec.queue);
        let open = seats.iter_mut().filter(|seat| is_open(seat, job));
        if let Some(best) = open.min_by(|one, other| order(job, strategy, one, other)) {
            take(best, job, strategy);
            matches.push(Match {
                job: place,
                robot: best.place,
            });
        }
    }
    matches
}

/// Follows `matches`, and panics where a job goes to a robot that it likes less than another that was free.
pub(crate) fn check_liking(fleet: &Fleet, matches: &[Match]) {
    let mut seats = seats(fleet);
    for matched in matches {
        let job = &fleet.jobs[matched.job];
        let open = seats.iter().filter(|seat| is_open(seat, job));
        let most = open.map(|seat| liking(job, seat.robot)).max().expect("somebody got it");
        let chosen = &mut seats[matched.robot];
        assert!(is_open(chosen, job));
        assert_eq!(liking(job, chosen.robot), most);
        take(chosen, job, fleet.strategy(&job.spec.queue));
    }
}

fn seats(fleet: &Fleet) -> Vec<Seat<'_>> {
    let seat = |(place, robot)| Seat {
        place,
        robot,
        given: 0,
        workflows: Vec::new(),
    };
    fleet.robots.iter().enumerate().map(seat).collect()
}

fn is_open(seat: &Seat<'_>, job: &Job) -> bool {
    may_have(seat.robot, job) && seat.given < seat.robot.free() as usize
}

fn take<'a>(seat: &mut Seat<'a>, job: &'a Job, strategy: Strategy) {
    seat.given += 1;
    if strategy == Strategy::Affinity {
        seat.workflows.push(&job.spec.workflow);
    }
}

/// The better one first.
fn order(job: &Job, strategy: Strategy, one: &Seat<'_>, other: &Seat<'_>) -> Ordering {
    let by_liking = liking(job, other.robot).cmp(&liking(job, one.robot));
    let by_strategy = match strategy {
        Strategy::LeastLoaded => load(one, other),
        Strategy::Affinity => knows(job, other).cmp(&knows(job, one)).then(load(one, other)),
        Strategy::RoundRobin | Strategy::Random => Ordering::Equal,
    };
    let by_turn = (one.given, one.robot.assigned_at).cmp(&(other.given, other.robot.assigned_at));
    by_liking
        .then(by_strategy)
        .then(by_turn)
        .then(one.place.cmp(&other.place))
}

/// How much the job prefers the robot: the one it names, then by the capabilities it names.
fn liking(job: &Job, robot: &Robot) -> (bool, usize) {
    let prefers = &job.spec.prefers;
    let named = prefers.robot.as_ref() == Some(&robot.id);
    (
        named,
        prefers
            .capabilities
            .iter()
            .filter(|wanted| robot.capabilities.contains(wanted))
            .count(),
    )
}

fn knows(job: &Job, seat: &Seat<'_>) -> bool {
    seat.robot.recent.contains(&job.spec.workflow) || seat.workflows.contains(&&job.spec.workflow)
}

/// By the share of their slots in use, without dividing.
fn load(one: &Seat<'_>, other: &Seat<'_>) -> Ordering {
    let held = |seat: &Seat<'_>| seat.robot.holds.len() + seat.given;
    let slots = |seat: &Seat<'_>| seat.robot.max_jobs as usize;
    (held(one) * slots(other)).cmp(&(held(other) * slots(one)))
}
