//! The sweep, over everything that can be due.

use std::time::Duration;

use domain::job::{OnConflict, OnLost, StateName};
use queue::Submission;
use queue_conformance::kit::{Kit, secs, submission, submissions};

use super::{deduped, keyed, stored};
use crate::scenario::Scenario;

/// Longer than a job is kept once it is over.
const RETENTION: Duration = Duration::from_hours(31 * 24);

/// Longer than a dedup key is left alone.
const DEDUP_LOOK: Duration = Duration::from_hours(25);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("sweep", "of leases that ended, begun and not begun")
            .after(async |kit| {
                kit.submit_many(submissions(2)).await;
                let robot = kit.robot(2).await;
                let held = robot.ask(2).await;
                robot.renew(&held[0]).await;
                kit.pass(secs(61));
            })
            .calls(sweep)
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sweep", "of a job that is not to run twice")
            .after(async |kit| {
                kit.submit_spec(|spec| spec.on_lost = OnLost::Fail).await;
                kit.robot(1).await.begin().await;
                kit.pass(secs(61));
            })
            .calls(sweep)
            .jobs(1..=1)
            .first_ends(StateName::Failed),
        Scenario::new("sweep", "of a cancel that no robot heard")
            .after(async |kit| {
                let job = kit.submit_plain().await;
                kit.robot(1).await.begin().await;
                kit.cancel(job).await.expect("the job can be cancelled");
                kit.pass(secs(61));
            })
            .calls(sweep)
            .jobs(1..=1)
            .first_ends(StateName::Cancelled),
        Scenario::new(
            "sweep",
            "of a deadline, a queue timeout, a run timeout, a retry and a schedule",
        )
        .after(many_timers)
        .calls(sweep)
        .jobs(5..=5)
        .first_ends(StateName::TimedOut),
        Scenario::new("sweep", "of a lease that was renewed since")
            .after(async |kit| {
                kit.submit_plain().await;
                let robot = kit.robot(1).await;
                let held = robot.begin().await;
                kit.pass(secs(50));
                robot.renew(&held).await;
                kit.pass(secs(11));
            })
            .calls(sweep)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("sweep", "of two dedup keys, one of which is still held")
            .after(async |kit| {
                kit.submit(deduped(submission(|_| {}), OnConflict::Reject)).await;
                let robot = kit.robot(1).await;
                let held = robot.begin().await;
                robot.succeed(&held).await;
                let mut other = deduped(submission(|_| {}), OnConflict::Reject);
                if let Some(dedup) = &mut other.spec.dedup {
                    dedup.key.push('b');
                }
                kit.submit(other).await;
                kit.pass(DEDUP_LOOK);
            })
            .calls(sweep)
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("sweep", "of what was kept long enough")
            .after(async |kit| {
                kit.submit_many(vec![keyed("a"), keyed("b")]).await;
                let robot = kit.robot(2).await;
                for held in robot.ask(2).await {
                    robot.succeed(&held).await;
                }
                kit.pass(RETENTION);
            })
            .calls(sweep)
            .jobs(0..=2)
            .purges(),
    ]
}

async fn sweep(kit: &Kit, _: &crate::scenario::Before) -> Result<(), queue::Refusal> {
    stored(kit.engine.sweep().await)?;
    Ok(())
}

/// Five jobs, each with another timer that is due.
async fn many_timers(kit: &Kit) {
    let at = kit.now() + secs(20);
    kit.submit_spec(|spec| {
        spec.timeouts.run_seconds = 20;
        spec.retry.max_attempts = 1;
    })
    .await;
    kit.submit_plain().await;
    let robot = kit.robot(2).await;
    let held = robot.ask(2).await;
    robot.sync(0, &[&held[0], &held[1]]).await;
    robot.fail(&held[1]).await;
    kit.submit_spec(|spec| spec.deadline = Some(at)).await;
    kit.submit_spec(|spec| spec.timeouts.queue_seconds = Some(20)).await;
    let later = Submission {
        run_at: Some(at),
        ..submission(|_| {})
    };
    kit.submit(later).await;
    kit.pass(secs(21));
}
