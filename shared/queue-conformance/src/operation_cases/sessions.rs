//! Registration, sessions, drain and removal.

use domain::{
    job::{OnLost, Outcome, Reason, StateName},
    robot::{RobotState, SyncRejection},
};
use queue::{LeaseStatus, NewRobot, Refusal};

use crate::kit::{Held, Kit, client, new_robot, queue, secs, words};

pub async fn a_robot_is_kept_as_it_registered(kit: &Kit) {
    let new = NewRobot {
        name: "Büro 7".to_owned(),
        queues: vec![queue("a"), queue("b")],
        capabilities: words(&["browser"]),
        environment: Some("prod".parse().unwrap()),
        max_jobs: 7,
        version: Some("1.2".to_owned()),
        labels: [("floor".parse().unwrap(), "3".to_owned())].into(),
    };
    let id = kit.register(new.clone()).await;
    let robot = kit.engine.robot(&kit.tenant, &id).await.unwrap();
    assert_eq!(
        (&robot.name, &robot.queues, &robot.capabilities),
        (&new.name, &new.queues, &new.capabilities)
    );
    assert_eq!(
        (&robot.environment, robot.max_jobs, &robot.labels),
        (&new.environment, 7, &new.labels)
    );
    let listed = kit.engine.robots(&kit.tenant, None, 10).await.unwrap().items;
    assert_eq!(listed, std::slice::from_ref(&robot));
    let key = kit
        .engine
        .find_key(&robot.key)
        .await
        .unwrap()
        .expect("its key is there with it");
    assert_eq!((key.robot, key.tenant), (Some(id), kit.tenant.clone()));
}

pub async fn a_sync_without_a_session_is_refused(kit: &Kit) {
    let mut robot = kit.robot(1).await;
    robot.epoch = 0;
    let id = kit.register(new_robot()).await;
    let answer = kit.engine.sync(&kit.tenant, &id, robot.request(1, &[])).await;
    assert!(matches!(answer, Err(Refusal::Sync(SyncRejection::SessionSuperseded))));
}

pub async fn a_new_session_supersedes_the_older_one(kit: &Kit) {
    kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let old = robot.request(1, &[]);
    let epoch = robot.epoch;
    robot.open_session(&[]).await;
    assert!(robot.epoch > epoch);
    assert!(matches!(
        robot.send(old).await,
        Err(Refusal::Sync(SyncRejection::SessionSuperseded))
    ));
    assert_eq!(robot.ask(1).await.len(), 1);
}

pub async fn what_a_new_session_does_not_hold_is_lost_at_once(kit: &Kit) {
    let (kept, lost, unstarted) = (
        kit.submit_plain().await,
        kit.submit_plain().await,
        kit.submit_plain().await,
    );
    let mut robot = kit.robot(3).await;
    let given = robot.ask(3).await;
    let of = |job| given.iter().find(|held| held.job == job).unwrap();
    robot.sync(0, &[of(kept), of(lost)]).await;
    robot.open_session(&[of(kept)]).await;
    assert_eq!(kit.state(kept).await, StateName::Running);
    for job in [lost, unstarted] {
        assert_eq!(
            kit.standing(job).await,
            (StateName::Ready, Some(Reason::RobotRestarted))
        );
    }
    assert_eq!(
        kit.job(lost).await.job.attempts_left(),
        2,
        "what had begun burnt an attempt"
    );
    assert_eq!(kit.job(unstarted).await.job.attempts_left(), 3);
    assert_eq!(robot.renew(of(kept)).await, LeaseStatus::Renewed);
    assert_eq!(robot.renew(of(lost)).await, LeaseStatus::Lost);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_restart_can_end_a_job(kit: &Kit) {
    let fragile = kit.submit_spec(|spec| spec.on_lost = OnLost::Fail).await;
    let mut robot = kit.robot(1).await;
    robot.begin().await;
    robot.open_session(&[]).await;
    assert_eq!(
        kit.standing(fragile).await,
        (StateName::Failed, Some(Reason::RobotRestarted))
    );
    let once = kit.submit_spec(|spec| spec.retry.max_attempts = 1).await;
    robot.begin().await;
    robot.open_session(&[]).await;
    assert_eq!(
        kit.standing(once).await,
        (StateName::Failed, Some(Reason::RobotRestarted)),
        "never a second run"
    );
}

pub async fn a_job_that_kills_its_robots_ends_as_poison(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    for _ in 0..3 {
        robot.begin().await;
        robot.open_session(&[]).await;
    }
    assert_eq!(kit.standing(job).await, (StateName::Failed, Some(Reason::Poison)));
}

pub async fn holding_another_token_holds_nothing(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let mut held = robot.begin().await;
    held.fence.token = "lt_other".parse().unwrap();
    robot.open_session(&[&held]).await;
    assert_eq!(
        kit.standing(job).await,
        (StateName::Ready, Some(Reason::RobotRestarted))
    );
}

pub async fn a_draining_robot_finishes_and_gets_nothing_new(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(2).await;
    let held = robot.begin().await;
    kit.submit_plain().await;
    let drained = kit.engine.set_drain(&kit.tenant, &robot.id, true).await.unwrap();
    assert_eq!(drained.state(kit.now()), RobotState::Draining);
    let answer = robot.sync(1, &[&held]).await;
    assert!(answer.drain && answer.assign.is_empty());
    assert_eq!(answer.leases[0].status, LeaseStatus::Renewed);
    assert_eq!(kit.engine.dispatch().await.unwrap().assigned, 0);
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    assert_eq!(kit.state(job).await, StateName::Succeeded);
    kit.engine.set_drain(&kit.tenant, &robot.id, false).await.unwrap();
    let answer = robot.sync(1, &[]).await;
    assert!(!answer.drain && answer.assign.len() == 1);
}

pub async fn a_robot_that_says_it_drains_gives_back_what_was_reserved(kit: &Kit) {
    let robot = kit.robot(1).await;
    robot.ask(1).await;
    let job = kit.submit_plain().await;
    kit.pass(secs(30));
    assert_eq!(kit.engine.dispatch().await.unwrap().assigned, 1);
    assert_eq!(kit.state(job).await, StateName::Leased);
    let mut request = robot.request(1, &[]);
    request.mode = domain::robot::Mode::Draining;
    assert!(robot.send(request).await.unwrap().assign.is_empty());
    assert_eq!(kit.state(job).await, StateName::Ready);
    assert_eq!(kit.job(job).await.job.attempts.unstarted, 0, "and it burns nothing");
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_removed_robot_loses_its_jobs_and_its_key(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let key = kit.engine.robot(&kit.tenant, &robot.id).await.unwrap().key;
    kit.engine
        .remove_robot(&kit.tenant, &robot.id, &client())
        .await
        .unwrap();
    assert_eq!(kit.standing(job).await, (StateName::Ready, Some(Reason::LeaseLost)));
    assert!(kit.engine.find_key(&key).await.unwrap().is_none());
    assert!(matches!(
        kit.engine.robot(&kit.tenant, &robot.id).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(
        robot.send(robot.request(1, &[&held])).await,
        Err(Refusal::NotFound)
    ));
    let again = kit.engine.remove_robot(&kit.tenant, &robot.id, &client()).await;
    assert!(matches!(again, Err(Refusal::NotFound)));
    assert_eq!(
        robot.finish(&held, Outcome::Succeeded, None).await.unwrap().state,
        StateName::Succeeded,
        "nobody overtook it"
    );
}

pub async fn a_robot_is_offline_after_two_minutes_of_silence(kit: &Kit) {
    let robot = kit.robot(1).await;
    let state = async || kit.engine.robot(&kit.tenant, &robot.id).await.unwrap().state(kit.now());
    assert_eq!(state().await, RobotState::Idle);
    kit.pass(secs(119));
    assert_eq!(state().await, RobotState::Idle);
    kit.pass(secs(1));
    assert_eq!(state().await, RobotState::Offline);
    assert_eq!(kit.engine.robots_online().await.unwrap(), 0);
    robot.sync(1, &[]).await;
    assert_eq!(state().await, RobotState::Idle);
    assert_eq!(kit.engine.robots_online().await.unwrap(), 1);
}

pub async fn robots_come_in_pages(kit: &Kit) {
    let mut registered = Vec::new();
    for _ in 0..5 {
        registered.push(kit.register(new_robot()).await);
        kit.pass(secs(1));
    }
    registered.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = kit.engine.robots(&kit.tenant, after, 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|robot| robot.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, registered, "newest first");
}

pub async fn a_lease_listed_as_held_survives_any_number_of_sessions(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let held: Held = robot.begin().await;
    for _ in 0..5 {
        robot.open_session(&[&held]).await;
        kit.pass(secs(20));
        assert_eq!(robot.renew(&held).await, LeaseStatus::Renewed);
        kit.sweep().await;
    }
    assert_eq!(kit.state(job).await, StateName::Running);
}
