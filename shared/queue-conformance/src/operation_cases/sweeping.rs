//! The sweep: every timer that is due fires once, whoever looks, and what is over is removed in the end.

use domain::{
    JobId,
    job::{Dedup, OnConflict, Outcome, Reason, StateName},
};
use queue::{Idempotency, Refusal, Settings, Submission, SubmittedHow};

use crate::kit::{Kit, LEASE, client, failed, queue, secs, submission, submissions};

const DAY: std::time::Duration = secs(86_400);

pub async fn a_job_that_no_robot_takes_in_time_is_given_up(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.timeouts.queue_seconds = Some(60)).await;
    kit.pass_and_sweep(secs(59)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
    kit.pass_and_sweep(secs(1)).await;
    assert_eq!(
        kit.standing(job).await,
        (StateName::TimedOut, Some(Reason::QueueTimeout))
    );
}

pub async fn the_queue_time_counts_from_when_a_job_could_run(kit: &Kit) {
    let run_at = Some(kit.now() + secs(100));
    let job = kit
        .submit(Submission {
            run_at,
            ..submission(|spec| spec.timeouts.queue_seconds = Some(60))
        })
        .await;
    kit.pass_and_sweep(secs(159)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
    kit.pass_and_sweep(secs(1)).await;
    assert_eq!(
        kit.standing(job).await,
        (StateName::TimedOut, Some(Reason::QueueTimeout))
    );
}

pub async fn an_attempt_that_runs_too_long_is_ended_and_tried_again(kit: &Kit) {
    let job = kit
        .submit_spec(|spec| {
            spec.timeouts.run_seconds = 100;
            spec.retry.max_attempts = 2;
        })
        .await;
    let robot = kit.robot(1).await;
    for ending in [
        (StateName::Scheduled, Reason::RetryBackoff),
        (StateName::TimedOut, Reason::RunTimeout),
    ] {
        let held = robot.begin().await;
        for _ in 0..3 {
            robot.renew(&held).await;
            kit.pass_and_sweep(secs(33)).await;
            assert_eq!(kit.state(job).await, StateName::Running);
        }
        kit.pass_and_sweep(secs(1)).await;
        assert_eq!(kit.standing(job).await, (ending.0, Some(ending.1)));
        assert_eq!(
            robot.renew(&held).await,
            queue::LeaseStatus::Lost,
            "the robot hears that it is to stop"
        );
        kit.pass_and_sweep(secs(3_600)).await;
    }
}

pub async fn the_run_time_counts_from_the_start(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.timeouts.run_seconds = 50).await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    kit.pass(secs(30));
    robot.renew(&held).await;
    kit.pass_and_sweep(secs(49)).await;
    assert_eq!(kit.state(job).await, StateName::Running);
    kit.pass_and_sweep(secs(1)).await;
    assert_eq!(kit.state(job).await, StateName::Scheduled);
}

pub async fn a_deadline_ends_a_job_wherever_it_stands(kit: &Kit) {
    let deadline = Some(kit.now() + secs(30));
    let with_deadline = || submission(|spec| spec.deadline = deadline);
    let robot = kit.robot(2).await;
    let running = kit.submit(with_deadline()).await;
    let held = robot.begin().await;
    let leased = kit.submit(with_deadline()).await;
    assert_eq!(robot.sync(1, &[&held]).await.assign.len(), 1);
    let ready = kit.submit(with_deadline()).await;
    let scheduled = kit
        .submit(Submission {
            run_at: Some(kit.now() + secs(60)),
            ..with_deadline()
        })
        .await;
    kit.pass_and_sweep(secs(29)).await;
    assert_eq!(kit.state(running).await, StateName::Running);
    kit.pass_and_sweep(secs(1)).await;
    for job in [running, leased, ready, scheduled] {
        assert_eq!(kit.standing(job).await, (StateName::TimedOut, Some(Reason::Deadline)));
    }
}

pub async fn a_robot_gets_nothing_whose_deadline_is_over(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.deadline = Some(kit.now() + secs(30))).await;
    kit.pass(secs(30));
    assert!(kit.robot(1).await.ask(1).await.is_empty());
    kit.sweep().await;
    assert_eq!(kit.state(job).await, StateName::TimedOut);
}

pub async fn a_lost_robots_job_is_ready_after_its_lease(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.pass(secs(40));
    robot.renew(&held).await;
    kit.pass_and_sweep(secs(59)).await;
    assert_eq!(kit.state(job).await, StateName::Running, "the lease was renewed");
    let swept = kit.pass_and_sweep(secs(1)).await;
    assert_eq!(kit.standing(job).await, (StateName::Ready, Some(Reason::LeaseLost)));
    assert_eq!((swept.ready, swept.leases_lost), (1, 1));
}

pub async fn a_timer_that_was_put_off_is_set_anew(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.pass(secs(50));
    robot.renew(&held).await;
    let swept = kit.pass_and_sweep(secs(10)).await;
    assert_eq!((swept.rearmed, swept.ready), (1, 0));
    assert_eq!(kit.sweep().await.rearmed, 0, "once");
    let swept = kit.pass_and_sweep(secs(50)).await;
    assert_eq!((swept.rearmed, swept.ready), (0, 1));
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_timer_of_an_old_attempt_does_nothing(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.retry.initial_seconds = 0).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.pass(secs(30));
    robot.fail(&held).await;
    kit.sweep().await;
    let second = robot.begin().await;
    kit.pass_and_sweep(secs(35)).await;
    assert_eq!(
        kit.state(job).await,
        StateName::Running,
        "the first attempt's lease would be over"
    );
    robot.succeed(&second).await;
    let before = kit.job(job).await;
    kit.pass_and_sweep(DAY).await;
    assert_eq!(kit.job(job).await, before);
}

pub async fn two_sweeps_at_once_do_the_same_as_one(kit: &Kit) {
    let timing_out = |_| submission(|spec| spec.timeouts.queue_seconds = Some(5));
    kit.submit_many((0..300).map(timing_out).collect()).await;
    kit.pass(secs(10));
    let racing = (0..4_u64).map(|seed| {
        let kit = kit.beside(30 + seed, Settings::default());
        tokio::spawn(async move { kit.engine.sweep().await.expect("the store answers").ended })
    });
    let ended: u64 = futures::future::join_all(racing)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(ended, 300, "each was ended by one of them");
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_renewal_that_races_with_the_sweep_is_answered_truly(kit: &Kit) {
    for round in 0..8 {
        let job = kit.submit_plain().await;
        let robot = kit.robot(1).await;
        let held = robot.begin().await;
        kit.pass(LEASE);
        let other = kit.beside(40 + round, Settings::default());
        let sweeping = tokio::spawn(async move { other.sweep().await });
        let told = robot.renew(&held).await;
        sweeping.await.unwrap();
        let expected = match told {
            queue::LeaseStatus::Renewed => StateName::Running,
            _ => StateName::Ready,
        };
        assert_eq!(kit.state(job).await, expected, "told {told:?}");
        // A report is taken in either case: nobody overtook it.
        assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    }
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_report_that_races_with_the_sweep_is_taken(kit: &Kit) {
    for round in 0..8 {
        let job = kit.submit_plain().await;
        let robot = kit.robot(1).await;
        let held = robot.begin().await;
        kit.pass(LEASE);
        let other = kit.beside(60 + round, Settings::default());
        let sweeping = tokio::spawn(async move { other.sweep().await });
        assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
        sweeping.await.unwrap();
        assert_eq!(kit.state(job).await, StateName::Succeeded);
        assert_eq!(kit.job(job).await.job.attempts.started, 1);
    }
}

pub async fn one_sweep_goes_through_more_than_a_page(kit: &Kit) {
    let run_at = Some(kit.now() + secs(5));
    let later = |_| Submission {
        run_at,
        ..submission(|_| {})
    };
    kit.submit_many((0..1_000).map(later).collect()).await;
    kit.submit_many((0..200).map(later).collect()).await;
    let swept = kit.pass_and_sweep(secs(5)).await;
    assert_eq!((swept.ready, swept.more), (1_200, false));
}

pub async fn a_sweep_with_nothing_to_do_does_nothing(kit: &Kit) {
    assert_eq!(kit.sweep().await, queue::Swept::default());
    kit.submit_plain().await;
    assert_eq!(kit.pass_and_sweep(secs(60)).await, queue::Swept::default());
}

pub async fn a_job_that_waits_for_days_is_still_found(kit: &Kit) {
    let job = kit.submit_plain().await;
    for _ in 0..5 {
        kit.pass_and_sweep(DAY).await;
    }
    assert_eq!(kit.state(job).await, StateName::Ready);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
    assert_eq!(kit.robot(1).await.take().await.job, job);
}

fn with_key() -> Submission {
    let idempotency = Some(Idempotency {
        key: "key-1".to_owned(),
        digest: "same".to_owned(),
    });
    Submission {
        idempotency,
        payload: Some("7".to_owned()),
        ..submission(|_| {})
    }
}

/// Has a job with a payload, a log, a checkpoint and a result end.
async fn ended(kit: &Kit) -> JobId {
    let job = kit.submit(with_key()).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "log").await.unwrap();
    robot.checkpoint(&held, "page", "1").await.unwrap();
    robot.finish(&held, Outcome::Succeeded, Some("8")).await.unwrap();
    job
}

pub async fn what_is_over_is_kept_for_as_long_as_it_is_to_be(kit: &Kit) {
    let job = ended(kit).await;
    kit.pass_and_sweep(DAY * 29 + secs(86_399)).await;
    assert_eq!(kit.job(job).await.result.as_deref(), Some("8"));
    assert_eq!(kit.try_submit(with_key()).await.unwrap().how, SubmittedHow::Replayed);
    assert_eq!(kit.pass_and_sweep(secs(1)).await.purged, 1);
    assert!(matches!(kit.engine.job(&kit.tenant, job).await, Err(Refusal::NotFound)));
}

pub async fn what_was_removed_leaves_nothing_behind(kit: &Kit) {
    let job = ended(kit).await;
    kit.pass_and_sweep(DAY * 30).await;
    assert!(kit.list(&<_>::default(), 10).await.is_empty());
    let owner = queue::store::Key::new(queue::store::Kind::Job, &kit.tenant, job.to_text());
    assert!(
        kit.engine
            .store()
            .blob_names(&owner, "", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let again = kit.try_submit(with_key()).await.unwrap();
    assert_eq!(
        (again.how, again.job.job.id),
        (SubmittedHow::Created, job),
        "the key is free again"
    );
    let view = kit.job(job).await;
    assert_eq!(
        (view.payload.as_deref(), view.result, view.version),
        (Some("7"), None, 1)
    );
    assert_eq!(kit.path(job).await, [StateName::Ready]);
}

pub async fn what_is_not_over_is_never_removed(kit: &Kit) {
    let job = kit.submit_plain().await;
    for _ in 0..3 {
        kit.pass_and_sweep(DAY * 400).await;
    }
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_settled_dead_letter_is_removed_in_its_time(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot
        .finish(&held, failed(domain::job::ErrorKind::Business), None)
        .await
        .unwrap();
    kit.pass(DAY * 20);
    let discarded = domain::job::Settlement::Discarded;
    kit.engine
        .settle_dead_letter(&kit.tenant, job, discarded, &client(), None)
        .await
        .unwrap();
    kit.pass_and_sweep(DAY * 10).await;
    assert!(matches!(kit.engine.job(&kit.tenant, job).await, Err(Refusal::NotFound)));
}

pub async fn a_dedup_key_does_not_outlive_its_job_for_long(kit: &Kit) {
    let asked = || {
        submission(|spec| {
            spec.dedup = Some(Dedup {
                key: "k".to_owned(),
                on_conflict: OnConflict::Reject,
            });
        })
    };
    let job = kit.submit(asked()).await;
    kit.pass_and_sweep(DAY * 3).await;
    assert!(kit.try_submit(asked()).await.is_err(), "as long as it is unfinished");
    kit.cancel(job).await.unwrap();
    let swept = kit.pass_and_sweep(DAY).await;
    assert_eq!(swept.purged, 1, "the key alone");
    kit.submit(asked()).await;
}

pub async fn no_promise_hangs_on_a_hint(kit: &Kit) {
    // Nobody hears the hints of a kit: the sweep and the schedule find everything.
    let job = kit
        .submit(Submission {
            run_at: Some(kit.now() + secs(30)),
            ..submission(|_| {})
        })
        .await;
    let robot = kit.robot(1).await;
    robot.ask(1).await;
    kit.pass_and_sweep(secs(30)).await;
    assert_eq!(kit.engine.dispatch().await.unwrap().assigned, 1);
    let held = robot.take().await;
    assert_eq!((held.job, robot.succeed(&held).await), (job, StateName::Succeeded));
    kit.pass_and_sweep(LEASE).await;
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn counts_are_of_what_there_is(kit: &Kit) {
    kit.submit_many(submissions(5)).await;
    kit.submit(Submission {
        run_at: Some(kit.now() + secs(900)),
        ..submission(|_| {})
    })
    .await;
    kit.submit_spec(|spec| spec.queue = queue("other")).await;
    let robot = kit.robot(3).await;
    let given = robot.ask(3).await;
    robot.sync(0, &[&given[0]]).await;
    // Jobs of one request are some microseconds apart.
    kit.pass(secs(25) + std::time::Duration::from_millis(1));
    robot.succeed(&given[0]).await;
    robot.sync(0, &[&given[1]]).await;
    let stats = kit.engine.stats(&kit.tenant).await.unwrap();
    let queue = stats.queues.iter().find(|queue| queue.name == "default").unwrap();
    assert_eq!(
        (queue.scheduled, queue.ready, queue.leased, queue.running),
        (1, 2, 1, 1)
    );
    assert_eq!(queue.oldest_ready_seconds, Some(25));
    assert_eq!(stats.queues.len(), 2);
    assert_eq!(stats.robots[&domain::robot::RobotState::Busy], 1);
    assert_eq!(kit.engine.depth(100).await.unwrap(), 3);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}
