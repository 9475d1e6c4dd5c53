//! One budget for attempts that started, another bound for leases that never did.

use domain::{
    Rejection,
    job::{Loss, OnLost, Reason, StateName, UNSTARTED_MAX},
};

use crate::story::{Story, failed, succeeded, wrong};

#[test]
fn errors_use_up_the_budget_and_the_last_one_ends_the_job() {
    let mut story = Story::of_attempts(2);
    story.start_and_fail();
    assert_eq!((story.stands().0, story.job.attempts_left()), (StateName::Ready, 1));
    story.start_and_fail();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::ApplicationError)));
    assert_eq!(story.job.attempts_left(), 0);
}

#[test]
fn whatever_ends_a_started_attempt_it_burns_one() {
    let mut story = Story::new(|spec| (spec.retry.max_attempts, spec.timeouts.run_seconds) = (5, 30));
    story.start_and_fail();
    let fence = story.start();
    story.lose(&fence, Loss::Restarted).expect("held");
    let fence = story.start();
    story.lose(&fence, Loss::Removed).expect("held");
    story.start();
    assert_eq!(
        (story.time_out(), story.job.reason),
        (StateName::Scheduled, Some(Reason::RetryBackoff))
    );
    assert_eq!(story.job.attempts.started, 4);
    assert_eq!(story.job.attempts_left(), 1);
}

#[test]
fn the_last_attempt_lost_after_another_loss_is_poison() {
    let mut story = Story::of_attempts(3);
    story.start_and_lose();
    assert_eq!(story.stands(), (StateName::Ready, Some(Reason::LeaseLost)));
    story.start_and_fail();
    story.start_and_lose();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::Poison)));
}

#[test]
fn poison_does_not_ask_how_the_robots_were_lost() {
    let mut story = Story::of_attempts(2);
    story.start_and_lose();
    let fence = story.start();
    story.lose(&fence, Loss::Restarted).expect("held");
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::Poison)));
}

#[test]
fn when_only_the_last_attempt_is_lost_the_job_says_how() {
    let mut story = Story::of_attempts(2);
    story.start_and_fail();
    story.start_and_lose();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::LeaseLost)));

    let mut story = Story::of_attempts(2);
    story.start_and_fail();
    let fence = story.start();
    story.lose(&fence, Loss::Restarted).expect("held");
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::RobotRestarted)));
}

#[test]
fn one_attempt_never_runs_twice() {
    for loss in [None, Some(Loss::Restarted), Some(Loss::Removed)] {
        let mut story = Story::of_attempts(1);
        let fence = story.start();
        match loss {
            None => story.time_out(),
            Some(loss) => story.lose(&fence, loss).expect("held"),
        };
        assert_eq!(story.stands().0, StateName::Failed, "{loss:?}");
    }
    let mut story = Story::new(|spec| (spec.retry.max_attempts, spec.timeouts.run_seconds) = (1, 30));
    story.start();
    assert_eq!(
        (story.time_out(), story.job.reason),
        (StateName::TimedOut, Some(Reason::RunTimeout))
    );
    let mut story = Story::of_attempts(1);
    story.start_and_fail();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::ApplicationError)));
}

#[test]
fn a_lease_that_never_started_burns_nothing() {
    let mut story = Story::of_attempts(1);
    story.claim_in_vain();
    assert_eq!(story.stands(), (StateName::Ready, Some(Reason::LeaseLost)));
    let fence = story.claim();
    story.lose(&fence, Loss::Restarted).expect("held");
    assert_eq!(story.stands(), (StateName::Ready, Some(Reason::RobotRestarted)));
    assert_eq!((story.job.attempts_left(), story.job.attempts.given), (1, 2));
}

#[test]
fn ten_leases_in_a_row_that_never_started_are_undeliverable() {
    let mut story = Story::of_attempts(3);
    for _ in 1..UNSTARTED_MAX {
        story.claim_in_vain();
        assert_eq!(story.stands(), (StateName::Ready, Some(Reason::LeaseLost)));
    }
    story.claim_in_vain();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::Undeliverable)));
    assert_eq!(
        (UNSTARTED_MAX, story.job.attempts.given, story.job.attempts.started),
        (10, 10, 0)
    );
}

#[test]
fn a_start_breaks_the_row_of_leases_that_never_did() {
    let mut story = Story::of_attempts(3);
    for _ in 1..UNSTARTED_MAX {
        story.claim_in_vain();
    }
    story.start_and_lose();
    for _ in 1..UNSTARTED_MAX {
        story.claim_in_vain();
    }
    assert_eq!(story.stands().0, StateName::Ready);
}

#[test]
fn a_release_does_not_count() {
    let mut story = Story::of_attempts(1);
    for _ in 0..=UNSTARTED_MAX {
        let fence = story.claim();
        assert_eq!(story.release(&fence), Ok(StateName::Ready));
    }
    assert_eq!(story.stands(), (StateName::Ready, Some(Reason::Released)));
    assert_eq!((story.job.attempts.unstarted, story.job.attempts.started), (0, 0));
}

#[test]
fn a_started_job_cannot_be_released() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    assert_eq!(story.release(&fence), Err(Rejection::AlreadyStarted));
    story.time_out();
    assert_eq!(
        story.release(&fence),
        Err(Rejection::AlreadyStarted),
        "also when its lease is over"
    );
}

#[test]
fn a_release_sent_again_gets_the_same_answer() {
    let mut story = Story::of_attempts(3);
    let fence = story.claim();
    story.release(&fence).expect("held");
    assert_eq!(story.release(&fence), Err(Rejection::Repeated(StateName::Ready)));
}

#[test]
fn on_lost_fail_ends_at_the_first_loss_with_its_reason() {
    for (loss, reason) in [
        (Loss::Restarted, Reason::RobotRestarted),
        (Loss::Removed, Reason::LeaseLost),
    ] {
        let mut story = Story::new(|spec| spec.on_lost = OnLost::Fail);
        let fence = story.start();
        story.lose(&fence, loss).expect("held");
        assert_eq!(story.stands(), (StateName::Failed, Some(reason)));
    }
    let mut story = Story::new(|spec| spec.on_lost = OnLost::Fail);
    story.start_and_lose();
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::LeaseLost)));
}

#[test]
fn on_lost_fail_does_not_forbid_to_try_again_after_an_error_or_an_unstarted_lease() {
    let mut story = Story::new(|spec| spec.on_lost = OnLost::Fail);
    story.claim_in_vain();
    assert_eq!(story.stands().0, StateName::Ready);
    story.start_and_fail();
    assert_eq!(story.stands().0, StateName::Ready);
}

#[test]
fn a_business_error_is_not_retried() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    assert_eq!(story.finish(&fence, wrong()), Ok(StateName::Failed));
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::BusinessError)));
    assert_eq!(story.job.attempts_left(), 2);
}

#[test]
fn a_job_that_was_never_listed_in_running_counts_as_started_when_it_is_finished() {
    let mut story = Story::of_attempts(2);
    let fence = story.claim();
    assert_eq!(story.finish(&fence, failed()), Ok(StateName::Scheduled));
    assert_eq!(story.job.attempts.started, 1);
    let states: Vec<_> = story.job.history.iter().map(|step| step.to).collect();
    assert_eq!(
        states,
        [
            StateName::Ready,
            StateName::Leased,
            StateName::Running,
            StateName::Scheduled
        ]
    );

    story.time_out();
    let fence = story.claim();
    assert_eq!(story.finish(&fence, succeeded()), Ok(StateName::Succeeded));
    assert_eq!(story.job.attempts.started, 2);
}

#[test]
fn a_lost_job_keeps_its_place_in_the_line_and_one_that_backs_off_does_not() {
    let mut story = Story::of_attempts(3);
    let place = story.job.queued_at;
    story.start_and_lose();
    assert_eq!(story.job.queued_at, place);
    story.start_and_fail();
    assert!(story.job.queued_at > place);
}
