//! What clients do: submit, cancel, try again.

use domain::{
    Rejection,
    job::{ErrorKind, OnConflict, Settlement, StateName},
};
use queue::{JobFilter, Refusal, Submission};
use queue_conformance::kit::{Kit, client, failed, secs, submission, submissions};

use super::{deduped, furnish, keyed, or_done, submit};
use crate::scenario::Scenario;

pub(super) fn submits() -> Vec<Scenario> {
    vec![
        Scenario::new("submit", "the first of its tenant and queue")
            .calls(async |kit, _| {
                let plain = Submission {
                    payload: Some("7".to_owned()),
                    ..submission(|_| {})
                };
                submit(kit, vec![plain]).await
            })
            .jobs(1..=2),
        Scenario::new("submit", "with an idempotency key")
            .after(furnish)
            .calls(async |kit, _| submit(kit, vec![keyed("a")]).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("submit", "for later")
            .after(furnish)
            .calls(async |kit, _| {
                let later = Submission {
                    run_at: Some(kit.now() + secs(20)),
                    ..keyed("a")
                };
                submit(kit, vec![later]).await
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("submit", "with a dedup key that nobody holds")
            .after(furnish)
            .calls(async |kit, _| submit(kit, vec![deduped(submission(|_| {}), OnConflict::Return)]).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("submit", "in the place of the job that holds the dedup key")
            .after(async |kit| {
                kit.submit(deduped(submission(|_| {}), OnConflict::Reject)).await;
                kit.pass(secs(1));
            })
            .calls(async |kit, _| submit(kit, vec![deduped(keyed("a"), OnConflict::Replace)]).await)
            .jobs(2..=2)
            .first_ends(StateName::Cancelled),
        Scenario::new("submit", "three at once")
            .after(furnish)
            .calls(async |kit, _| submit(kit, vec![keyed("a"), keyed("b"), keyed("c")]).await)
            .jobs(3..=3)
            .first_ends(StateName::Succeeded),
    ]
}

pub(super) fn cancels() -> Vec<Scenario> {
    let cancel = async |kit: &Kit, before: &crate::scenario::Before| {
        let view = kit
            .engine
            .cancel(&kit.tenant, before.jobs[0].id, &client(), Some("not wanted".to_owned()))
            .await?;
        assert!(view.job.cancel_requested_at.is_some() || view.job.state.name() == StateName::Cancelled);
        Ok(())
    };
    vec![
        Scenario::new("cancel", "of a ready job")
            .after(async |kit| {
                kit.submit_plain().await;
            })
            .calls(cancel)
            .jobs(1..=1)
            .first_ends(StateName::Cancelled),
        Scenario::new("cancel", "of a leased job")
            .after(async |kit| {
                kit.submit_plain().await;
                kit.robot(1).await.take().await;
            })
            .calls(cancel)
            .jobs(1..=1)
            .first_ends(StateName::Cancelled),
        Scenario::new("cancel", "of a running job")
            .after(async |kit| {
                kit.submit_plain().await;
                kit.robot(1).await.begin().await;
            })
            .calls(cancel)
            .jobs(1..=1)
            .first_ends(StateName::Cancelled),
        Scenario::new("bulk_cancel", "of two ready jobs and a running one")
            .after(async |kit| {
                kit.submit_plain().await;
                kit.robot(1).await.begin().await;
                kit.submit_many(submissions(2)).await;
            })
            .calls(async |kit, _| {
                let all = JobFilter::default();
                kit.engine.bulk_cancel(&kit.tenant, &all, &client(), false).await?;
                Ok(())
            })
            .jobs(3..=3)
            .first_ends(StateName::Cancelled),
    ]
}

/// A job with a payload that failed for good.
async fn a_dead_letter(kit: &Kit) {
    dead_letter(kit, "a").await;
}

async fn dead_letter(kit: &Kit, key: &str) {
    kit.submit(keyed(key)).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let answer = robot.finish(&held, failed(ErrorKind::Business), None).await;
    assert_eq!(answer.expect("the report is taken").state, StateName::Failed);
    kit.pass(secs(1));
}

pub(super) fn retries() -> Vec<Scenario> {
    vec![
        Scenario::new("retry", "of a dead letter")
            .after(a_dead_letter)
            .calls(async |kit, before| {
                let new = kit.engine.retry(&kit.tenant, before.jobs[0].id, &client()).await?;
                assert_eq!(new.payload.as_deref(), Some("{\"order\":\"a\"}"));
                Ok(())
            })
            .jobs(2..=3)
            .first_ends(StateName::Failed),
        Scenario::new("retry", "of a cancelled job")
            .after(async |kit| {
                let job = kit.submit(keyed("a")).await;
                kit.cancel(job).await.expect("the job can be cancelled");
                kit.pass(secs(1));
            })
            .calls(async |kit, before| {
                kit.engine.retry(&kit.tenant, before.jobs[0].id, &client()).await?;
                Ok(())
            })
            .jobs(2..=3)
            .first_ends(StateName::Cancelled),
        Scenario::new("bulk_retry", "of two dead letters")
            .after(async |kit| {
                dead_letter(kit, "a").await;
                dead_letter(kit, "b").await;
            })
            .calls(async |kit, _| {
                let failed = JobFilter {
                    state: Some(StateName::Failed),
                    ..JobFilter::default()
                };
                kit.engine.bulk_retry(&kit.tenant, &failed, &client(), false).await?;
                Ok(())
            })
            .jobs(4..=4)
            .first_ends(StateName::Failed),
        Scenario::new("requeue_dead_letter", "with a note")
            .after(a_dead_letter)
            .calls(async |kit, before| {
                let (id, by, note) = (before.jobs[0].id, client(), Some("once more".to_owned()));
                let asked = kit.engine.requeue_dead_letter(&kit.tenant, id, &by, note);
                or_done(asked.await, was_dealt_with)
            })
            .jobs(2..=2)
            .first_ends(StateName::Failed),
        Scenario::new("settle_dead_letter", "as discarded")
            .after(a_dead_letter)
            .calls(async |kit, before| {
                let (id, by) = (before.jobs[0].id, client());
                let asked = kit
                    .engine
                    .settle_dead_letter(&kit.tenant, id, Settlement::Discarded, &by, None);
                or_done(asked.await, was_dealt_with)
            })
            .jobs(1..=1)
            .first_ends(StateName::Failed),
    ]
}

fn was_dealt_with(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Job(Rejection::NoDeadLetter))
}
