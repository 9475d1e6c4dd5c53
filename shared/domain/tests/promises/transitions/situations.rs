//! The situations a job can be in, each reached by events alone.

use domain::{
    JobSpec,
    job::{Fence, OnLost, Report, UNSTARTED_MAX},
};

use crate::story::{Story, at, failed, job, spec, stopped, succeeded, token};

/// A situation, and what it takes to ask about it.
pub(crate) struct Situation {
    /// What sets it apart from others of its state.
    pub(crate) name: &'static str,
    pub(crate) story: Story,
    /// What its latest attempt was reported as, if it was.
    pub(crate) reported: Option<Report>,
}

impl Situation {
    fn new(name: &'static str, story: Story) -> Self {
        Self {
            name,
            story,
            reported: None,
        }
    }

    fn reported(name: &'static str, mut story: Story, report: Report) -> Self {
        let fence = story.fence();
        story.finish(&fence, report.clone()).expect("the lease is held");
        Self {
            name,
            story,
            reported: Some(report),
        }
    }

    /// The right fence.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.story.job.state.last_hold().map(domain::job::Hold::fence)
    }

    /// The fence of the attempt before the latest; one that was never given where there is none.
    pub(crate) fn older_fence(&self) -> Fence {
        let attempt = self.story.job.attempts.given.saturating_sub(1).max(1);
        Fence {
            attempt,
            token: token(&format!("token-{attempt}")),
        }
    }

    /// The right attempt with a token that was never given.
    pub(crate) fn wrong_token(&self) -> Fence {
        Fence {
            attempt: self.story.job.attempts.given.max(1),
            token: token("guess"),
        }
    }
}

/// Every situation that fares differently from the others of its state, in the order of a job's life.
pub(crate) fn situations() -> Vec<Situation> {
    [waiting(), held(), over()].into_iter().flatten().collect()
}

/// A ready job whose first attempt was given back, so that there is an older fence.
fn released(change: impl FnOnce(&mut JobSpec)) -> Story {
    let mut story = Story::new(change);
    let fence = story.claim();
    story.release(&fence).expect("the lease is held");
    story
}

fn of_attempts(max_attempts: u32) -> Story {
    released(|spec| spec.retry.max_attempts = max_attempts)
}

/// A job whose latest attempt has begun.
fn started(max_attempts: u32) -> Story {
    let mut story = of_attempts(max_attempts);
    story.start();
    story
}

/// The story a step further.
fn then<T>(mut story: Story, step: impl FnOnce(&mut Story) -> T) -> Story {
    step(&mut story);
    story
}

fn waiting() -> Vec<Situation> {
    let slow = released(|spec| spec.timeouts.run_seconds = 30);
    let release = |story: &mut Story| {
        let fence = story.claim();
        story.release(&fence).expect("the lease is held")
    };
    vec![
        Situation::new(
            "new",
            Story {
                job: job(spec(), Some(at(600))),
                now: at(0),
            },
        ),
        Situation::reported("after a reported error", started(3), failed()),
        Situation::new("after a run timeout", then(then(slow, Story::start), Story::time_out)),
        Situation::new("new", Story::of_attempts(3)),
        Situation::new(
            "its started attempt was lost",
            then(of_attempts(3), Story::start_and_lose),
        ),
        Situation::new("its attempt never started", then(of_attempts(3), Story::claim_in_vain)),
        Situation::new(
            "its only attempt never started",
            then(of_attempts(1), Story::claim_in_vain),
        ),
        Situation::new("its attempt was released", then(of_attempts(3), release)),
    ]
}

fn held() -> Vec<Situation> {
    let in_vain = |story: &mut Story| (1..UNSTARTED_MAX).for_each(|_| drop(story.claim_in_vain()));
    let cancel = |story: &mut Story| story.cancel().expect("it runs");
    let hear = |story: &mut Story| story.renew(&story.fence()).expect("the lease is held");
    let once_only = released(|spec| spec.on_lost = OnLost::Fail);
    vec![
        Situation::new("attempts left", then(of_attempts(3), Story::claim)),
        Situation::new("last attempt", then(of_attempts(1), Story::claim)),
        Situation::new(
            "nine in a row never started",
            then(then(of_attempts(3), in_vain), Story::claim),
        ),
        Situation::new("attempts left", started(3)),
        Situation::new(
            "after a reported error",
            then(then(of_attempts(3), Story::start_and_fail), Story::start),
        ),
        Situation::new("last attempt", started(1)),
        Situation::new(
            "last attempt, one lost before",
            then(then(of_attempts(2), Story::start_and_lose), Story::start),
        ),
        Situation::new("`on_lost: fail`", then(once_only, Story::start)),
        Situation::new("cancel requested", then(started(3), cancel)),
        Situation::new("cancel told", then(then(started(3), cancel), hear)),
    ]
}

fn over() -> Vec<Situation> {
    let slow = released(|spec| (spec.retry.max_attempts, spec.timeouts.run_seconds) = (1, 30));
    let settled = Situation::reported("settled", started(1), failed());
    vec![
        Situation::reported("reported", started(3), succeeded()),
        Situation::reported("reported", started(1), failed()),
        Situation::new("its robot was lost", then(started(1), Story::time_out)),
        Situation {
            story: then(settled.story, Story::settle),
            ..settled
        },
        Situation::new(
            "its last run timed out",
            then(then(slow, Story::start), Story::time_out),
        ),
        Situation::new("before it ran", then(then(of_attempts(3), Story::claim), Story::cancel)),
        Situation::reported("reported", then(started(3), Story::cancel), stopped()),
    ]
}
