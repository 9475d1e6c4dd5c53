//! The one hot call of a robot.

use std::sync::Arc;

use domain::job::{Progress, StateName};
use queue::{LeaseStatus, NewRobot, SyncAnswer, SyncRequest};
use queue_conformance::{
    kit::{Kit, TestRobot, new_robot, secs, submissions},
    points::{Onward, Points},
};

use super::fleet::SHORT_LEASE;
use crate::scenario::{Before, Scenario, through};

/// The chance of a server that is cut off in the middle.
const CUT_OFF_SEED: u64 = 9;

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = claims();
    all.extend(leases());
    all.extend(hand_overs());
    all
}

fn claims() -> Vec<Scenario> {
    vec![
        Scenario::new("sync", "that finds nothing")
            .after(async |kit| {
                kit.robot(1).await;
            })
            .calls(async |kit, before| send(kit, before, before.sync(1, &[])).await.map(|_| ())),
        Scenario::new("sync", "that claims two jobs")
            .after(async |kit| {
                kit.submit_many(submissions(2)).await;
                kit.robot(2).await;
            })
            .calls(async |kit, before| {
                send(kit, before, before.sync(2, &[])).await?;
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "that claims a job whose lease ends before the next sweep")
            .after(async |kit| {
                kit.set_queue(SHORT_LEASE).await;
                kit.submit_plain().await;
                kit.robot(1).await;
            })
            .calls(async |kit, before| {
                send(kit, before, before.sync(1, &[])).await?;
                Ok(())
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "that asks for what half a claim left")
            .after(half_a_claim)
            .calls(async |kit, before| {
                let answer = send(kit, before, before.sync(2, &[])).await?;
                assert!(answer.assign.len() <= 2);
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "again, after half a claim")
            .after(half_a_claim)
            .calls(async |kit, before| {
                let answer = send(kit, before, before.sync_again(2)).await?;
                assert_eq!(answer.assign.len(), 1, "what was leased, and nothing else");
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
    ]
}

fn leases() -> Vec<Scenario> {
    vec![
        Scenario::new("sync", "that begins a job")
            .after(async |kit| {
                kit.submit_plain().await;
                kit.robot(1).await.take().await;
            })
            .calls(async |kit, before| told(kit, before, before.sync(0, &[0]), LeaseStatus::Renewed).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "that renews two leases, with progress")
            .after(async |kit| {
                kit.submit_many(submissions(2)).await;
                let robot = kit.robot(2).await;
                let held = robot.ask(2).await;
                robot.sync(0, &[&held[0], &held[1]]).await;
                kit.pass(secs(15));
            })
            .calls(async |kit, before| {
                let mut request = before.sync(0, &[0, 1]);
                request.running[0].progress = Some(Progress {
                    percent: Some(40),
                    message: Some("page 3".to_owned()),
                });
                told(kit, before, request, LeaseStatus::Renewed).await
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "that hears of a cancel")
            .after(async |kit| {
                let job = kit.submit_plain().await;
                kit.robot(1).await.begin().await;
                kit.cancel(job).await.expect("the job can be cancelled");
            })
            .calls(async |kit, before| told(kit, before, before.sync(0, &[0]), LeaseStatus::Cancel).await)
            .jobs(1..=1)
            .first_ends(StateName::Cancelled),
        Scenario::new("sync", "that leaves out a job that was swept")
            .after(async |kit| {
                kit.submit_plain().await;
                let robot = kit.robot(1).await;
                robot.begin().await;
                kit.submit_plain().await;
                kit.pass_and_sweep(secs(61)).await;
            })
            .calls(async |kit, before| send(kit, before, before.sync(1, &[])).await.map(|_| ()))
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
    ]
}

fn hand_overs() -> Vec<Scenario> {
    vec![
        Scenario::new("sync", "that is handed what was reserved, and claims one more")
            .after(async |kit| {
                reserve_one(kit).await;
                kit.submit_plain().await;
            })
            .calls(async |kit, before| {
                send(kit, before, before.sync(2, &[])).await?;
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sync", "without room for what was reserved")
            .after(reserve_one)
            .calls(async |kit, before| {
                let answer = send(kit, before, before.sync(0, &[])).await?;
                assert!(answer.assign.is_empty());
                Ok(())
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
    ]
}

/// A robot's sync as the robot sends it.
async fn send(kit: &Kit, before: &Before, request: SyncRequest) -> Result<SyncAnswer, queue::Refusal> {
    kit.engine.sync(&kit.tenant, &before.robots[0].id, request).await
}

/// A sync that is told `status` of everything it lists, or, when the lease went in the meantime, that it is lost.
async fn told(kit: &Kit, before: &Before, request: SyncRequest, status: LeaseStatus) -> Result<(), queue::Refusal> {
    let answer = send(kit, before, request).await?;
    let is_right = |told: LeaseStatus| told == status || told == LeaseStatus::Lost;
    assert!(answer.leases.iter().all(|lease| is_right(lease.status)), "{answer:?}");
    Ok(())
}

/// A robot for whom a dispatch has reserved a job.
async fn reserve_one(kit: &Kit) {
    let robot = robot_of(kit, 2).await;
    assert!(robot.ask(2).await.is_empty());
    kit.submit_plain().await;
    kit.pass(secs(27));
    let done = kit.engine.dispatch().await.expect("the store answers");
    assert_eq!(done.assigned, 1);
}

async fn robot_of(kit: &Kit, max_jobs: u32) -> TestRobot {
    kit.robot_like(NewRobot {
        max_jobs,
        ..new_robot()
    })
    .await
}

/// Two jobs were to be claimed in one sync; the robot's record and the first job were written, and then nothing more.
async fn half_a_claim(kit: &Kit) {
    kit.submit_many(submissions(2)).await;
    let robot = robot_of(kit, 2).await;
    let points = Points::new(kit.engine.store().clone(), |point| {
        let is_first_job = point.after.as_deref() == Some("job ready→leased");
        if is_first_job { Onward::Stops } else { Onward::Goes }
    });
    let cut_off = through(kit, &Arc::new(points), CUT_OFF_SEED);
    let request = robot.request(2, &[]);
    let answer = cut_off.engine.sync(&kit.tenant, &robot.id, request).await;
    assert!(answer.is_err(), "nobody heard of it");
}
