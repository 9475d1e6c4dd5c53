//! Submit: durable when answered, once per idempotency key, one unfinished job per dedup key.

use domain::{
    JobId,
    job::{Dedup, OnConflict, Reason, StateName},
};
use queue::{Idempotency, Refusal, Settings, Submission, SubmitError, SubmittedHow};

use crate::kit::{Kit, client, queue, secs, submission, submissions};

fn with_key(key: &str, digest: &str) -> Submission {
    let idempotency = Some(Idempotency {
        key: key.to_owned(),
        digest: digest.to_owned(),
    });
    Submission {
        idempotency,
        ..submission(|_| {})
    }
}

fn deduplicated(on_conflict: OnConflict) -> Submission {
    submission(|spec| {
        spec.dedup = Some(Dedup {
            key: "invoice-7".to_owned(),
            on_conflict,
        });
    })
}

pub async fn a_new_job_is_ready_at_once(kit: &Kit) {
    let submitted = kit.try_submit(submission(|_| {})).await.unwrap();
    assert_eq!(submitted.how, SubmittedHow::Created);
    let view = kit.job(submitted.job.job.id).await;
    assert_eq!(view, submitted.job, "what is answered is what is stored");
    assert_eq!((view.version, view.job.created_at), (1, kit.now()));
    assert_eq!(view.job.state.name(), StateName::Ready);
    assert_eq!(kit.path(view.job.id).await, [StateName::Ready]);
}

pub async fn a_job_for_later_waits_for_its_time(kit: &Kit) {
    let run_at = Some(kit.now() + secs(60));
    let job = kit
        .submit(Submission {
            run_at,
            ..submission(|_| {})
        })
        .await;
    assert_eq!(kit.state(job).await, StateName::Scheduled);
    kit.pass_and_sweep(secs(59)).await;
    assert_eq!(kit.state(job).await, StateName::Scheduled);
    kit.pass_and_sweep(secs(1)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_time_that_is_past_means_now(kit: &Kit) {
    let run_at = Some(kit.now() - secs(60));
    let job = kit
        .submit(Submission {
            run_at,
            ..submission(|_| {})
        })
        .await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_payload_is_kept_as_it_was_sent(kit: &Kit) {
    let large = format!("\"{}\"", "ü".repeat(131_071));
    for payload in [
        r#"{"nul":"\u0000","emoji":"🐎","text":"a\nb\\"}"#,
        "null",
        "0",
        large.as_str(),
    ] {
        let payload = Some(payload.to_owned());
        let job = kit
            .submit(Submission {
                payload: payload.clone(),
                ..submission(|_| {})
            })
            .await;
        assert_eq!(kit.job(job).await.payload, payload);
    }
    let without = kit.submit_plain().await;
    assert_eq!(kit.job(without).await.payload, None);
}

pub async fn the_robot_gets_the_payload(kit: &Kit) {
    let payload = Some(r#"{"invoice":"\u0000 7"}"#.to_owned());
    kit.submit(Submission {
        payload: payload.clone(),
        ..submission(|_| {})
    })
    .await;
    let robot = kit.robot(1).await;
    let answer = robot.sync(1, &[]).await;
    assert_eq!(answer.assign[0].payload, payload);
}

pub async fn every_word_of_a_job_is_kept(kit: &Kit) {
    let asked = submission(|spec| {
        spec.workflow = crate::kit::workflow("Rechnung ☂ \"export\" \\ 'x'");
        spec.workflow_version = Some("3".parse().unwrap());
        spec.queue = queue("a.b_c-d");
        spec.priority = domain::job::Priority::MAX;
        spec.deadline = Some(kit.now() + secs(3_600));
        spec.timeouts.queue_seconds = Some(604_800);
        spec.requires.capabilities = crate::kit::words(&["browser", "a/b \"c\"", "ü"]);
        spec.requires.environment = Some("prod".parse().unwrap());
        spec.requires.robot = Some("rob_1".parse().unwrap());
        spec.prefers.capabilities = crate::kit::words(&["fast"]);
        spec.labels = [("team".parse().unwrap(), "Füße".to_owned())].into();
        spec.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    });
    let job = kit.submit(asked.clone()).await;
    assert_eq!(kit.job(job).await.job.spec, asked.spec);
}

pub async fn the_same_request_again_gets_the_same_job(kit: &Kit) {
    let first = kit.submit(with_key("key-1", "same")).await;
    kit.cancel(first).await.unwrap();
    kit.pass(secs(5));
    let again = kit.try_submit(with_key("key-1", "same")).await.unwrap();
    assert_eq!(again.how, SubmittedHow::Replayed);
    assert_eq!(again.job, kit.job(first).await, "as it is now");
    assert_eq!(kit.list(&<_>::default(), 10).await, [first]);
}

pub async fn another_request_with_the_same_key_is_refused_and_writes_nothing(kit: &Kit) {
    let first = kit.submit(with_key("key-1", "one")).await;
    let before = kit.job(first).await;
    let refused = kit.try_submit(with_key("key-1", "other")).await;
    assert_eq!(refused, Err(SubmitError::IdempotencyConflict { job: first }));
    assert_eq!(kit.job(first).await, before);
    assert_eq!(kit.list(&<_>::default(), 10).await, [first]);
}

pub async fn a_replay_is_told_before_a_duplicate(kit: &Kit) {
    let both = |on_conflict, digest| Submission {
        idempotency: with_key("key-1", digest).idempotency,
        ..deduplicated(on_conflict)
    };
    let first = kit.submit(both(OnConflict::Reject, "one")).await;
    let again = kit.try_submit(both(OnConflict::Reject, "one")).await.unwrap();
    assert_eq!((again.how, again.job.job.id), (SubmittedHow::Replayed, first));
    let other = kit.try_submit(both(OnConflict::Replace, "other")).await;
    assert_eq!(other, Err(SubmitError::IdempotencyConflict { job: first }));
    assert_eq!(kit.state(first).await, StateName::Ready);
}

pub async fn a_refused_request_does_not_use_up_its_key(kit: &Kit) {
    let holder = kit.submit(deduplicated(OnConflict::Reject)).await;
    let asked = || Submission {
        idempotency: with_key("key-1", "one").idempotency,
        ..deduplicated(OnConflict::Reject)
    };
    assert_eq!(
        kit.try_submit(asked()).await,
        Err(SubmitError::Duplicate { job: holder })
    );
    kit.cancel(holder).await.unwrap();
    assert_eq!(kit.try_submit(asked()).await.unwrap().how, SubmittedHow::Created);
}

pub async fn keys_of_two_tenants_do_not_meet(kit: &Kit) {
    let other = kit.of_tenant("other");
    let mine = kit.submit(with_key("key-1", "one")).await;
    let theirs = other.submit(with_key("key-1", "two")).await;
    assert_ne!(mine, theirs);
    let dedup = || deduplicated(OnConflict::Reject);
    kit.submit(dedup()).await;
    other.submit(dedup()).await;
}

pub async fn one_key_is_used_once_in_a_bulk(kit: &Kit) {
    let bulk = vec![
        with_key("key-1", "one"),
        with_key("key-1", "one"),
        with_key("key-1", "other"),
        submission(|_| {}),
    ];
    let answers = kit.submit_many(bulk).await;
    let first = answers[0].as_ref().unwrap();
    assert_eq!(first.how, SubmittedHow::Created);
    let again = answers[1].as_ref().unwrap();
    assert_eq!(
        (again.how, again.job.job.id),
        (SubmittedHow::Replayed, first.job.job.id)
    );
    assert_eq!(
        answers[2],
        Err(SubmitError::IdempotencyConflict { job: first.job.job.id })
    );
    assert_eq!(
        answers[3].as_ref().unwrap().how,
        SubmittedHow::Created,
        "a bad one does not stop the others"
    );
}

pub async fn racing_submits_of_one_key_make_one_job(kit: &Kit) {
    let answers = futures::future::join_all((0..8).map(|seed| {
        let kit = kit.beside(seed + 10, Settings::default());
        tokio::spawn(async move { kit.try_submit(with_key("key-1", "same")).await })
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    let created = answers
        .iter()
        .filter(|answer| answer.how == SubmittedHow::Created)
        .count();
    assert_eq!(created, 1);
    assert!(answers.iter().all(|answer| answer.job.job.id == answers[0].job.job.id));
    assert_eq!(kit.list(&<_>::default(), 10).await.len(), 1);
}

pub async fn racing_submits_of_one_dedup_key_leave_one_unfinished_job(kit: &Kit) {
    for (on_conflict, seeds) in [(OnConflict::Return, 10..18), (OnConflict::Replace, 20..28)] {
        let racing = seeds.map(|seed| {
            let kit = kit.beside(seed, Settings::default());
            tokio::spawn(async move { kit.try_submit(deduplicated(on_conflict)).await })
        });
        for answer in futures::future::join_all(racing).await {
            answer.unwrap().unwrap();
        }
        let unfinished = queue::JobFilter {
            state: Some(StateName::Ready),
            ..<_>::default()
        };
        assert_eq!(kit.list(&unfinished, 10).await.len(), 1, "{on_conflict:?}");
    }
}

pub async fn a_dedup_key_that_is_held_returns_its_job(kit: &Kit) {
    let holder = kit.submit(deduplicated(OnConflict::Reject)).await;
    let returned = kit.try_submit(deduplicated(OnConflict::Return)).await.unwrap();
    assert_eq!(
        (returned.how, returned.job),
        (SubmittedHow::Returned, kit.job(holder).await)
    );
    assert_eq!(kit.list(&<_>::default(), 10).await, [holder]);
}

pub async fn a_dedup_key_that_is_held_can_refuse(kit: &Kit) {
    let holder = kit.submit(deduplicated(OnConflict::Return)).await;
    let refused = kit.try_submit(deduplicated(OnConflict::Reject)).await;
    assert_eq!(refused, Err(SubmitError::Duplicate { job: holder }));
    assert_eq!(kit.list(&<_>::default(), 10).await, [holder]);
}

pub async fn a_dedup_key_is_free_once_its_job_has_ended(kit: &Kit) {
    let first = kit.submit(deduplicated(OnConflict::Reject)).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.succeed(&held).await;
    let second = kit.submit(deduplicated(OnConflict::Reject)).await;
    kit.cancel(second).await.unwrap();
    let third = kit.submit(deduplicated(OnConflict::Reject)).await;
    assert_eq!(kit.list(&<_>::default(), 10).await.len(), 3);
    assert_ne!(first, third);
}

pub async fn a_dedup_key_is_its_queues_own(kit: &Kit) {
    let of_queue = |name: &str| {
        let mut asked = deduplicated(OnConflict::Reject);
        asked.spec.queue = queue(name);
        asked
    };
    kit.submit(of_queue("a")).await;
    kit.submit(of_queue("ab")).await;
    assert!(kit.try_submit(of_queue("a")).await.is_err());
}

pub async fn a_later_job_takes_the_place_of_one_that_waits(kit: &Kit) {
    let old = kit.submit(deduplicated(OnConflict::Return)).await;
    let new = kit.submit(deduplicated(OnConflict::Replace)).await;
    assert_eq!(kit.standing(old).await, (StateName::Cancelled, Some(Reason::Replaced)));
    assert_eq!(kit.state(new).await, StateName::Ready);
    let asked = Submission {
        run_at: Some(kit.now() + secs(60)),
        ..deduplicated(OnConflict::Replace)
    };
    let newer = kit.submit(asked).await;
    let newest = kit.submit(deduplicated(OnConflict::Replace)).await;
    assert_eq!(kit.state(new).await, StateName::Cancelled);
    assert_eq!(kit.state(newer).await, StateName::Cancelled, "scheduled ones too");
    assert_eq!(kit.state(newest).await, StateName::Ready);
}

pub async fn a_job_that_a_robot_has_is_not_replaced(kit: &Kit) {
    let job = kit.submit(deduplicated(OnConflict::Replace)).await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    for _ in 0..2 {
        let returned = kit.try_submit(deduplicated(OnConflict::Replace)).await.unwrap();
        assert_eq!((returned.how, returned.job.job.id), (SubmittedHow::Returned, job));
        robot.renew(&held).await;
    }
    assert_eq!(kit.state(job).await, StateName::Running);
}

pub async fn a_bulk_that_replaces_within_itself_leaves_its_last_job(kit: &Kit) {
    let old = kit.submit(deduplicated(OnConflict::Return)).await;
    let bulk: Vec<Submission> = (0..50).map(|_| deduplicated(OnConflict::Replace)).collect();
    let answers = kit.submit_many(bulk).await;
    let jobs: Vec<JobId> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().job.job.id)
        .collect();
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().how == SubmittedHow::Created)
    );
    let (last, replaced) = jobs.split_last().unwrap();
    assert_eq!(kit.state(*last).await, StateName::Ready);
    for job in replaced.iter().chain([&old]) {
        assert_eq!(kit.standing(*job).await, (StateName::Cancelled, Some(Reason::Replaced)));
    }
}

pub async fn the_jobs_of_a_bulk_are_taken_in_one_after_the_other(kit: &Kit) {
    let old = kit.submit(deduplicated(OnConflict::Return)).await;
    let bulk = vec![
        deduplicated(OnConflict::Return),
        deduplicated(OnConflict::Replace),
        deduplicated(OnConflict::Return),
        deduplicated(OnConflict::Reject),
    ];
    let answers = kit.submit_many(bulk).await;
    let new = answers[1].as_ref().unwrap().job.job.id;
    assert_eq!(answers[0].as_ref().unwrap().job.job.id, old, "before it was replaced");
    assert_eq!(answers[2].as_ref().unwrap().job, kit.job(new).await, "after that");
    assert_eq!(answers[3], Err(SubmitError::Duplicate { job: new }));
}

pub async fn the_jobs_of_a_bulk_keep_their_order(kit: &Kit) {
    let answers = kit.submit_many(submissions(30)).await;
    let jobs: Vec<JobId> = answers.into_iter().map(|answer| answer.unwrap().job.job.id).collect();
    let newest_first: Vec<JobId> = jobs.iter().rev().copied().collect();
    assert_eq!(kit.list(&<_>::default(), 7).await, newest_first);
    let robot = kit.robot(30).await;
    let given: Vec<JobId> = robot.ask(30).await.iter().map(|held| held.job).collect();
    assert_eq!(given, jobs);
}

pub async fn a_thousand_jobs_come_in_one_bulk(kit: &Kit) {
    let bulk = (0..1_000).map(|place| with_key(&format!("key-{place}"), "one"));
    let answers = kit.submit_many(bulk.clone().collect()).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().how == SubmittedHow::Created)
    );
    let again = kit.submit_many(bulk.collect()).await;
    assert!(
        again
            .iter()
            .all(|answer| answer.as_ref().unwrap().how == SubmittedHow::Replayed)
    );
    assert_eq!(kit.list(&<_>::default(), 200).await.len(), 1_000);
}

pub async fn a_bulk_of_nothing_is_answered_with_nothing(kit: &Kit) {
    assert!(kit.submit_many(Vec::new()).await.is_empty());
}

pub async fn too_many_waiting_jobs_refuse_more_until_they_are_fewer(kit: &Kit) {
    let settings = || Settings {
        backlog_max: 3,
        ..Settings::default()
    };
    let kit = kit.beside(2, settings());
    kit.submit_many(submissions(3)).await;
    kit.pass(secs(10));
    let refused = kit.engine.submit(&kit.tenant, &client(), submissions(1)).await;
    let Err(Refusal::Overloaded {
        ready: 3,
        retry_after_seconds,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(retry_after_seconds > 0);
    assert_eq!(kit.list(&<_>::default(), 10).await.len(), 3, "nothing was written");
    let robot = kit.robot(1).await;
    robot.take().await;
    kit.pass(secs(10));
    kit.submit_plain().await;
}
