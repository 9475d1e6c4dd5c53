//! What robots report of their attempts, and what they write beside them.

use domain::job::{ErrorKind, Outcome, StateName};
use queue::{Answered, Refusal};
use queue_conformance::kit::{Kit, TestRobot, failed, report, secs, submission, submissions};

use crate::scenario::{Before, Scenario};

/// What a failure that is tried again gives: a wait, or none when the lease had run out before.
const TRIED_AGAIN: &[StateName] = &[StateName::Scheduled, StateName::Ready];

/// How many attempts fail before the one that makes the history longer than a record holds: each leaves four steps.
const FAILURES: u32 = 7;

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = finishes();
    all.extend(releases_and_notes());
    all
}

fn finishes() -> Vec<Scenario> {
    let ends = |case, told: &'static [StateName], outcome: fn() -> Outcome| {
        Scenario::new("finish", case)
            .after(running)
            .calls(async move |kit, before| finishes_as(kit, before, outcome(), told).await)
            .jobs(1..=1)
    };
    vec![
        ends("with a result", &[StateName::Succeeded], || Outcome::Succeeded).first_ends(StateName::Succeeded),
        ends("with an error that is tried again", TRIED_AGAIN, || {
            failed(ErrorKind::Application)
        })
        .first_ends(StateName::Succeeded),
        ends("with an error that is final", &[StateName::Failed], || {
            failed(ErrorKind::Business)
        })
        .first_ends(StateName::Failed),
        ends("as cancelled by the robot", &[StateName::Cancelled], || {
            Outcome::Cancelled
        })
        .first_ends(StateName::Cancelled),
        Scenario::new("finish", "late, after the sweep took the job back")
            .after(async |kit| {
                running(kit).await;
                kit.pass_and_sweep(secs(61)).await;
            })
            .calls(async |kit, before| finishes_as(kit, before, Outcome::Succeeded, &[StateName::Succeeded]).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("finish", "of a job with a long history")
            .after(long_history)
            .calls(async |kit, before| finishes_as(kit, before, failed(ErrorKind::Application), TRIED_AGAIN).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("finish_many", "of two jobs, one of which is tried again")
            .after(async |kit| {
                kit.submit_many(submissions(2)).await;
                let robot = kit.robot(2).await;
                let held = robot.ask(2).await;
                robot.sync(0, &[&held[0], &held[1]]).await;
            })
            .calls(async |kit, before| {
                let good = report(&before.held(0), Outcome::Succeeded, Some("1"));
                let bad = report(&before.held(1), failed(ErrorKind::Application), None);
                let reports = vec![(before.jobs[0].id, good), (before.jobs[1].id, bad)];
                let robot = &before.robots[0].id;
                for answer in kit.engine.finish_many(&kit.tenant, robot, reports).await? {
                    answer?;
                }
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
    ]
}

/// A job that a robot has begun.
async fn running(kit: &Kit) {
    kit.submit_plain().await;
    kit.robot(1).await.begin().await;
}

/// A job whose record holds as much history as it may, and that runs.
async fn long_history(kit: &Kit) {
    let long = queue::Submission {
        run_at: Some(kit.now() + secs(10)),
        ..submission(|spec| {
            spec.retry.max_attempts = 100;
            spec.retry.multiplier = 1.0;
        })
    };
    kit.submit(long).await;
    let robot: TestRobot = kit.robot(1).await;
    for _ in 0..FAILURES {
        kit.pass_and_sweep(secs(10)).await;
        let held = robot.begin().await;
        robot.fail(&held).await;
    }
    kit.pass_and_sweep(secs(10)).await;
    robot.begin().await;
}

/// The first job's latest attempt ends so, and a report of it gives one of `told`.
async fn finishes_as(kit: &Kit, before: &Before, outcome: Outcome, told: &[StateName]) -> Result<(), Refusal> {
    let result = (outcome == Outcome::Succeeded).then_some("{\"pages\":3}");
    let held = before.held(0);
    let report = report(&held, outcome, result);
    let robot = &before.robots[0].id;
    let Answered { state, .. } = kit.engine.finish(&kit.tenant, robot, held.job, report).await?;
    assert!(told.contains(&state), "it is {state}, not {told:?}");
    Ok(())
}

fn releases_and_notes() -> Vec<Scenario> {
    vec![
        Scenario::new("release", "of a leased job")
            .after(async |kit| {
                kit.submit_plain().await;
                kit.robot(1).await.take().await;
            })
            .calls(async |kit, before| {
                let (robot, held) = (&before.robots[0].id, before.held(0));
                kit.engine.release(&kit.tenant, robot, held.job, held.fence).await?;
                Ok(())
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("append_log", "the second chunk")
            .after(async |kit| {
                kit.submit_plain().await;
                let robot = kit.robot(1).await;
                let held = robot.begin().await;
                robot.log(&held, 0, "opened the page\n").await.expect("it is taken");
            })
            .calls(async |kit, before| {
                let (robot, held) = (&before.robots[0].id, before.held(0));
                let chunk = b"clicked\n".to_vec();
                kit.engine
                    .append_log(&kit.tenant, robot, held.job, held.fence, 1, chunk)
                    .await?;
                let length = kit.engine.log_length(&kit.tenant, held.job, Some(1)).await?;
                assert_eq!(length, (1, 2));
                Ok(())
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("put_checkpoint", "over an earlier one")
            .after(async |kit| {
                kit.submit_plain().await;
                let robot = kit.robot(1).await;
                let held = robot.begin().await;
                robot.checkpoint(&held, "page", "1").await.expect("it is taken");
            })
            .calls(async |kit, before| {
                let (robot, held) = (&before.robots[0].id, before.held(0));
                let name = "page".parse().expect("a good name");
                kit.engine
                    .put_checkpoint(&kit.tenant, robot, held.job, held.fence, name, "2".to_owned())
                    .await
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
    ]
}
