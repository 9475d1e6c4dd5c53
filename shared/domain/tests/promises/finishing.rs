//! Who may report the end of an attempt, when, and what a report sent again is told.

use domain::{
    Rejection,
    job::{Fence, Loss, OnLost, Reason, StateName},
};

use crate::story::{Story, failed, stopped, succeeded, token, wrong};

/// A story whose attempt was lost and is over, though no other has begun.
fn lost() -> (Story, Fence) {
    let mut story = Story::of_attempts(3);
    let fence = story.start_and_lose();
    (story, fence)
}

#[test]
fn a_success_ends_the_job_and_keeps_its_result() {
    let mut story = Story::of_attempts(3);
    let fence = story.start_and_fail();
    assert!(story.job.error.is_some());
    assert_eq!(
        story.finish(&fence, succeeded()),
        Err(Rejection::OutcomeConflict),
        "that attempt failed"
    );
    let fence = story.start();
    assert_eq!(story.finish(&fence, succeeded()), Ok(StateName::Succeeded));
    assert_eq!((story.job.reason, &story.job.error), (None, &None));
    assert_eq!(story.job.result.as_deref(), Some("result-1"));
}

#[test]
fn a_report_with_another_token_or_attempt_is_refused() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    let other_token = Fence {
        token: token("another"),
        ..fence.clone()
    };
    let other_attempt = Fence {
        attempt: fence.attempt + 1,
        ..fence
    };
    for stale in [other_token, other_attempt] {
        assert_eq!(story.finish(&stale, succeeded()), Err(Rejection::LeaseLost));
        assert_eq!(story.renew(&stale), Err(Rejection::LeaseLost));
        assert_eq!(story.release(&stale), Err(Rejection::LeaseLost));
        assert_eq!(story.lose(&stale, Loss::Removed), Err(Rejection::LeaseLost));
    }
}

#[test]
fn a_report_of_a_job_nobody_was_given_is_refused() {
    let mut story = Story::of_attempts(3);
    let fence = Fence {
        attempt: 1,
        token: token("guess"),
    };
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));
    let fence = Fence {
        attempt: 0,
        token: token("guess"),
    };
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));
}

#[test]
fn the_same_report_again_gets_the_same_answer_for_ever() {
    let mut story = Story::of_attempts(2);
    let first = story.start();
    assert_eq!(story.finish(&first, failed()), Ok(StateName::Scheduled));
    assert_eq!(
        story.finish(&first, failed()),
        Err(Rejection::Repeated(StateName::Scheduled))
    );
    story.time_out();
    assert_eq!(
        story.finish(&first, failed()),
        Err(Rejection::Repeated(StateName::Scheduled)),
        "it is ready again"
    );
    let second = story.start();
    assert_eq!(
        story.finish(&first, failed()),
        Err(Rejection::Repeated(StateName::Scheduled)),
        "it was overtaken"
    );
    story.finish(&second, succeeded()).expect("held");
    assert_eq!(
        story.finish(&first, failed()),
        Err(Rejection::Repeated(StateName::Scheduled)),
        "the job is over"
    );
    assert_eq!(
        story.finish(&second, succeeded()),
        Err(Rejection::Repeated(StateName::Succeeded))
    );
}

#[test]
fn another_report_for_a_finished_attempt_is_a_conflict() {
    let mut story = Story::of_attempts(2);
    let fence = story.start();
    story.finish(&fence, failed()).expect("held");
    for other in [succeeded(), wrong(), stopped()] {
        assert_eq!(story.finish(&fence, other), Err(Rejection::OutcomeConflict));
    }
    let wrong_token = Fence {
        token: token("another"),
        ..fence
    };
    assert_eq!(story.finish(&wrong_token, failed()), Err(Rejection::LeaseLost));
}

#[test]
fn a_late_success_that_nobody_overtook_is_accepted_and_burns_nothing_more() {
    let (mut story, fence) = lost();
    assert_eq!(story.finish(&fence, succeeded()), Ok(StateName::Succeeded));
    assert_eq!(story.job.attempts.started, 1);
}

#[test]
fn a_late_report_is_accepted_however_the_lease_came_to_be_over() {
    let mut expired = Story::of_attempts(3);
    let fence = expired.start();
    expired.wait(3_000);
    assert_eq!(
        expired.finish(&fence, succeeded()),
        Ok(StateName::Succeeded),
        "expired, not swept"
    );

    let mut restarted = Story::of_attempts(3);
    let fence = restarted.start();
    restarted.lose(&fence, Loss::Restarted).expect("held");
    assert_eq!(
        restarted.finish(&fence, succeeded()),
        Ok(StateName::Succeeded),
        "robot restarted"
    );

    let mut slow = Story::new(|spec| spec.timeouts.run_seconds = 30);
    let fence = slow.start();
    assert_eq!(slow.time_out(), StateName::Scheduled);
    assert_eq!(
        slow.finish(&fence, succeeded()),
        Ok(StateName::Succeeded),
        "run timeout"
    );

    let mut unstarted = Story::of_attempts(3);
    let fence = unstarted.claim_in_vain();
    assert_eq!(
        unstarted.finish(&fence, succeeded()),
        Ok(StateName::Succeeded),
        "never listed in running"
    );
    assert_eq!(unstarted.job.attempts.started, 1);
}

#[test]
fn a_late_error_that_nobody_overtook_burns_nothing_more_and_leaves_the_job_waiting() {
    let (mut story, fence) = lost();
    assert_eq!(story.finish(&fence, failed()), Ok(StateName::Ready));
    assert_eq!((story.job.attempts.started, story.job.attempts_left()), (1, 2));
    assert!(story.job.error.is_some());
    assert_eq!(
        story.finish(&fence, failed()),
        Err(Rejection::Repeated(StateName::Ready))
    );
}

#[test]
fn a_late_business_error_ends_the_job() {
    let (mut story, fence) = lost();
    assert_eq!(story.finish(&fence, wrong()), Ok(StateName::Failed));
    assert_eq!(story.job.reason, Some(Reason::BusinessError));
}

#[test]
fn a_late_error_of_an_unstarted_last_attempt_ends_the_job() {
    let mut story = Story::of_attempts(1);
    let fence = story.claim_in_vain();
    assert_eq!(story.finish(&fence, failed()), Ok(StateName::Failed));
    assert_eq!(story.stands(), (StateName::Failed, Some(Reason::ApplicationError)));
}

#[test]
fn a_late_report_that_was_overtaken_is_refused() {
    let (mut story, fence) = lost();
    story.claim();
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));
    assert_eq!(story.renew(&fence), Err(Rejection::LeaseLost));
}

#[test]
fn a_late_report_of_a_job_that_ended_otherwise_is_refused() {
    let mut story = Story::new(|spec| spec.on_lost = OnLost::Fail);
    let fence = story.start_and_lose();
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));

    let (mut story, fence) = lost();
    story.cancel().expect("it waits");
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));
    assert_eq!(story.stands().0, StateName::Cancelled);
}

#[test]
fn a_lost_lease_is_not_renewed() {
    let (mut story, fence) = lost();
    assert_eq!(story.renew(&fence), Err(Rejection::LeaseLost));
    assert_eq!(story.lose(&fence, Loss::Restarted), Err(Rejection::LeaseLost));
}

#[test]
fn a_robot_that_stops_by_itself_cancels_the_job() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    assert_eq!(story.finish(&fence, stopped()), Ok(StateName::Cancelled));
    assert_eq!(story.job.reason, Some(Reason::CancelledByRobot));
}

#[test]
fn attempts_are_numbered_from_one_and_never_reused() {
    let mut story = Story::of_attempts(3);
    let released = story.claim();
    story.release(&released).expect("held");
    let unstarted = story.claim_in_vain();
    let failed = story.start_and_fail();
    let last = story.start();
    assert_eq!(
        [released.attempt, unstarted.attempt, failed.attempt, last.attempt],
        [1, 2, 3, 4]
    );
}
