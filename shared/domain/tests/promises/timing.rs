//! Timers: which is due when, which goes first, and how long a retry waits.

use std::time::Duration;

use domain::{
    Job, JobSpec, Rejection, Timestamp,
    job::{ErrorKind, OnLost, Priority, Reason, State, StateName},
};

use crate::story::{LEASE, Story, at, failure, job, spec};

fn scheduled(spec: JobSpec, run_at: Timestamp) -> Story {
    Story {
        job: job(spec, Some(run_at)),
        now: at(0),
    }
}

/// Reports an error with a wish when to be asked again, and answers with how long the job then waits.
fn wait_after(story: &mut Story, retry_after_seconds: Option<u32>) -> Duration {
    let fence = story.start();
    story
        .finish(&fence, failure(ErrorKind::Application, retry_after_seconds))
        .expect("held");
    assert_eq!(story.stands(), (StateName::Scheduled, Some(Reason::RetryBackoff)));
    let State::Scheduled { until, .. } = story.job.state else {
        panic!("it is scheduled")
    };
    let wait = until.since(story.now);
    story.time_out();
    wait
}

#[test]
fn a_job_becomes_ready_at_its_time_and_not_before() {
    let mut story = scheduled(spec(), at(60));
    story.wait(59);
    assert_eq!(story.tick(), Err(Rejection::NothingDue));
    story.wait(1);
    assert_eq!(story.tick(), Ok(StateName::Ready));
    assert_eq!(story.job.queued_at, at(60));
}

#[test]
fn a_late_sweep_does_not_cost_a_job_its_place() {
    let mut story = scheduled(spec(), at(60));
    story.wait(300);
    story.tick().expect("due");
    assert_eq!(story.job.queued_at, at(60));
}

#[test]
fn a_time_that_is_not_ahead_means_now() {
    for run_at in [Timestamp::from_millis(0), at(0)] {
        let story = scheduled(spec(), run_at);
        assert_eq!((story.stands().0, story.job.queued_at), (StateName::Ready, at(0)));
    }
}

#[test]
fn backoff_grows_with_each_attempt_up_to_the_longest() {
    let mut story = Story::new(|spec| {
        spec.retry.max_attempts = 10;
        spec.retry.max_seconds = 35;
    });
    let waits: Vec<_> = (0..4).map(|_| wait_after(&mut story, None).as_secs()).collect();
    assert_eq!(waits, [10, 20, 35, 35]);
}

#[test]
fn retry_after_takes_the_place_of_the_backoff_at_most_max_seconds() {
    let mut story = Story::new(|spec| {
        spec.retry.max_attempts = 10;
        spec.retry.max_seconds = 100;
    });
    let waits: Vec<_> = [7, 0, 100, 5_000]
        .map(|asked| wait_after(&mut story, Some(asked)).as_secs())
        .to_vec();
    assert_eq!(waits, [7, 0, 100, 100]);
}

#[test]
fn a_lost_job_is_ready_at_once() {
    let mut story = Story::of_attempts(3);
    story.start_and_lose();
    assert_eq!(story.stands(), (StateName::Ready, Some(Reason::LeaseLost)));
}

#[test]
fn a_run_timeout_counts_from_the_start_and_backs_off() {
    let mut story = Story::new(|spec| spec.timeouts.run_seconds = 100);
    let fence = story.claim();
    story.wait(50);
    story.renew(&fence).expect("held");
    for _ in 0..2 {
        story.wait(40);
        story.renew(&fence).expect("held");
    }
    assert_eq!(story.job.next_timer(), Some(at(150)));
    story.wait(20);
    assert_eq!(
        story.renew(&fence),
        Err(Rejection::LeaseLost),
        "its time is over, swept or not"
    );
    assert_eq!(story.tick(), Ok(StateName::Scheduled));
    assert_eq!(story.job.reason, Some(Reason::RetryBackoff));
}

#[test]
fn a_run_timeout_of_the_last_attempt_ends_timed_out() {
    let mut story = Story::new(|spec| (spec.retry.max_attempts, spec.timeouts.run_seconds) = (1, 30));
    story.start();
    assert_eq!(story.time_out(), StateName::TimedOut);
    assert_eq!(story.job.reason, Some(Reason::RunTimeout));
}

#[test]
fn what_ended_first_counts_when_the_sweep_comes_late() {
    let late = |run_seconds| {
        let mut story = Story::new(|spec| (spec.retry.max_attempts, spec.timeouts.run_seconds) = (1, run_seconds));
        story.start();
        story.wait(10_000);
        story.tick().expect("due");
        story.stands()
    };
    assert_eq!(
        late(LEASE.as_secs().try_into().expect("small")),
        (StateName::TimedOut, Some(Reason::RunTimeout))
    );
    assert_eq!(late(600), (StateName::Failed, Some(Reason::LeaseLost)));
}

#[test]
fn a_run_timeout_is_no_loss() {
    let mut story = Story::new(|spec| (spec.on_lost, spec.timeouts.run_seconds) = (OnLost::Fail, 30));
    story.start();
    assert_eq!(story.time_out(), StateName::Scheduled);
    assert_eq!(story.job.attempts.lost, 0);
}

#[test]
fn a_queue_timeout_counts_from_when_the_job_became_ready() {
    let mut spec = spec();
    spec.timeouts.queue_seconds = Some(100);
    let mut story = scheduled(spec, at(60));
    story.time_out();
    assert_eq!(story.job.next_timer(), Some(at(160)));
    assert_eq!(story.time_out(), StateName::TimedOut);
    assert_eq!(story.job.reason, Some(Reason::QueueTimeout));
}

#[test]
fn a_queue_timeout_counts_anew_after_each_attempt_and_not_while_a_robot_has_the_job() {
    let mut story = Story::new(|spec| spec.timeouts.queue_seconds = Some(30));
    story.start_and_lose();
    assert_eq!(story.job.next_timer(), Some(at(60 + 30)));
}

#[test]
fn a_deadline_ends_a_job_in_any_state() {
    let until = |story: &mut Story| {
        while story.job.next_timer() != Some(at(1_000)) {
            story.wait(30);
            let fence = story.fence();
            story.renew(&fence).expect("held");
        }
        (story.time_out(), story.job.reason)
    };
    let story = |job: Job| Story { job, now: at(0) };
    let with_deadline = || JobSpec {
        deadline: Some(at(1_000)),
        ..spec()
    };
    let mut waiting = story(job(with_deadline(), Some(at(5_000))));
    let mut ready = story(job(with_deadline(), None));
    let mut running = ready.clone();
    running.start();
    let mut leased = ready.clone();
    leased.wait(980);
    leased.claim();
    for story in [&mut waiting, &mut ready, &mut running, &mut leased] {
        assert_eq!(until(story), (StateName::TimedOut, Some(Reason::Deadline)));
    }
}

#[test]
fn a_job_that_is_about_to_time_out_is_not_handed_out() {
    let mut story = Story::new(|spec| spec.timeouts.queue_seconds = Some(30));
    story.wait(30);
    let event = domain::Event::Claim {
        robot: crate::story::robot(),
        token: crate::story::token("token"),
        lease: LEASE,
    };
    assert_eq!(story.tell(&event), Err(Rejection::NotReady));
}

#[test]
fn a_renewal_never_shortens_a_lease() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    let before = story.job.next_timer();
    story
        .tell(&domain::Event::Renew {
            fence,
            lease: Duration::from_secs(10),
            progress: None,
        })
        .expect("held");
    assert_eq!(story.job.next_timer(), before);
}

#[test]
fn a_job_handed_over_late_has_a_whole_lease_to_begin() {
    let mut story = Story::of_attempts(3);
    let fence = story.claim();
    story.wait(50);
    story
        .tell(&domain::Event::HandOver { fence, lease: LEASE })
        .expect("held");
    assert_eq!(story.job.next_timer(), Some(at(50) + LEASE));
    assert_eq!(story.stands().0, StateName::Leased);
}

#[test]
fn the_most_urgent_stands_first_in_its_lane() {
    let bands: Vec<u8> = [20, 19, 5, 0]
        .map(|level| Priority::new(level).expect("a level").band())
        .to_vec();
    assert_eq!(bands, [0, 1, 15, 20]);
    assert_eq!(Priority::default().level(), 5);
    assert!(Priority::new(21).is_err());
}

#[test]
fn an_attempt_is_not_renewed_from_its_deadline_on() {
    let story = || {
        let mut story = Story::new(|spec| spec.deadline = Some(at(30)));
        let fence = story.start();
        (story, fence)
    };
    let (mut before, fence) = story();
    before.wait(29);
    assert_eq!(before.renew(&fence), Ok(StateName::Running));
    let (mut then, fence) = story();
    then.wait(30);
    assert_eq!(then.renew(&fence), Err(Rejection::LeaseLost));
}
