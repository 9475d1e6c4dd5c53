//! What each strategy does, and what only orders.

use domain::{
    Job, JobSpec, Robot, Strategy,
    plan::{Match, plan},
};

use crate::{
    fleet::{ready, reservation, robot, robot_id, word, words, workflow},
    story::at,
};

/// The robots that `jobs` go to, in the jobs' order.
fn chosen(jobs: &[Job], robots: &[Robot], strategy: Strategy, chance: u64) -> Vec<usize> {
    let (jobs, robots): (Vec<_>, Vec<_>) = (jobs.iter().collect(), robots.iter().collect());
    plan(&jobs, &robots, |_| strategy, chance)
        .into_iter()
        .map(|matched| matched.robot)
        .collect()
}

fn jobs(count: usize) -> Vec<Job> {
    vec![ready(|_| ()); count]
}

/// A robot with many slots, of which it holds some.
fn holding(name: &str, held: usize, max_jobs: u32) -> Robot {
    robot(name, |robot| {
        robot.max_jobs = max_jobs;
        robot.holds = vec![reservation(true); held];
    })
}

#[test]
fn the_least_loaded_is_the_one_with_the_smallest_share_in_use() {
    let robots = [holding("a", 1, 2), holding("b", 2, 8), holding("c", 1, 3)];
    assert_eq!(chosen(&jobs(4), &robots, Strategy::LeastLoaded, 0), [1, 2, 1, 0]);
}

#[test]
fn least_loaded_fills_empty_robots_in_turn() {
    let robots = ["a", "b", "c"].map(|name| holding(name, 0, 2));
    assert_eq!(chosen(&jobs(7), &robots, Strategy::LeastLoaded, 0), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn round_robin_goes_on_with_the_one_that_waited_longest() {
    let assigned = |name, at| Robot {
        assigned_at: at,
        ..holding(name, 0, 2)
    };
    let robots = [
        assigned("a", Some(at(30))),
        assigned("b", Some(at(10))),
        assigned("c", Some(at(20))),
    ];
    assert_eq!(chosen(&jobs(5), &robots, Strategy::RoundRobin, 0), [1, 2, 0, 1, 2]);
    let robots = [assigned("a", Some(at(30))), assigned("b", None)];
    assert_eq!(
        chosen(&jobs(1), &robots, Strategy::RoundRobin, 0),
        [1],
        "one that never had a job waited longest"
    );
}

#[test]
fn round_robin_does_not_look_at_the_load() {
    let robots = [holding("a", 5, 8), holding("b", 0, 8)];
    assert_eq!(chosen(&jobs(4), &robots, Strategy::RoundRobin, 0), [0, 1, 0, 1]);
}

#[test]
fn affinity_prefers_a_robot_that_had_the_workflow_and_then_the_least_loaded() {
    let export = workflow("export");
    let job = ready(|spec| spec.workflow = export.clone());
    let knowing = Robot {
        recent: vec![export],
        ..holding("b", 2, 3)
    };
    let robots = [holding("a", 1, 3), knowing, holding("c", 0, 3)];
    assert_eq!(
        chosen(&[job.clone(), job.clone(), job], &robots, Strategy::Affinity, 0),
        [1, 2, 2]
    );
}

#[test]
fn affinity_counts_what_the_same_plan_gave() {
    let export = ready(|spec| spec.workflow = workflow("export"));
    let import = ready(|spec| spec.workflow = workflow("import"));
    let robots = ["a", "b"].map(|name| holding(name, 0, 4));
    let jobs = [export.clone(), import.clone(), export.clone(), export, import];
    assert_eq!(chosen(&jobs, &robots, Strategy::Affinity, 0), [0, 1, 0, 0, 1]);
}

#[test]
fn affinity_counts_what_the_same_plan_gave_to_jobs_that_require_something_else() {
    let export = |change: fn(&mut JobSpec)| ready(|spec| (spec.workflow = workflow("export"), change(spec)).1);
    let plain = export(|_| ());
    let on_b = export(|spec| spec.requires.capabilities = words(&["sap"]));
    let mut robots = ["a", "b"].map(|name| holding(name, 0, 8));
    robots[1].capabilities = words(&["sap"]);
    // The first goes to robot 0, the second can only go to robot 1; from then on both know the workflow.
    let jobs = [plain.clone(), on_b.clone(), on_b, plain.clone(), plain.clone(), plain];
    assert_eq!(chosen(&jobs, &robots, Strategy::Affinity, 0), [0, 1, 1, 0, 0, 1]);
}

#[test]
fn random_gives_each_robot_its_share_of_a_batch() {
    let robots = ["a", "b", "c", "d"].map(|name| holding(name, 0, 1_000));
    for chance in 0..50 {
        let chosen = chosen(&jobs(400), &robots, Strategy::Random, chance);
        for place in 0..robots.len() {
            let share = chosen.iter().filter(|robot| **robot == place).count();
            assert!(
                (60..=140).contains(&share),
                "robot {place} got {share} of 400 by chance {chance}"
            );
        }
    }
}

#[test]
fn random_depends_on_the_chance() {
    let robots = ["a", "b", "c", "d"].map(|name| holding(name, 0, 1));
    let firsts: Vec<usize> = (0..200)
        .map(|chance| chosen(&jobs(1), &robots, Strategy::Random, chance)[0])
        .collect();
    for place in 0..robots.len() {
        let share = firsts.iter().filter(|robot| **robot == place).count();
        assert!(
            (25..=75).contains(&share),
            "robot {place} came first {share} times of 200"
        );
    }
}

#[test]
fn a_preferred_robot_goes_before_every_strategy_and_is_no_requirement() {
    for strategy in Strategy::ALL {
        let job = ready(|spec| spec.prefers.robot = Some(robot_id("b")));
        let robots = [holding("a", 0, 4), holding("b", 3, 4)];
        let jobs = vec![job; 2];
        assert_eq!(chosen(&jobs, &robots, strategy, 7), [1, 0], "{strategy:?}");
    }
}

#[test]
fn preferred_capabilities_count_and_are_no_requirement() {
    let job = ready(|spec| spec.prefers.capabilities = words(&["browser", "sap"]));
    let with = |name, capabilities: &[&str]| Robot {
        capabilities: words(capabilities),
        ..holding(name, 0, 1)
    };
    let robots = [
        with("a", &[]),
        with("b", &["sap"]),
        with("c", &["browser", "sap"]),
        with("d", &["excel"]),
    ];
    assert_eq!(chosen(&vec![job; 4], &robots, Strategy::LeastLoaded, 0), [2, 1, 0, 3]);
}

#[test]
fn a_job_that_no_robot_fits_does_not_stop_those_behind_it() {
    let needy = ready(|spec| spec.requires.capabilities = words(&["sap"]));
    let (jobs, robots) = ([needy, ready(|_| ())], [holding("a", 0, 1)]);
    let matches = plan(&[&jobs[0], &jobs[1]], &[&robots[0]], |_| Strategy::LeastLoaded, 0);
    assert_eq!(matches, [Match { job: 1, robot: 0 }]);
}

#[test]
fn a_job_without_an_environment_goes_to_any_robot_and_one_with_one_only_there() {
    let anywhere = [ready(|_| ())];
    let in_prod = [ready(|spec| spec.requires.environment = Some(word("prod")))];
    let prod = [Robot {
        environment: Some(word("prod")),
        ..holding("a", 0, 1)
    }];
    let nowhere = [holding("b", 0, 1)];
    assert_eq!(chosen(&in_prod, &nowhere, Strategy::LeastLoaded, 0), [0; 0]);
    assert_eq!(chosen(&in_prod, &prod, Strategy::LeastLoaded, 0), [0]);
    assert_eq!(chosen(&anywhere, &prod, Strategy::LeastLoaded, 0), [0]);
    assert_eq!(chosen(&anywhere, &nowhere, Strategy::LeastLoaded, 0), [0]);
}

#[test]
fn a_robot_of_another_tenant_gets_nothing() {
    let stranger = Robot {
        tenant: domain::TenantName::parse("other").expect("a good name"),
        ..holding("a", 0, 1)
    };
    assert_eq!(chosen(&jobs(1), &[stranger], Strategy::LeastLoaded, 0), [0; 0]);
}
