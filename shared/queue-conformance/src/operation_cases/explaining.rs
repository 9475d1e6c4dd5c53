//! Explain: a live and exact answer to why a job is not running.

use domain::{
    JobId,
    explain::{Explanation, ObstacleCode},
    job::StateName,
};
use queue::{NewRobot, QueueChange, Submission};

use crate::kit::{Kit, new_robot, queue, secs, submission, words};

async fn explained(kit: &Kit, job: JobId) -> Explanation {
    kit.engine.explain(&kit.tenant, job).await.expect("the job is there")
}

async fn codes(kit: &Kit, job: JobId) -> Vec<ObstacleCode> {
    explained(kit, job)
        .await
        .reasons
        .iter()
        .map(|reason| reason.code)
        .collect()
}

pub async fn a_job_whose_time_has_not_come_says_when_it_does(kit: &Kit) {
    let run_at = Some(kit.now() + secs(60));
    let job = kit
        .submit(Submission {
            run_at,
            ..submission(|_| {})
        })
        .await;
    let told = explained(kit, job).await;
    assert_eq!(
        (told.state, told.reasons[0].code, told.reasons[0].until),
        (StateName::Scheduled, ObstacleCode::NotBefore, run_at)
    );
}

pub async fn a_paused_queue_is_named(kit: &Kit) {
    let job = kit.submit_plain().await;
    kit.robot(1).await;
    kit.set_queue(QueueChange {
        paused: Some(true),
        ..<_>::default()
    })
    .await;
    assert_eq!(codes(kit, job).await[0], ObstacleCode::QueuePaused);
    kit.set_queue(QueueChange {
        paused: Some(false),
        ..<_>::default()
    })
    .await;
    assert!(!codes(kit, job).await.contains(&ObstacleCode::QueuePaused));
}

pub async fn no_robot_online_means_none_that_serves_the_queue(kit: &Kit) {
    let job = kit.submit_plain().await;
    assert_eq!(codes(kit, job).await, [ObstacleCode::NoRobotOnline]);
    kit.robot_like(NewRobot {
        queues: vec![queue("other")],
        ..new_robot()
    })
    .await;
    assert_eq!(codes(kit, job).await, [ObstacleCode::NoRobotOnline]);
    let robot = kit.robot(1).await;
    assert_ne!(codes(kit, job).await, [ObstacleCode::NoRobotOnline]);
    kit.pass(secs(120));
    let told = explained(kit, job).await;
    assert_eq!(told.reasons[0].code, ObstacleCode::NoRobotOnline);
    assert_eq!(
        (&told.nearest_robots[0].id, told.nearest_robots[0].missing.as_slice()),
        (&robot.id, &["online".to_owned()][..])
    );
}

pub async fn what_no_robot_has_is_named(kit: &Kit) {
    let job = kit
        .submit_spec(|spec| spec.requires.capabilities = words(&["browser", "sap"]))
        .await;
    let near = kit
        .robot_like(NewRobot {
            capabilities: words(&["sap"]),
            ..new_robot()
        })
        .await;
    kit.robot(1).await;
    let told = explained(kit, job).await;
    assert_eq!(
        (told.reasons[0].code, told.reasons[0].missing.as_slice()),
        (ObstacleCode::NoCapableRobot, &["capability:browser".to_owned()][..])
    );
    assert_eq!(told.nearest_robots[0].id, near.id);
}

pub async fn busy_robots_are_told_from_missing_ones(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    robot.begin().await;
    let job = kit.submit_plain().await;
    assert_eq!(codes(kit, job).await, [ObstacleCode::AllRobotsBusy]);
    kit.engine
        .set_drain(&kit.tenant, &kit.robot(1).await.id, true)
        .await
        .unwrap();
    assert_eq!(
        codes(kit, job).await,
        [ObstacleCode::AllRobotsBusy],
        "one that drains takes nothing either"
    );
}

pub async fn a_job_that_waits_for_its_robot_says_so(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    assert_eq!(
        codes(kit, job).await,
        [ObstacleCode::WaitingForRobot],
        "it comes for it soon"
    );
    robot.take().await;
    let told = explained(kit, job).await;
    assert_eq!(
        (told.reasons[0].code, told.reasons[0].robot.as_ref()),
        (ObstacleCode::WaitingForRobot, Some(&robot.id))
    );
}

pub async fn a_running_and_a_finished_job_say_so(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert_eq!(codes(kit, job).await, [ObstacleCode::Running]);
    robot.succeed(&held).await;
    let told = explained(kit, job).await;
    assert_eq!(
        (told.state, told.reasons[0].code),
        (StateName::Succeeded, ObstacleCode::Finished)
    );
    assert!(told.nearest_robots.is_empty());
}
