//! Finish and release: what a robot reports of an attempt, once, late, twice, or without the right.

use domain::{
    Rejection,
    job::{ErrorKind, JobError, OnLost, Outcome, Reason, StateName},
};
use queue::{LeaseStatus, Refusal, Settings};

use crate::kit::{Kit, LEASE, failed, report, secs};

fn lost<T: std::fmt::Debug>(answer: Result<T, Refusal>) {
    let refusal = answer.expect_err("the lease is lost");
    assert!(matches!(refusal, Refusal::Job(Rejection::LeaseLost)), "{refusal:?}");
}

pub async fn a_success_is_kept_with_its_result(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let result = r#"{"pages":"\u0000","n":7}"#;
    let answer = robot.finish(&held, Outcome::Succeeded, Some(result)).await.unwrap();
    assert_eq!((answer.state, answer.repeated), (StateName::Succeeded, false));
    let view = kit.job(job).await;
    assert_eq!(
        (view.job.state.name(), view.result.as_deref()),
        (StateName::Succeeded, Some(result))
    );
}

pub async fn the_same_report_again_gets_the_same_answer(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.finish(&held, Outcome::Succeeded, Some("1")).await.unwrap();
    let before = kit.job(job).await;
    kit.pass(secs(100));
    let again = robot.finish(&held, Outcome::Succeeded, Some("1")).await.unwrap();
    assert_eq!((again.state, again.repeated), (StateName::Succeeded, true));
    assert_eq!(kit.job(job).await, before, "without a second effect");
}

pub async fn the_same_report_again_is_known_after_a_later_attempt_began(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert_eq!(robot.fail(&held).await, StateName::Scheduled);
    kit.pass_and_sweep(secs(10)).await;
    let next = robot.begin().await;
    assert_eq!(next.job, job);
    assert_eq!(robot.fail(&held).await, StateName::Scheduled, "as it was answered then");
    assert_eq!(kit.state(job).await, StateName::Running);
    robot.succeed(&next).await;
    assert_eq!(
        robot.fail(&held).await,
        StateName::Scheduled,
        "also when the job is over"
    );
}

pub async fn another_report_of_a_finished_attempt_is_a_conflict(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.finish(&held, Outcome::Succeeded, Some("1")).await.unwrap();
    for other in [
        robot.finish(&held, Outcome::Succeeded, Some("2")).await,
        robot.finish(&held, failed(ErrorKind::Application), None).await,
        robot.finish(&held, Outcome::Cancelled, None).await,
    ] {
        assert!(
            matches!(other, Err(Refusal::Job(Rejection::OutcomeConflict))),
            "{other:?}"
        );
    }
    let view = kit.job(job).await;
    assert_eq!(
        (view.job.state.name(), view.result.as_deref()),
        (StateName::Succeeded, Some("1"))
    );
}

pub async fn a_wrong_token_or_attempt_is_told_lost(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let (mut token, mut attempt) = (held.clone(), held.clone());
    token.fence.token = "lt_wrong".parse().unwrap();
    attempt.fence.attempt = 2;
    let before = kit.job(job).await;
    for wrong in [&token, &attempt] {
        lost(robot.finish(wrong, Outcome::Succeeded, None).await);
        lost(robot.release(wrong).await);
        lost(robot.log(wrong, 0, "x").await);
        lost(robot.checkpoint(wrong, "page", "1").await);
    }
    assert_eq!(kit.job(job).await, before);
}

pub async fn another_robot_cannot_speak_for_an_attempt(kit: &Kit) {
    let job = kit.submit_plain().await;
    let (robot, thief) = (kit.robot(1).await, kit.robot(1).await);
    let held = robot.begin().await;
    assert!(matches!(
        thief.finish(&held, Outcome::Succeeded, None).await,
        Err(Refusal::WrongRobot)
    ));
    assert!(matches!(thief.release(&held).await, Err(Refusal::WrongRobot)));
    assert!(matches!(thief.log(&held, 0, "x").await, Err(Refusal::WrongRobot)));
    assert!(matches!(
        thief.checkpoint(&held, "page", "1").await,
        Err(Refusal::WrongRobot)
    ));
    assert_eq!(kit.state(job).await, StateName::Running);
}

pub async fn an_overtaken_report_is_told_lost(kit: &Kit) {
    let job = kit.submit_plain().await;
    let (robot, other) = (kit.robot(1).await, kit.robot(1).await);
    let old = robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    let new = other.take().await;
    lost(robot.finish(&old, Outcome::Succeeded, None).await);
    assert_eq!(kit.state(job).await, StateName::Leased);
    assert_eq!(other.renew(&new).await, LeaseStatus::Renewed);
    lost(robot.finish(&old, failed(ErrorKind::Business), None).await);
    assert_eq!(other.succeed(&new).await, StateName::Succeeded);
}

pub async fn a_report_of_a_job_that_ended_otherwise_is_told_lost(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.deadline = Some(kit.now() + secs(30))).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.pass_and_sweep(secs(30)).await;
    assert_eq!(kit.standing(job).await, (StateName::TimedOut, Some(Reason::Deadline)));
    lost(robot.finish(&held, Outcome::Succeeded, None).await);
    assert_eq!(kit.state(job).await, StateName::TimedOut);
}

pub async fn a_late_report_that_nobody_overtook_is_taken(kit: &Kit) {
    let robot = kit.robot(1).await;
    let expired = kit.submit_plain().await;
    let held = robot.begin().await;
    kit.pass(LEASE * 2);
    assert_eq!(
        robot.succeed(&held).await,
        StateName::Succeeded,
        "expired and not swept"
    );
    assert_eq!(kit.state(expired).await, StateName::Succeeded);
    let swept = kit.submit_plain().await;
    let held = robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.state(swept).await, StateName::Ready);
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded, "swept");
    assert_eq!(
        kit.job(swept).await.job.attempts.started,
        1,
        "no second attempt is burnt"
    );
    let late = kit.submit_spec(|spec| spec.timeouts.run_seconds = 5).await;
    let held = robot.begin().await;
    kit.pass_and_sweep(secs(5)).await;
    assert_eq!(kit.state(late).await, StateName::Scheduled);
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded, "run timeout");
}

pub async fn a_late_report_after_a_restart_is_taken(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.open_session(&[]).await;
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    assert_eq!(kit.state(job).await, StateName::Succeeded);
    assert!(robot.ask(1).await.is_empty(), "and the job is not handed out again");
}

pub async fn a_late_failure_burns_no_second_attempt(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    let answer = robot.finish(&held, failed(ErrorKind::Application), None).await.unwrap();
    assert_eq!(answer.state, StateName::Ready, "it waits for its next attempt already");
    assert_eq!(kit.job(job).await.job.attempts_left(), 2);
    let business = robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    robot
        .finish(&business, failed(ErrorKind::Business), None)
        .await
        .unwrap();
    assert_eq!(
        kit.standing(job).await,
        (StateName::Failed, Some(Reason::BusinessError))
    );
}

pub async fn an_attempt_that_was_never_listed_counts_as_begun(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.retry.max_attempts = 1).await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    assert_eq!(robot.fail(&held).await, StateName::Failed);
    assert_eq!(
        kit.standing(job).await,
        (StateName::Failed, Some(Reason::ApplicationError))
    );
    assert_eq!(kit.job(job).await.job.attempts.started, 1);
}

pub async fn an_unlisted_attempt_reported_late_counts_as_begun(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.retry.max_attempts = 1).await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
    assert_eq!(robot.fail(&held).await, StateName::Failed);
    assert_eq!(kit.state(job).await, StateName::Failed, "its one attempt is burnt");
}

pub async fn an_error_is_tried_again_until_the_budget_is_spent(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    for (state, wait) in [
        (StateName::Scheduled, 10),
        (StateName::Scheduled, 20),
        (StateName::Failed, 0),
    ] {
        let held = robot.begin().await;
        assert_eq!(robot.fail(&held).await, state);
        if wait > 0 {
            kit.pass_and_sweep(secs(wait - 1)).await;
            assert_eq!(
                kit.standing(job).await,
                (StateName::Scheduled, Some(Reason::RetryBackoff))
            );
            kit.pass_and_sweep(secs(1)).await;
            assert_eq!(kit.state(job).await, StateName::Ready);
        }
    }
    let view = kit.job(job).await.job;
    assert_eq!(
        (view.reason, view.error.unwrap().message),
        (Some(Reason::ApplicationError), "it broke".to_owned())
    );
}

pub async fn a_robot_may_say_when_to_try_again(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.retry.max_seconds = 60).await;
    let robot = kit.robot(1).await;
    for (asked, waits) in [(7, 7), (1_000, 60)] {
        let held = robot.begin().await;
        let error = JobError {
            kind: ErrorKind::Application,
            code: None,
            message: String::new(),
        };
        let outcome = Outcome::Failed {
            error,
            retry_after_seconds: Some(asked),
        };
        robot.finish(&held, outcome, None).await.unwrap();
        kit.pass_and_sweep(secs(waits - 1)).await;
        assert_eq!(kit.state(job).await, StateName::Scheduled);
        kit.pass_and_sweep(secs(1)).await;
        assert_eq!(kit.state(job).await, StateName::Ready);
    }
}

pub async fn a_business_error_is_not_tried_again(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.finish(&held, failed(ErrorKind::Business), None).await.unwrap();
    assert_eq!(
        kit.standing(job).await,
        (StateName::Failed, Some(Reason::BusinessError))
    );
}

pub async fn a_robot_may_cancel_what_nobody_asked_it_to(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.finish(&held, Outcome::Cancelled, None).await.unwrap();
    assert_eq!(
        kit.standing(job).await,
        (StateName::Cancelled, Some(Reason::CancelledByRobot))
    );
}

pub async fn many_reports_are_taken_each_for_itself(kit: &Kit) {
    kit.submit_many(crate::kit::submissions(3)).await;
    let robot = kit.robot(3).await;
    let given = robot.ask(3).await;
    let mut wrong = given[1].clone();
    wrong.fence.token = "lt_wrong".parse().unwrap();
    let reports =
        [&given[0], &wrong, &given[2], &given[0]].map(|held| (held.job, report(held, Outcome::Succeeded, None)));
    let answers = kit
        .engine
        .finish_many(&kit.tenant, &robot.id, reports.to_vec())
        .await
        .unwrap();
    assert!(matches!(
        answers[0],
        Ok(queue::Answered {
            state: StateName::Succeeded,
            repeated: false
        })
    ));
    assert!(matches!(answers[1], Err(Refusal::Job(Rejection::LeaseLost))));
    assert!(matches!(answers[2], Ok(queue::Answered { repeated: false, .. })));
    assert!(matches!(
        answers[3],
        Ok(queue::Answered {
            state: StateName::Succeeded,
            repeated: true
        })
    ));
    assert_eq!(kit.state(given[1].job).await, StateName::Leased);
}

pub async fn racing_reports_have_one_outcome(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let racing = (0..6_u64).map(|place| {
        let kit = kit.beside(20 + place, Settings::default());
        let result = (place % 2).to_string();
        let (id, report) = (robot.id.clone(), report(&held, Outcome::Succeeded, Some(&result)));
        tokio::spawn(async move { (result, kit.engine.finish(&kit.tenant, &id, job, report).await) })
    });
    let answers = futures::future::join_all(racing).await;
    let stored = kit.job(job).await.result.unwrap();
    for answer in answers {
        let (result, answer) = answer.unwrap();
        match answer {
            Ok(_) => assert_eq!(result, stored),
            Err(Refusal::Job(Rejection::OutcomeConflict)) => assert_ne!(result, stored),
            Err(refusal) => panic!("{refusal:?}"),
        }
    }
    assert_eq!(
        kit.path(job).await.iter().filter(|state| state.is_terminal()).count(),
        1
    );
}

pub async fn an_unstarted_job_is_given_back_and_burns_nothing(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    for _ in 0..12 {
        let held = robot.take().await;
        assert_eq!(robot.release(&held).await.unwrap(), StateName::Ready);
        assert_eq!(
            robot.release(&held).await.unwrap(),
            StateName::Ready,
            "again answers the same"
        );
    }
    let view = kit.job(job).await.job;
    assert_eq!(
        (view.state.name(), view.attempts_left(), view.attempts.unstarted),
        (StateName::Ready, 3, 0)
    );
}

pub async fn a_started_job_cannot_be_given_back(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert!(matches!(
        robot.release(&held).await,
        Err(Refusal::Job(Rejection::AlreadyStarted))
    ));
    assert_eq!(kit.state(job).await, StateName::Running);
}

pub async fn a_job_that_nobody_begins_ends_as_undeliverable(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    for _ in 0..10 {
        assert_eq!(kit.state(job).await, StateName::Ready);
        robot.take().await;
        kit.pass_and_sweep(LEASE).await;
    }
    assert_eq!(
        kit.standing(job).await,
        (StateName::Failed, Some(Reason::Undeliverable))
    );
}

pub async fn lost_attempts_end_as_the_contract_says(kit: &Kit) {
    let robot = kit.robot(1).await;
    let once = kit.submit_spec(|spec| spec.retry.max_attempts = 1).await;
    robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.standing(once).await, (StateName::Failed, Some(Reason::LeaseLost)));
    let fragile = kit.submit_spec(|spec| spec.on_lost = OnLost::Fail).await;
    robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(
        kit.standing(fragile).await,
        (StateName::Failed, Some(Reason::LeaseLost))
    );
    let twice = kit.submit_spec(|spec| spec.retry.max_attempts = 2).await;
    robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.standing(twice).await, (StateName::Ready, Some(Reason::LeaseLost)));
    robot.begin().await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.standing(twice).await, (StateName::Failed, Some(Reason::Poison)));
}
