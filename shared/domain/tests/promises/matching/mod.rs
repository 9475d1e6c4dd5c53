//! Which robot gets which job: what is hard, what only orders, and what each strategy does.

mod cases;
mod fleets;
mod reference;

use domain::{
    Job, Robot, Strategy,
    plan::{Match, plan},
};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use self::fleets::{Fleet, fleet, fleet_of};

impl Fleet {
    fn plan(&self) -> Vec<Match> {
        let (jobs, robots) = (
            self.jobs.iter().collect::<Vec<_>>(),
            self.robots.iter().collect::<Vec<_>>(),
        );
        plan(&jobs, &robots, |queue| self.strategy(queue), self.chance)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_a_job_requires_is_never_crossed(fleet in fleet()) {
        for Match { job, robot } in fleet.plan() {
            let (job, robot) = (&fleet.jobs[job], &fleet.robots[robot]);
            prop_assert!(may_have(robot, job), "{robot:?} {job:?}");
            prop_assert!(!robot.drain && robot.mode != domain::robot::Mode::Draining);
        }
    }

    #[test]
    fn no_robot_is_given_more_than_its_free_slots(fleet in fleet()) {
        let matches = fleet.plan();
        for (place, robot) in fleet.robots.iter().enumerate() {
            let given = matches.iter().filter(|matched| matched.robot == place).count();
            prop_assert!(given + robot.holds.len() <= robot.holds.len().max(robot.max_jobs as usize));
            prop_assert!(given <= robot.free_slots as usize);
        }
    }

    #[test]
    fn each_job_is_given_once_and_in_order(fleet in fleet()) {
        let jobs: Vec<usize> = fleet.plan().iter().map(|matched| matched.job).collect();
        prop_assert!(jobs.is_sorted_by(|one, next| one < next), "{jobs:?}");
    }

    #[test]
    fn a_job_goes_without_only_when_those_before_it_left_no_slot_that_fits(fleet in fleet()) {
        let matches = fleet.plan();
        for (place, job) in fleet.jobs.iter().enumerate() {
            if matches.iter().any(|matched| matched.job == place) {
                continue;
            }
            for (seat, robot) in fleet.robots.iter().enumerate().filter(|(_, robot)| may_have(robot, job)) {
                let before = matches.iter().filter(|matched| matched.robot == seat && matched.job < place).count();
                prop_assert_eq!(before, robot.free() as usize, "robot {} for job {}", seat, place);
            }
        }
    }

    #[test]
    fn without_chance_the_plan_is_that_of_the_obvious_matcher(fleet in fleet_of(&WITHOUT_CHANCE)) {
        prop_assert_eq!(fleet.plan(), reference::plan(&fleet));
    }

    #[test]
    fn preferences_go_before_the_strategy(fleet in fleet()) {
        reference::check_liking(&fleet, &fleet.plan());
    }

    #[test]
    fn the_same_chance_gives_the_same_plan(fleet in fleet()) {
        prop_assert_eq!(fleet.plan(), fleet.plan());
    }
}

const WITHOUT_CHANCE: [Strategy; 3] = [Strategy::LeastLoaded, Strategy::RoundRobin, Strategy::Affinity];

/// Whether `robot` may have `job`, as the contract says it.
fn may_have(robot: &Robot, job: &Job) -> bool {
    let requires = &job.spec.requires;
    robot.tenant == job.tenant
        && robot.queues.contains(&job.spec.queue)
        && requires
            .capabilities
            .iter()
            .all(|needed| robot.capabilities.contains(needed))
        && (requires.environment.is_none() || requires.environment == robot.environment)
        && (requires.robot.is_none() || requires.robot.as_ref() == Some(&robot.id))
}
