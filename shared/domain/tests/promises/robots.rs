//! A robot's order of syncs, its free slots, its state, and what it lacks.

use domain::{
    QueueName, Robot,
    job::Requires,
    robot::{Mode, OFFLINE_AFTER, RECENT_MAX, RobotState, SyncRejection, Turn},
};

use crate::{
    fleet::{queue_name, ready, reservation, robot, robot_id, word, words, workflow},
    story::{Story, at},
};

#[test]
fn the_sequence_rises_from_any_start_with_gaps_and_the_same_again_is_known() {
    let fresh = robot("a", |robot| robot.seq = None);
    assert_eq!(fresh.turn(1, 0), Ok(Turn::New));
    assert_eq!(fresh.turn(1, 41), Ok(Turn::New));
    let at_41 = Robot { seq: Some(41), ..fresh };
    assert_eq!(at_41.turn(1, 41), Ok(Turn::Again));
    assert_eq!(at_41.turn(1, 42), Ok(Turn::New));
    assert_eq!(at_41.turn(1, 99), Ok(Turn::New));
    assert_eq!(at_41.turn(1, 40), Err(SyncRejection::StaleSequence));
}

#[test]
fn another_session_is_superseded_and_none_is_no_session() {
    let robot = robot("a", |robot| (robot.epoch, robot.seq) = (7, Some(5)));
    assert_eq!(robot.turn(6, 6), Err(SyncRejection::SessionSuperseded));
    assert_eq!(robot.turn(8, 6), Err(SyncRejection::SessionSuperseded));
    let unborn = Robot {
        epoch: 0,
        seq: None,
        ..robot
    };
    assert_eq!(unborn.turn(0, 1), Err(SyncRejection::SessionSuperseded));
}

#[test]
fn a_new_session_begins_its_own_order_and_keeps_what_is_held() {
    let old = robot("a", |robot| {
        (robot.epoch, robot.seq, robot.mode) = (3, Some(40), Mode::Draining);
        robot.holds = vec![reservation(true)];
        robot.answered = vec![reservation(true)];
    });
    let new = old.with_new_session(at(9));
    assert_eq!((new.epoch, new.seq, new.mode, new.free_slots), (4, None, Mode::Idle, 0));
    assert_eq!(
        (new.seen_at, &new.holds, new.answered.len()),
        (Some(at(9)), &old.holds, 0)
    );
    assert_eq!(new.turn(3, 41), Err(SyncRejection::SessionSuperseded));
    assert_eq!(new.turn(4, 1), Ok(Turn::New));
}

#[test]
fn a_robot_is_never_given_more_than_it_said_or_than_its_limit_leaves() {
    let free = |max_jobs, free_slots, known: usize, unknown: usize| {
        let holds = [vec![reservation(true); known], vec![reservation(false); unknown]].concat();
        robot("a", |robot| {
            (robot.max_jobs, robot.free_slots, robot.holds) = (max_jobs, free_slots, holds);
        })
        .free()
    };
    assert_eq!(free(3, 3, 0, 0), 3);
    assert_eq!(free(3, 1, 0, 0), 1, "what it said");
    assert_eq!(free(3, 9, 1, 0), 2, "its limit");
    assert_eq!(
        free(3, 2, 1, 1),
        1,
        "a job it does not know of yet fills a slot that it thinks free"
    );
    assert_eq!(free(4, 1, 0, 1), 0);
    assert_eq!(free(1, 1, 3, 3), 0, "nothing goes below zero");
    assert_eq!(free(0, 5, 0, 0), 0);
}

#[test]
fn a_draining_robot_gets_nothing() {
    let by_operator = robot("a", |robot| robot.drain = true);
    let by_itself = robot("a", |robot| robot.mode = Mode::Draining);
    for draining in [by_operator, by_itself] {
        assert_eq!(
            (draining.free(), draining.takes_jobs(), draining.could_take()),
            (0, false, false)
        );
    }
}

#[test]
fn a_robot_could_take_a_job_while_it_has_a_slot_or_has_not_said() {
    assert!(robot("a", |_| ()).could_take());
    assert!(robot("a", |robot| (robot.seq, robot.free_slots) = (None, 0)).could_take());
    assert!(!robot("a", |robot| robot.free_slots = 0).could_take());
    assert!(!robot("a", |robot| robot.holds = vec![reservation(true)]).could_take());
}

#[test]
fn people_see_one_state_the_weightiest() {
    let state = |change: fn(&mut Robot), seconds| robot("a", change).state(at(seconds));
    assert_eq!(state(|_| (), 1), RobotState::Idle);
    assert_eq!(state(|robot| robot.mode = Mode::Busy, 1), RobotState::Busy);
    assert_eq!(
        state(|robot| robot.holds = vec![reservation(false)], 1),
        RobotState::Busy
    );
    assert_eq!(
        state(|robot| (robot.mode, robot.drain) = (Mode::Busy, true), 1),
        RobotState::Draining
    );
    assert_eq!(state(|robot| robot.mode = Mode::Draining, 1), RobotState::Draining);
    assert_eq!(state(|robot| robot.drain = true, 500), RobotState::Offline);
}

#[test]
fn a_robot_is_offline_after_two_minutes_of_silence_or_when_it_was_never_heard_of() {
    let robot = robot("a", |_| ());
    assert_eq!(OFFLINE_AFTER.as_secs(), 120);
    assert!(robot.is_online(at(119)));
    assert!(!robot.is_online(at(120)));
    let silent = Robot { seen_at: None, ..robot };
    assert!(!silent.is_online(at(0)));
}

#[test]
fn what_a_robot_lacks_is_named_and_nothing_is_lacking_exactly_when_it_fits() {
    let requires = Requires {
        capabilities: words(&["browser", "sap"]),
        environment: Some(word("prod")),
        robot: Some(robot_id("b")),
    };
    let queue = queue_name("finance");
    let bare = robot("a", |robot| robot.capabilities = words(&["sap", "excel"]));
    let missing = ["robot:rob_b", "queue:finance", "environment:prod", "capability:browser"];
    assert_eq!(bare.missing(&queue, &requires), missing);
    assert!(!bare.fits(&queue, &requires));

    let fit = robot("b", |robot| {
        robot.queues.push(queue.clone());
        robot.capabilities = words(&["sap", "browser", "excel"]);
        robot.environment = Some(word("prod"));
    });
    assert_eq!(fit.missing(&queue, &requires), [""; 0]);
    assert!(fit.fits(&queue, &requires));
    assert!(
        fit.fits(&QueueName::default_queue(), &Requires::default()),
        "an environment is no obstacle"
    );
}

#[test]
fn a_robot_that_lacks_one_thing_does_not_fit() {
    let queue = QueueName::default_queue();
    let able = robot("a", |robot| {
        (robot.capabilities, robot.environment) = (words(&["sap"]), Some(word("prod")));
    });
    let each = [
        Requires {
            capabilities: words(&["browser"]),
            ..Requires::default()
        },
        Requires {
            environment: Some(word("test")),
            ..Requires::default()
        },
        Requires {
            robot: Some(robot_id("b")),
            ..Requires::default()
        },
    ];
    for requires in each {
        assert_eq!(
            (able.missing(&queue, &requires).len(), able.fits(&queue, &requires)),
            (1, false),
            "{requires:?}"
        );
    }
    assert!(!able.fits(&queue_name("other"), &Requires::default()));
}

#[test]
fn a_reserved_job_takes_a_slot_and_is_remembered_by_its_workflow() {
    let mut robot = robot("a", |robot| robot.max_jobs = 20);
    let mut story = Story {
        job: ready(|spec| spec.workflow = workflow("export")),
        now: at(5),
    };
    robot.reserve(&story.job, at(5));
    assert_eq!(robot.holds.len(), 0, "nobody has claimed it");
    let fence = story.claim();
    robot.reserve(&story.job, at(5));
    let [held] = &robot.holds[..] else {
        panic!("one is held")
    };
    assert_eq!(
        (held.attempt, &held.token, held.handed_over),
        (fence.attempt, &fence.token, false)
    );
    assert_eq!((robot.assigned_at, robot.free()), (Some(at(5)), 19));
}

#[test]
fn a_robot_remembers_its_latest_workflows_once_each() {
    let mut robot = robot("a", |robot| robot.max_jobs = 20);
    for name in ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w5"] {
        let mut story = Story {
            job: ready(|spec| spec.workflow = workflow(name)),
            now: at(5),
        };
        story.claim();
        robot.reserve(&story.job, at(5));
    }
    let recent: Vec<&str> = robot.recent.iter().map(domain::WorkflowName::as_str).collect();
    assert_eq!(recent, ["w5", "w9", "w8", "w7", "w6", "w4", "w3", "w2"]);
    assert_eq!(recent.len(), RECENT_MAX);
}
