//! Retry and dead letters: what ended badly is tried again as a new job, or put aside.

use domain::{
    JobId, Rejection,
    job::{Dedup, ErrorKind, OnConflict, Priority, Settlement, StateName},
};
use queue::{JobFilter, Refusal, Settings, Submission};

use crate::kit::{Kit, TestRobot, client, failed, queue, secs, submission};

/// Submits a job and has it fail for good.
async fn dead(kit: &Kit, robot: &TestRobot, submission: Submission) -> JobId {
    let job = kit.submit(submission).await;
    let held = robot.begin().await;
    assert_eq!(held.job, job);
    robot.finish(&held, failed(ErrorKind::Business), None).await.unwrap();
    kit.pass(secs(1));
    job
}

pub async fn a_job_that_failed_is_tried_again_as_a_new_job(kit: &Kit) {
    let asked = Submission {
        payload: Some(r#"{"a":"\u0000"}"#.to_owned()),
        ..submission(|spec| {
            spec.priority = Priority::MAX;
            spec.labels = [("team".parse().unwrap(), "finance".to_owned())].into();
            spec.dedup = Some(Dedup {
                key: "k".to_owned(),
                on_conflict: OnConflict::Reject,
            });
        })
    };
    let robot = kit.robot(1).await;
    let old = dead(kit, &robot, asked.clone()).await;
    let new = kit.engine.retry(&kit.tenant, old, &client()).await.unwrap();
    assert_eq!(new, kit.job(new.job.id).await);
    assert_eq!(
        (new.job.state.name(), new.job.spec.retry_of),
        (StateName::Ready, Some(old))
    );
    assert_eq!(new.payload, asked.payload);
    assert_eq!(
        (&new.job.spec.labels, new.job.spec.priority),
        (&asked.spec.labels, Priority::MAX)
    );
    assert_eq!(new.job.attempts_left(), 3, "with a budget of its own");
    assert_eq!(
        kit.state(old).await,
        StateName::Failed,
        "and the old one stays what it was"
    );
    assert!(kit.dead_letters().await.is_empty(), "but is dealt with");
}

pub async fn a_cancelled_job_is_tried_again_too(kit: &Kit) {
    let old = kit.submit_plain().await;
    kit.cancel(old).await.unwrap();
    let before = kit.job(old).await;
    let new = kit.engine.retry(&kit.tenant, old, &client()).await.unwrap();
    assert_eq!(new.job.spec.retry_of, Some(old));
    assert_eq!(kit.job(old).await, before);
}

pub async fn a_job_that_is_not_over_or_succeeded_is_not_retried(kit: &Kit) {
    let job = kit.submit_plain().await;
    let refused =
        |answer: Result<queue::JobView, Refusal>| assert!(matches!(answer, Err(Refusal::Job(_))), "{answer:?}");
    refused(kit.engine.retry(&kit.tenant, job, &client()).await);
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    refused(kit.engine.retry(&kit.tenant, job, &client()).await);
    robot.succeed(&held).await;
    refused(kit.engine.retry(&kit.tenant, job, &client()).await);
    assert_eq!(kit.list(&<_>::default(), 10).await, [job]);
}

pub async fn a_time_that_is_past_is_left_out_of_a_retry(kit: &Kit) {
    let deadline = kit.now() + secs(60);
    let old = kit.submit_spec(|spec| spec.deadline = Some(deadline)).await;
    kit.pass_and_sweep(secs(60)).await;
    assert_eq!(kit.state(old).await, StateName::TimedOut);
    let new = kit.engine.retry(&kit.tenant, old, &client()).await.unwrap();
    assert_eq!(new.job.spec.deadline, None);
    kit.pass_and_sweep(secs(60)).await;
    assert_eq!(kit.state(new.job.id).await, StateName::Ready);
}

pub async fn dead_letters_are_what_failed_or_timed_out(kit: &Kit) {
    let robot = kit.robot(1).await;
    let failed = dead(kit, &robot, submission(|_| {})).await;
    let late = kit.submit_spec(|spec| spec.timeouts.queue_seconds = Some(5)).await;
    kit.pass_and_sweep(secs(5)).await;
    let cancelled = kit.submit_plain().await;
    kit.cancel(cancelled).await.unwrap();
    kit.submit_plain().await;
    robot.take().await;
    assert_eq!(kit.dead_letters().await, [late, failed]);
}

pub async fn dead_letters_come_in_pages(kit: &Kit) {
    for _ in 0..7 {
        kit.submit_spec(|spec| spec.timeouts.queue_seconds = Some(5)).await;
    }
    kit.pass_and_sweep(secs(5)).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = kit.engine.dead_letters(&kit.tenant, after, 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|view| view.job.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, kit.dead_letters().await);
    assert_eq!(seen.len(), 7);
}

pub async fn a_dead_letter_is_requeued_once(kit: &Kit) {
    let robot = kit.robot(1).await;
    let old = dead(
        kit,
        &robot,
        Submission {
            payload: Some("7".to_owned()),
            ..submission(|_| {})
        },
    )
    .await;
    let note = Some("server was down".to_owned());
    let new = kit
        .engine
        .requeue_dead_letter(&kit.tenant, old, &client(), note.clone())
        .await
        .unwrap();
    assert_eq!((new.job.spec.retry_of, new.payload.as_deref()), (Some(old), Some("7")));
    assert!(kit.dead_letters().await.is_empty());
    assert_eq!(kit.job(old).await.job.note, note);
    let again = kit.engine.requeue_dead_letter(&kit.tenant, old, &client(), None).await;
    assert!(matches!(again, Err(Refusal::Job(Rejection::NoDeadLetter))), "{again:?}");
    assert_eq!(kit.list(&<_>::default(), 10).await, [new.job.id, old]);
}

pub async fn racing_requeues_make_one_job(kit: &Kit) {
    let robot = kit.robot(1).await;
    let old = dead(kit, &robot, submission(|_| {})).await;
    let racing = (0..6).map(|seed| {
        let kit = kit.beside(seed + 10, Settings::default());
        tokio::spawn(async move {
            kit.engine
                .requeue_dead_letter(&kit.tenant, old, &client(), None)
                .await
                .is_ok()
        })
    });
    let done = futures::future::join_all(racing).await;
    assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(kit.list(&<_>::default(), 10).await.len(), 2);
}

pub async fn a_dead_letter_is_discarded_or_resolved_once(kit: &Kit) {
    let robot = kit.robot(1).await;
    for settlement in [Settlement::Discarded, Settlement::Resolved] {
        let job = dead(kit, &robot, submission(|_| {})).await;
        let settle = async |settlement| {
            kit.engine
                .settle_dead_letter(&kit.tenant, job, settlement, &client(), None)
                .await
        };
        let view = settle(settlement).await.unwrap();
        assert_eq!(
            (view.job.state.name(), view.job.settled),
            (StateName::Failed, Some(settlement))
        );
        assert!(kit.dead_letters().await.is_empty());
        assert!(matches!(
            settle(Settlement::Discarded).await,
            Err(Refusal::Job(Rejection::NoDeadLetter))
        ));
        let failed = JobFilter {
            state: Some(StateName::Failed),
            ..JobFilter::default()
        };
        assert!(kit.list(&failed, 10).await.contains(&job), "it is still a failed job");
    }
}

pub async fn what_is_no_dead_letter_is_not_settled(kit: &Kit) {
    let job = kit.submit_plain().await;
    let settled = kit
        .engine
        .settle_dead_letter(&kit.tenant, job, Settlement::Discarded, &client(), None)
        .await;
    assert!(matches!(settled, Err(Refusal::Job(Rejection::NoDeadLetter))));
    let requeued = kit.engine.requeue_dead_letter(&kit.tenant, job, &client(), None).await;
    assert!(matches!(requeued, Err(Refusal::Job(Rejection::NoDeadLetter))));
}

pub async fn many_jobs_are_retried_by_a_filter(kit: &Kit) {
    let timing_out = |name: &str| {
        let mut asked = submission(|spec| spec.timeouts.queue_seconds = Some(5));
        asked.spec.queue = queue(name);
        asked
    };
    kit.submit_many((0..210).map(|_| timing_out("default")).collect()).await;
    kit.submit_many(vec![timing_out("other")]).await;
    kit.pass_and_sweep(secs(10)).await;
    let settled = kit.dead_letters().await[0];
    kit.engine
        .settle_dead_letter(&kit.tenant, settled, Settlement::Discarded, &client(), None)
        .await
        .unwrap();
    let filter = JobFilter {
        queue: Some(queue("default")),
        ..JobFilter::default()
    };
    let dry = kit
        .engine
        .bulk_retry(&kit.tenant, &filter, &client(), true)
        .await
        .unwrap();
    assert_eq!((dry.matched, dry.changed), (210, 0));
    assert_eq!(kit.list(&filter, 200).await.len(), 210);
    let dealt_with = u64::from(kit.job(settled).await.job.spec.queue == queue("default"));
    let real = kit
        .engine
        .bulk_retry(&kit.tenant, &filter, &client(), false)
        .await
        .unwrap();
    assert_eq!((real.matched, real.changed), (210, 210 - dealt_with));
    let again = kit
        .engine
        .bulk_retry(&kit.tenant, &filter, &client(), false)
        .await
        .unwrap();
    assert_eq!(again.changed, 0, "each was dealt with");
    let ready = JobFilter {
        state: Some(StateName::Ready),
        ..filter
    };
    assert_eq!(kit.list(&ready, 200).await.len() as u64, real.changed);
}

pub async fn a_bulk_retry_meets_jobs_of_its_own_moment(kit: &Kit) {
    // The clock of another server, or a bulk of many, may be a little ahead.
    let bulk = kit.submit_many((0..10).map(|_| submission(|_| {})).collect()).await;
    for answer in bulk {
        kit.cancel(answer.unwrap().job.job.id).await.unwrap();
    }
    let filter = JobFilter {
        queue: Some(queue("default")),
        ..JobFilter::default()
    };
    let done = kit
        .engine
        .bulk_retry(&kit.tenant, &filter, &client(), false)
        .await
        .unwrap();
    assert_eq!((done.matched, done.changed), (10, 10));
}
