//! Cancel: at once while no robot has begun, by way of the robot after that, and never a second run.

use domain::job::{ErrorKind, Outcome, Reason, StateName};
use queue::{JobFilter, LeaseStatus, Refusal, Settings, Submission};

use crate::kit::{Kit, LEASE, client, failed, queue, secs, submission, submissions};

const CANCELLED: (StateName, Option<Reason>) = (StateName::Cancelled, Some(Reason::CancelledByClient));

pub async fn a_job_that_waits_is_cancelled_at_once(kit: &Kit) {
    let ready = kit.submit_plain().await;
    let scheduled = kit
        .submit(Submission {
            run_at: Some(kit.now() + secs(9)),
            ..submission(|_| {})
        })
        .await;
    for job in [ready, scheduled] {
        let view = kit.cancel(job).await.unwrap();
        assert_eq!(view, kit.job(job).await);
        assert_eq!((view.job.state.name(), view.job.reason), CANCELLED);
        assert_eq!(view.job.cancel_requested_at, Some(kit.now()));
    }
    kit.pass_and_sweep(secs(3_600)).await;
    assert!(kit.robot(9).await.ask(9).await.is_empty(), "and no robot gets it");
}

pub async fn a_leased_job_is_cancelled_at_once_and_its_robot_is_told_lost(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    kit.cancel(job).await.unwrap();
    assert_eq!(kit.standing(job).await, CANCELLED);
    assert_eq!(robot.renew(&held).await, LeaseStatus::Lost);
    let late = robot.finish(&held, Outcome::Succeeded, None).await;
    assert!(
        matches!(late, Err(Refusal::Job(domain::Rejection::LeaseLost))),
        "no success after cancelled"
    );
    kit.submit_plain().await;
    assert_eq!(robot.ask(1).await.len(), 1, "its slot is free again");
}

pub async fn a_running_job_is_stopped_by_its_robot(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let view = kit.cancel(job).await.unwrap();
    assert_eq!(
        (view.job.state.name(), view.job.cancel_requested_at),
        (StateName::Running, Some(kit.now()))
    );
    let told = &robot.sync(0, &[&held]).await.leases[0];
    assert_eq!((told.status, told.grace), (LeaseStatus::Cancel, Some(secs(30))));
    assert!(told.ttl.unwrap() >= secs(30));
    assert_eq!(
        robot.finish(&held, Outcome::Cancelled, None).await.unwrap().state,
        StateName::Cancelled
    );
    assert_eq!(kit.standing(job).await, CANCELLED);
}

pub async fn a_cancelled_job_that_fails_is_cancelled(kit: &Kit) {
    let robot = kit.robot(1).await;
    for kind in [ErrorKind::Application, ErrorKind::Business] {
        let job = kit.submit_plain().await;
        let held = robot.begin().await;
        kit.cancel(job).await.unwrap();
        robot.finish(&held, failed(kind), None).await.unwrap();
        assert_eq!(kit.standing(job).await, CANCELLED);
    }
}

pub async fn a_success_that_is_reported_first_stands(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.cancel(job).await.unwrap();
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    assert!(matches!(
        kit.cancel(job).await,
        Err(Refusal::Job(domain::Rejection::Finished))
    ));
    assert_eq!(kit.state(job).await, StateName::Succeeded);
}

pub async fn a_cancelled_job_whose_robot_is_lost_does_not_run_again(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.cancel(job).await.unwrap();
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.standing(job).await, CANCELLED);
    assert!(robot.finish(&held, Outcome::Succeeded, None).await.is_err());
    assert_eq!(kit.state(job).await, StateName::Cancelled);
}

pub async fn a_robot_that_does_not_stop_is_not_waited_for(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.cancel(job).await.unwrap();
    // It goes on renewing; the grace and one lease are all it gets.
    for _ in 0..9 {
        robot.sync(0, &[&held]).await;
        kit.pass_and_sweep(secs(10)).await;
    }
    assert_eq!(kit.standing(job).await, CANCELLED);
}

pub async fn a_cancelled_job_whose_robot_starts_anew_is_cancelled(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    robot.begin().await;
    kit.cancel(job).await.unwrap();
    robot.open_session(&[]).await;
    assert_eq!(kit.standing(job).await, CANCELLED);
}

pub async fn a_cancel_again_answers_the_same(kit: &Kit) {
    let job = kit.submit_plain().await;
    let first = kit.cancel(job).await.unwrap();
    kit.pass(secs(9));
    assert_eq!(kit.cancel(job).await.unwrap(), first);
    let running = kit.submit_plain().await;
    kit.robot(1).await.begin().await;
    let first = kit.cancel(running).await.unwrap();
    kit.pass(secs(9));
    assert_eq!(kit.cancel(running).await.unwrap(), first);
}

pub async fn what_a_client_says_of_a_cancel_is_kept(kit: &Kit) {
    let job = kit.submit_plain().await;
    let note = Some("wrong month \u{1F40E}".to_owned());
    kit.engine
        .cancel(&kit.tenant, job, &client(), note.clone())
        .await
        .unwrap();
    assert_eq!(kit.job(job).await.job.note, note);
}

pub async fn a_job_that_is_over_otherwise_cannot_be_cancelled(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.finish(&held, failed(ErrorKind::Business), None).await.unwrap();
    let before = kit.job(job).await;
    assert!(matches!(
        kit.cancel(job).await,
        Err(Refusal::Job(domain::Rejection::Finished))
    ));
    assert_eq!(kit.job(job).await, before);
}

pub async fn many_jobs_are_cancelled_by_a_filter(kit: &Kit) {
    kit.submit_many(submissions(450)).await;
    kit.pass(secs(1));
    let other = kit.submit_spec(|spec| spec.queue = queue("other")).await;
    let robot = kit.robot(2).await;
    let (running, done) = (robot.begin().await, robot.begin().await);
    robot.succeed(&done).await;
    let filter = JobFilter {
        queue: Some(queue("default")),
        ..JobFilter::default()
    };
    let dry = kit
        .engine
        .bulk_cancel(&kit.tenant, &filter, &client(), true)
        .await
        .unwrap();
    assert_eq!((dry.matched, dry.changed), (450, 0));
    assert_eq!(kit.state(running.job).await, StateName::Running);
    assert_eq!(
        kit.job(running.job).await.job.cancel_requested_at,
        None,
        "a dry run changes nothing"
    );
    let real = kit
        .engine
        .bulk_cancel(&kit.tenant, &filter, &client(), false)
        .await
        .unwrap();
    assert_eq!(
        (real.matched, real.changed),
        (450, 449),
        "the one that is over stays as it is"
    );
    assert_eq!(kit.state(other).await, StateName::Ready);
    assert_eq!(kit.state(done.job).await, StateName::Succeeded);
    assert!(kit.job(running.job).await.job.cancel_requested_at.is_some());
    let cancelled = JobFilter {
        state: Some(StateName::Cancelled),
        ..JobFilter::default()
    };
    assert_eq!(kit.list(&cancelled, 200).await.len(), 448);
    let again = kit
        .engine
        .bulk_cancel(&kit.tenant, &filter, &client(), false)
        .await
        .unwrap();
    assert_eq!((again.matched, again.changed), (450, 0));
}

pub async fn a_cancel_that_races_with_a_lease_ends_the_job_or_asks_its_robot(kit: &Kit) {
    for round in 0..10 {
        let job = kit.submit_plain().await;
        let robot = kit.robot(1).await;
        let (other, asked) = (kit.beside(round + 100, Settings::default()), robot.request(1, &[]));
        let cancelling = tokio::spawn(async move { other.cancel(job).await });
        let answer = robot.send(asked).await.unwrap();
        let cancelled = cancelling.await.unwrap().unwrap();
        assert_eq!(
            cancelled.job.state.name(),
            StateName::Cancelled,
            "it had not begun in any case"
        );
        if let Some(given) = answer.assign.first() {
            assert_eq!(robot.renew(&given.into()).await, LeaseStatus::Lost);
        }
        assert_eq!(kit.standing(job).await, CANCELLED);
    }
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_cancel_that_races_with_a_success_has_one_outcome(kit: &Kit) {
    for round in 0..10 {
        let job = kit.submit_plain().await;
        let robot = kit.robot(1).await;
        let held = robot.begin().await;
        let other = kit.beside(round + 100, Settings::default());
        let cancelling = tokio::spawn(async move { other.cancel(job).await });
        let finished = robot.finish(&held, Outcome::Succeeded, None).await.unwrap();
        let cancelled = cancelling.await.unwrap();
        assert_eq!(finished.state, StateName::Succeeded);
        assert_eq!(kit.state(job).await, StateName::Succeeded);
        if let Ok(asked) = cancelled {
            assert_eq!(
                asked.job.state.name(),
                StateName::Running,
                "asked before the report came"
            );
        }
    }
}
