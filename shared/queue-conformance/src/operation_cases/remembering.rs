//! What one process remembers of a robot and its jobs gives way to what another one wrote since.

use domain::{
    Rejection,
    job::{ErrorKind, Outcome, StateName},
    robot::SyncRejection,
};
use queue::{Refusal, Settings};

use crate::kit::{Held, Kit, LEASE, client, failed, secs, submissions};

fn other(kit: &Kit) -> Kit {
    kit.beside(500, Settings::default())
}

pub async fn a_robot_that_another_process_drains_gets_nothing(kit: &Kit) {
    kit.submit_many(submissions(2)).await;
    let robot = kit.robot(2).await;
    let held = robot.take().await;
    let drained = other(kit).engine.set_drain(&kit.tenant, &robot.id, true).await;
    assert!(drained.unwrap().drain);
    let answer = robot.sync(1, &[&held]).await;
    assert!(answer.drain && answer.assign.is_empty());
}

pub async fn a_session_that_another_process_opened_supersedes_the_older_one(kit: &Kit) {
    let robot = kit.robot(1).await;
    robot.sync(0, &[]).await;
    let opened = other(kit).engine.open_session(&kit.tenant, &robot.id, &[]).await;
    assert!(opened.unwrap() > robot.epoch);
    let answer = robot.send(robot.request(1, &[])).await;
    assert!(matches!(answer, Err(Refusal::Sync(SyncRejection::SessionSuperseded))));
}

pub async fn a_session_that_was_superseded_elsewhere_writes_no_job(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let holding = [(held.job, held.fence.clone())];
    let opened = other(kit).engine.open_session(&kit.tenant, &robot.id, &holding).await;
    assert!(opened.unwrap() > robot.epoch);
    let before = kit.job(held.job).await.version;
    kit.pass(secs(1));
    let answer = robot.send(robot.request(0, &[&held])).await;
    assert!(matches!(answer, Err(Refusal::Sync(SyncRejection::SessionSuperseded))));
    assert_eq!(kit.job(held.job).await.version, before);
}

pub async fn a_sync_that_another_process_answered_is_not_answered_anew(kit: &Kit) {
    kit.submit_many(submissions(3)).await;
    let robot = kit.robot(3).await;
    robot.sync(0, &[]).await;
    let (old, request) = (robot.request(1, &[]), robot.request(1, &[]));
    let there = other(kit)
        .engine
        .sync(&kit.tenant, &robot.id, request.clone())
        .await
        .unwrap();
    assert_eq!(robot.send(request).await.unwrap(), there);
    assert!(matches!(
        robot.send(old).await,
        Err(Refusal::Sync(SyncRejection::StaleSequence))
    ));
}

pub async fn a_robot_that_another_process_removed_is_not_found(kit: &Kit) {
    let robot = kit.robot(1).await;
    robot.sync(0, &[]).await;
    other(kit)
        .engine
        .remove_robot(&kit.tenant, &robot.id, &client())
        .await
        .unwrap();
    assert!(matches!(
        robot.send(robot.request(1, &[])).await,
        Err(Refusal::NotFound)
    ));
}

pub async fn a_report_meets_the_job_as_another_process_left_it(kit: &Kit) {
    kit.submit_many(submissions(3)).await;
    let robot = kit.robot(3).await;
    let (other, held) = (other(kit), robot.ask(3).await);
    let [cancelled, reported, renewed] = held.as_slice() else {
        panic!("three jobs were given")
    };
    other.cancel(cancelled.job).await.unwrap();
    let late = robot.finish(cancelled, Outcome::Succeeded, None).await;
    assert!(matches!(late, Err(Refusal::Job(Rejection::LeaseLost))), "{late:?}");

    let report = crate::kit::report(reported, Outcome::Succeeded, None);
    let there = other
        .engine
        .finish(&kit.tenant, &robot.id, reported.job, report)
        .await
        .unwrap();
    assert!(!there.repeated);
    let here = robot.finish(reported, Outcome::Succeeded, None).await.unwrap();
    assert_eq!((here.state, here.repeated), (StateName::Succeeded, true));

    let request = robot.request(0, &[renewed]);
    other.engine.sync(&kit.tenant, &robot.id, request).await.unwrap();
    assert_eq!(robot.succeed(renewed).await, StateName::Succeeded);
    assert_eq!(kit.job(renewed.job).await.job.attempts.started, 1);
}

pub async fn a_lease_that_another_process_ended_is_not_finished(kit: &Kit) {
    kit.submit_plain().await;
    let (robot, second) = (kit.robot(1).await, kit.robot(1).await);
    let held = robot.begin().await;
    kit.pass(LEASE + secs(1));
    other(kit).sweep().await;
    let again = second.take().await;
    let late = robot.finish(&held, failed(ErrorKind::Application), None).await;
    assert!(matches!(late, Err(Refusal::Job(Rejection::LeaseLost))), "{late:?}");
    assert_eq!(second.succeed(&again).await, StateName::Succeeded);
}

pub async fn a_lease_that_another_process_gave_is_finished(kit: &Kit) {
    kit.submit_plain().await;
    let (robot, other) = (kit.robot(1).await, other(kit));
    robot.begin().await;
    kit.pass(LEASE + secs(1));
    other.sweep().await;
    let request = robot.request(1, &[]);
    let there = other.engine.sync(&kit.tenant, &robot.id, request).await.unwrap();
    let second = Held::from(&there.assign[0]);
    assert_eq!(second.fence.attempt, 2);
    assert_eq!(robot.succeed(&second).await, StateName::Succeeded);
}

pub async fn the_slots_of_jobs_that_are_over_are_free_again(kit: &Kit) {
    kit.submit_many(submissions(7)).await;
    let robot = kit.robot(2).await;
    let mut held = robot.ask(2).await;
    for _ in 0..5 {
        let over = held.remove(0);
        robot.succeed(&over).await;
        let answer = robot.sync(2, &[&held[0]]).await;
        assert_eq!(answer.assign.len(), 1, "one of its two slots is free");
        held.extend(answer.assign.iter().map(Into::into));
        let kept = kit.engine.robot(&kit.tenant, &robot.id).await.unwrap();
        assert_eq!(kept.holds.len(), 2);
    }
}
