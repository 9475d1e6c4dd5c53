//! What can happen in a situation.

use std::time::Duration;

use domain::{
    Event, Job, Timestamp,
    job::{Actor, Fence, Loss, Report, Settlement, State},
};

use super::situations::Situation;
use crate::story::{LEASE, chance, client, robot, token};

/// A column: its head, and what happens.
pub(crate) struct Question {
    pub(crate) head: &'static str,
    /// `None` where it cannot be asked.
    pub(crate) ask: Box<Ask>,
}

type Ask = dyn Fn(&Situation) -> Option<Asked>;

/// An event that happens to a job at a time.
pub(crate) struct Asked {
    pub(crate) job: Job,
    pub(crate) event: Event,
    pub(crate) now: Timestamp,
}

pub(crate) fn question(head: &'static str, ask: impl Fn(&Situation) -> Option<Asked> + 'static) -> Question {
    Question {
        head,
        ask: Box::new(ask),
    }
}

/// The event happens now.
pub(crate) fn now(situation: &Situation, event: Event) -> Asked {
    Asked {
        job: situation.story.job.clone(),
        event,
        now: situation.story.now,
    }
}

/// The timers of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    RunAt,
    QueueTimeout,
    LeaseEnd,
    RunTimeout,
    Deadline,
}

/// Has the job's `timer` be the first that is due, and gives the moment; `None` where the job has no such timer.
pub(crate) fn arm(situation: &Situation, timer: Timer) -> Option<(Job, Timestamp)> {
    let mut job = situation.story.job.clone();
    let soon = situation.story.now + Duration::from_secs(1);
    let moment = match (timer, &job.state) {
        (Timer::RunAt, State::Scheduled { until, .. }) => *until,
        (Timer::QueueTimeout, State::Ready { since, .. }) => {
            job.spec.timeouts.queue_seconds = Some(30);
            *since + Duration::from_secs(30)
        }
        (Timer::LeaseEnd, State::Leased { lease_ends, .. } | State::Running { lease_ends, .. }) => *lease_ends,
        (Timer::RunTimeout, State::Running { hold, .. }) => {
            job.spec.timeouts.run_seconds = 30;
            hold.started_at? + Duration::from_secs(30)
        }
        (Timer::Deadline, _) => {
            job.spec.deadline = Some(soon);
            soon
        }
        _ => return None,
    };
    Some((job, moment))
}

/// The event happens when `timer` is due and no sweep has come yet.
pub(crate) fn when_due(situation: &Situation, timer: Timer, event: Event) -> Option<Asked> {
    arm(situation, timer).map(|(job, now)| Asked { job, event, now })
}

pub(crate) fn tick() -> Event {
    Event::Tick { chance: chance() }
}

pub(crate) fn claim() -> Event {
    Event::Claim {
        robot: robot(),
        token: token("new"),
        lease: LEASE,
    }
}

/// A longer lease than the one held, so that it shows where it is taken.
const LONGER: Duration = Duration::from_secs(90);

pub(crate) fn hand_over(fence: Fence) -> Event {
    Event::HandOver { fence, lease: LONGER }
}

pub(crate) fn renew(fence: Fence) -> Event {
    Event::Renew {
        fence,
        lease: LONGER,
        progress: None,
    }
}

pub(crate) fn finish(fence: Fence, report: Report) -> Event {
    Event::Finish {
        fence,
        report,
        chance: chance(),
    }
}

pub(crate) fn release(fence: Fence) -> Event {
    Event::Release { fence }
}

pub(crate) fn lose(fence: Fence, loss: Loss) -> Event {
    Event::Lose {
        fence,
        loss,
        by: Actor::Robot(robot()),
    }
}

pub(crate) fn cancel() -> Event {
    Event::Cancel {
        by: client(),
        note: None,
    }
}

pub(crate) fn replace() -> Event {
    Event::Replace { by: client() }
}

pub(crate) fn settle() -> Event {
    Event::Settle {
        as_: Settlement::Discarded,
        note: None,
    }
}
