//! From wherever a life has led, the job comes to rest.

use domain::{
    Event, Timestamp,
    job::{End, Fence, Reason, State, StateName, UNSTARTED_MAX},
};

use super::walk::Walk;
use crate::story::{LEASE, chance, succeeded};

/// More ticks than any job has before it is over or ready: run timeout, backoff, queue timeout, and the deadline.
const TICKS_MAX: usize = 4;

/// More rounds than a budget and the row of unstarted leases allow.
const ROUNDS_MAX: u32 = 60;

/// Lets time go by, and nobody answers: it is over, or ready with no timer left.
pub(crate) fn nobody_answers(mut walk: Walk) {
    for _ in 0..TICKS_MAX {
        let Some(timer) = walk.job.next_timer() else { break };
        pass(&mut walk, timer);
    }
    assert_eq!(walk.job.next_timer(), None);
    assert!(matches!(walk.job.state.name(), StateName::Ready) || walk.job.state.name().is_terminal());
}

/// Robots take it and never begin: it ends within the row of ten.
pub(crate) fn nobody_begins(mut walk: Walk) {
    let mut claims = 0;
    until_over(&mut walk, |walk| {
        walk.tell(&walk.claim(LEASE)).expect("it is ready");
        claims += 1;
    });
    assert!(claims <= UNSTARTED_MAX);
    let given_up = matches!(walk.job.state, State::Ended { end: End::TimedOut, .. });
    if claims > 0 && !given_up {
        assert_eq!(walk.job.reason, Some(Reason::Undeliverable));
    }
}

/// Robots take it, begin, and are never heard of again: it ends within its budget.
pub(crate) fn everybody_is_lost(mut walk: Walk) {
    let mut starts = 0;
    until_over(&mut walk, |walk| {
        walk.tell(&walk.claim(LEASE)).expect("it is ready");
        walk.tell(&renewal(walk)).expect("the lease is new");
        starts += 1;
    });
    assert!(starts <= walk.job.spec.retry.max_attempts);
    if starts > 0 {
        assert!(
            matches!(walk.job.state.name(), StateName::Failed | StateName::TimedOut),
            "{:?}",
            walk.job.state
        );
    }
}

/// A robot takes it, begins, and does it: it succeeds.
pub(crate) fn somebody_does_it(mut walk: Walk) {
    let mut done = false;
    until_over(&mut walk, |walk| {
        walk.tell(&walk.claim(LEASE)).expect("it is ready");
        walk.tell(&renewal(walk)).expect("the lease is new");
        let report = Event::Finish {
            fence: latest(walk),
            report: succeeded(),
            chance: chance(),
        };
        walk.tell(&report).expect("the lease is held");
        done = true;
    });
    assert!(!done || walk.job.state.name() == StateName::Succeeded);
}

/// Lets time go by until the job is over; whenever it is ready, `take` happens.
fn until_over(walk: &mut Walk, mut take: impl FnMut(&mut Walk)) {
    for _ in 0..ROUNDS_MAX {
        let ready = walk.job.state.name() == StateName::Ready && !walk.job.is_due(walk.now);
        match walk.job.next_timer() {
            _ if ready => take(walk),
            Some(timer) => pass(walk, timer),
            None => break,
        }
    }
    assert!(walk.job.state.name().is_terminal(), "{:?}", walk.job.state);
}

/// Lets time go by up to `timer`, and that timer fire.
fn pass(walk: &mut Walk, timer: Timestamp) {
    walk.now = walk.now.max(timer);
    walk.tell(&walk.tick()).expect("the timer is due");
}

fn renewal(walk: &Walk) -> Event {
    Event::Renew {
        fence: latest(walk),
        lease: LEASE,
        progress: None,
    }
}

fn latest(walk: &Walk) -> Fence {
    walk.given.last().cloned().expect("it was just given")
}
