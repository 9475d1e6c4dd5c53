//! Why a job is where it is: one case a code, and who is nearest.

use domain::{
    Job, Queue, Robot,
    explain::{Explanation, NEAREST_MAX, Obstacle, ObstacleCode, explain},
};

use crate::{
    fleet::{queue, queue_name, ready, reservation, robot, robot_id, word, words},
    story::{Story, at, job, spec, succeeded},
};

fn why(job: &Job, robots: &[Robot]) -> Explanation {
    explain(job, Some(&queue(|_| ())), robots, at(1))
}

/// The one reason there is.
fn only(explanation: Explanation) -> Obstacle {
    let mut reasons = explanation.reasons;
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.remove(0)
}

fn codes(explanation: &Explanation) -> Vec<ObstacleCode> {
    explanation.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn not_before_its_time() {
    let reason = only(why(&job(spec(), Some(at(600))), &[robot("a", |_| ())]));
    assert_eq!((reason.code, reason.until), (ObstacleCode::NotBefore, Some(at(600))));
    assert!(reason.message.contains(&at(600).to_string()), "{}", reason.message);
}

#[test]
fn a_paused_queue_holds_back_what_waits_and_nothing_else() {
    let paused = queue(|queue| queue.paused = true);
    let why = |job: &Job| codes(&explain(job, Some(&paused), &[robot("a", |_| ())], at(1)));
    assert_eq!(
        why(&ready(|_| ())),
        [ObstacleCode::QueuePaused, ObstacleCode::WaitingForRobot]
    );
    assert_eq!(
        why(&job(spec(), Some(at(600)))),
        [ObstacleCode::NotBefore, ObstacleCode::QueuePaused]
    );
    let mut held = Story::of_attempts(1);
    held.start();
    assert_eq!(why(&held.job), [ObstacleCode::Running]);
}

#[test]
fn a_queue_without_settings_does_not_hold_anything_back() {
    let none: Option<&Queue> = None;
    let explanation = explain(&ready(|_| ()), none, &[robot("a", |_| ())], at(1));
    assert_eq!(codes(&explanation), [ObstacleCode::WaitingForRobot]);
}

#[test]
fn no_robot_online_that_serves_its_queue() {
    let elsewhere = robot("a", |robot| robot.queues = vec![queue_name("other")]);
    let silent = robot("b", |robot| robot.seen_at = None);
    for robots in [vec![], vec![elsewhere], vec![silent]] {
        assert_eq!(
            only(why(&ready(|_| ()), &robots)).code,
            ObstacleCode::NoRobotOnline,
            "{robots:?}"
        );
    }
}

#[test]
fn no_capable_robot_and_what_the_nearest_lacks() {
    let job = ready(|spec| {
        spec.requires.capabilities = words(&["browser", "sap"]);
        spec.requires.environment = Some(word("prod"));
    });
    let far = robot("a", |_| ());
    let near = robot("b", |robot| {
        (robot.capabilities, robot.environment) = (words(&["sap"]), Some(word("prod")));
    });
    let silent = robot("c", |robot| {
        (robot.capabilities, robot.environment) = (words(&["sap", "browser"]), Some(word("prod")));
        robot.seen_at = None;
    });
    let explanation = why(&job, &[far, near, silent]);
    let nearest: Vec<_> = explanation
        .nearest_robots
        .iter()
        .map(|near| (near.id.as_str(), &near.missing[..]))
        .collect();
    assert_eq!(nearest[0], ("rob_b", &["capability:browser".to_owned()][..]));
    assert_eq!(nearest[1], ("rob_c", &["online".to_owned()][..]));
    assert_eq!((nearest[2].0, nearest[2].1.len()), ("rob_a", 3));
    let reason = only(explanation);
    assert_eq!(
        (reason.code, reason.missing),
        (ObstacleCode::NoCapableRobot, vec!["capability:browser".to_owned()])
    );
}

#[test]
fn the_one_robot_it_requires_is_not_online() {
    let job = ready(|spec| spec.requires.robot = Some(robot_id("b")));
    let reason = only(why(&job, &[robot("a", |_| ())]));
    assert_eq!(
        (reason.code, reason.missing),
        (ObstacleCode::NoCapableRobot, vec!["robot:rob_b".to_owned()])
    );
}

#[test]
fn all_robots_that_could_run_it_are_busy_or_draining() {
    let full = robot("a", |robot| robot.holds = vec![reservation(true)]);
    let draining = robot("b", |robot| robot.drain = true);
    let reason = only(why(&ready(|_| ()), &[full, draining]));
    assert_eq!(reason.code, ObstacleCode::AllRobotsBusy);
    assert!(reason.message.contains('2'), "{}", reason.message);
}

#[test]
fn a_robot_will_get_it_when_it_next_asks() {
    let free = robot("b", |robot| robot.next_sync_at = Some(at(30)));
    let full = robot("a", |robot| robot.holds = vec![reservation(true)]);
    let reason = only(why(&ready(|_| ()), &[full, free]));
    assert_eq!(
        (reason.code, reason.until),
        (ObstacleCode::WaitingForRobot, Some(at(30)))
    );
    assert_eq!(reason.robot, Some(robot_id("b")));
}

#[test]
fn a_leased_job_waits_for_its_robot_to_begin() {
    let mut story = Story::of_attempts(1);
    story.claim();
    let reason = only(why(&story.job, &[]));
    assert_eq!(
        (reason.code, reason.until),
        (ObstacleCode::WaitingForRobot, Some(at(60)))
    );
    assert_eq!(reason.robot, Some(crate::story::robot()));
}

#[test]
fn a_running_job_names_its_robot() {
    let mut story = Story::of_attempts(1);
    story.start();
    let reason = only(why(&story.job, &[]));
    assert_eq!(
        (reason.code, reason.robot),
        (ObstacleCode::Running, Some(crate::story::robot()))
    );
}

#[test]
fn a_finished_job_has_nothing_to_wait_for() {
    let mut story = Story::of_attempts(1);
    let fence = story.start();
    story.finish(&fence, succeeded()).expect("held");
    let explanation = why(&story.job, &[robot("a", |_| ())]);
    assert_eq!(explanation.nearest_robots, []);
    assert_eq!(only(explanation).code, ObstacleCode::Finished);
}

#[test]
fn only_so_many_robots_are_named() {
    let robots: Vec<Robot> = (0..20).map(|number| robot(&format!("r{number}"), |_| ())).collect();
    assert_eq!(why(&ready(|_| ()), &robots).nearest_robots.len(), NEAREST_MAX);
}

#[test]
fn the_codes_are_the_words_of_the_contract() {
    use ObstacleCode::{
        AllRobotsBusy, Finished, NoCapableRobot, NoRobotOnline, NotBefore, QueuePaused, Running, WaitingForRobot,
    };
    let codes = [
        (NotBefore, "not_before"),
        (QueuePaused, "queue_paused"),
        (NoRobotOnline, "no_robot_online"),
        (NoCapableRobot, "no_capable_robot"),
        (AllRobotsBusy, "all_robots_busy"),
        (WaitingForRobot, "waiting_for_robot"),
        (Running, "running"),
        (Finished, "finished"),
    ];
    for (code, word) in codes {
        assert_eq!(serde_json::to_value(code).expect("a word"), word);
    }
}
