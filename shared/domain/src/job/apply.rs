//! The one place where the fate of a job is decided.
//!
//! The tables of `transitions.md` are printed from this file by a test: read them beside it.

use std::time::Duration;

use super::{
    Actor, CANCEL_GRACE, ErrorKind, Event, Fence, FinishMark, Hold, Job, Loss, OnLost, Outcome, Progress, Reason,
    Rejection, Report, Settlement, State, Transition, UNSTARTED_MAX,
    state::{End, StateName},
};
use crate::{
    names::{LeaseToken, RobotId},
    retry::Chance,
    time::Timestamp,
};

impl Job {
    /// The job after `event`, or why the event changes nothing.
    pub fn apply(&self, event: &Event, now: Timestamp) -> Result<Self, Rejection> {
        let mut job = self.clone();
        match event {
            Event::Tick { chance } => job.tick(*chance, now),
            Event::Claim { robot, token, lease } => job.claim(robot, token, *lease, now),
            Event::HandOver { fence, lease } => job.hand_over(fence, *lease, now),
            Event::Renew { fence, lease, progress } => job.renew(fence, *lease, progress.as_ref(), now),
            Event::Finish { fence, report, chance } => job.finish(fence, report, *chance, now),
            Event::Release { fence } => job.release(fence, now),
            Event::Lose { fence, loss, by } => job.lose(fence, *loss, by, now),
            Event::Cancel { by, note } => job.cancel(by, note.as_ref(), now),
            Event::Replace { by } => job.replace(by, now),
            Event::Settle { as_, note } => job.settle(*as_, note.as_ref()),
        }?;
        Ok(job)
    }

    fn tick(&mut self, chance: Chance, now: Timestamp) -> Result<(), Rejection> {
        if !self.is_due(now) {
            return Err(Rejection::NothingDue);
        }
        let deadline_passed = self.spec.deadline.is_some_and(|deadline| deadline <= now);
        match self.state.clone() {
            State::Running { .. } if self.cancel_requested_at.is_some() => {
                self.end(End::Cancelled, Some(Reason::CancelledByClient), Actor::Sweep, now);
            }
            _ if deadline_passed => self.end(End::TimedOut, Some(Reason::Deadline), Actor::Sweep, now),
            State::Scheduled { until, last } => {
                self.queued_at = until;
                self.go(State::Ready { since: until, last }, None, Actor::Sweep, now);
            }
            State::Ready { .. } => self.end(End::TimedOut, Some(Reason::QueueTimeout), Actor::Sweep, now),
            State::Leased { hold, .. } => self.undelivered(hold, Reason::LeaseLost, Actor::Sweep, now),
            State::Running { hold, lease_ends, .. } if self.run_ends(&hold) <= lease_ends => {
                self.ran_too_long(hold, chance, now);
            }
            State::Running { hold, .. } => self.lost(hold, Reason::LeaseLost, Actor::Sweep, now),
            State::Ended { .. } => return Err(Rejection::NothingDue),
        }
        Ok(())
    }

    fn claim(&mut self, robot: &RobotId, token: &LeaseToken, lease: Duration, now: Timestamp) -> Result<(), Rejection> {
        if !matches!(self.state, State::Ready { .. }) || self.is_due(now) {
            return Err(Rejection::NotReady);
        }
        self.attempts.given += 1;
        self.progress = None;
        let hold = Hold {
            attempt: self.attempts.given,
            token: token.clone(),
            robot: robot.clone(),
            leased_at: now,
            started_at: None,
        };
        self.go(
            State::Leased {
                hold,
                lease_ends: now + lease,
            },
            None,
            Actor::Dispatch,
            now,
        );
        Ok(())
    }

    fn hand_over(&mut self, fence: &Fence, lease: Duration, now: Timestamp) -> Result<(), Rejection> {
        match &mut self.state {
            State::Leased { hold, lease_ends } if hold.is(fence) => {
                *lease_ends = now + lease;
                Ok(())
            }
            _ => Err(Rejection::LeaseLost),
        }
    }

    fn renew(
        &mut self,
        fence: &Fence,
        lease: Duration,
        progress: Option<&Progress>,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if self.state.hold().is_none_or(|hold| !hold.is(fence)) || self.out_of_time(now) {
            return Err(Rejection::LeaseLost);
        }
        self.start(now);
        if let State::Running {
            lease_ends,
            cancel_told_at,
            ..
        } = &mut self.state
        {
            match (self.cancel_requested_at, *cancel_told_at) {
                (None, _) => *lease_ends = (*lease_ends).max(now + lease),
                (Some(_), None) => {
                    // The grace and one lease to report; a robot that does not stop is not waited for any longer.
                    *cancel_told_at = Some(now);
                    *lease_ends = now + CANCEL_GRACE + lease;
                }
                (Some(_), Some(_)) => {}
            }
        }
        if progress.is_some() {
            self.progress = progress.cloned();
        }
        Ok(())
    }

    /// Whether its deadline or its run time is over, so that the sweep is about to end this attempt.
    fn out_of_time(&self, now: Timestamp) -> bool {
        let run_over = match &self.state {
            State::Running { hold, .. } => self.run_ends(hold) <= now,
            _ => false,
        };
        run_over || self.spec.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn finish(&mut self, fence: &Fence, report: &Report, chance: Chance, now: Timestamp) -> Result<(), Rejection> {
        if let Some(mark) = self
            .finishes
            .iter()
            .find(|mark| mark.attempt == fence.attempt && mark.token == fence.token)
        {
            let same = mark.digest == report.digest;
            return Err(if same {
                Rejection::Repeated(mark.answer)
            } else {
                Rejection::OutcomeConflict
            });
        }
        let ended = self.state.name().is_terminal();
        if ended || self.state.last_hold().is_none_or(|hold| !hold.is(fence)) {
            return Err(Rejection::LeaseLost);
        }
        self.start(now);
        self.conclude(report, chance, now);
        self.finishes.push(FinishMark {
            attempt: fence.attempt,
            token: fence.token.clone(),
            digest: report.digest.clone(),
            answer: self.state.name(),
        });
        Ok(())
    }

    fn conclude(&mut self, report: &Report, chance: Chance, now: Timestamp) {
        let Some(hold) = self.state.last_hold().cloned() else {
            return;
        };
        let by = Actor::Robot(hold.robot.clone());
        let cancelling = self.cancel_requested_at.is_some();
        self.result.clone_from(&report.result);
        match &report.outcome {
            Outcome::Succeeded => {
                self.error = None;
                self.end(End::Succeeded, None, by, now);
            }
            Outcome::Cancelled if cancelling => self.end(End::Cancelled, Some(Reason::CancelledByClient), by, now),
            Outcome::Cancelled => self.end(End::Cancelled, Some(Reason::CancelledByRobot), by, now),
            Outcome::Failed {
                error,
                retry_after_seconds,
            } => {
                self.error = Some(error.clone());
                if cancelling {
                    self.end(End::Cancelled, Some(Reason::CancelledByClient), by, now);
                } else if error.kind == ErrorKind::Business {
                    self.end(End::Failed, Some(Reason::BusinessError), by, now);
                } else if self.attempts_left() == 0 {
                    self.end(End::Failed, Some(Reason::ApplicationError), by, now);
                } else if self.state.hold().is_some() {
                    let wait = self.wait(*retry_after_seconds, chance);
                    self.back_off(hold, wait, by, now);
                }
                // A late failure of an attempt whose lease is over: the job waits for its next attempt already.
            }
        }
    }

    fn release(&mut self, fence: &Fence, now: Timestamp) -> Result<(), Rejection> {
        let Some(hold) = self.state.last_hold().filter(|hold| hold.is(fence)).cloned() else {
            return Err(Rejection::LeaseLost);
        };
        match &self.state {
            _ if hold.started_at.is_some() => Err(Rejection::AlreadyStarted),
            State::Leased { .. } => {
                let by = Actor::Robot(hold.robot.clone());
                self.go(
                    State::Ready {
                        since: now,
                        last: Some(hold),
                    },
                    Some(Reason::Released),
                    by,
                    now,
                );
                Ok(())
            }
            State::Scheduled { .. } | State::Ready { .. } => Err(Rejection::Repeated(StateName::Ready)),
            State::Running { .. } | State::Ended { .. } => Err(Rejection::LeaseLost),
        }
    }

    fn lose(&mut self, fence: &Fence, loss: Loss, by: &Actor, now: Timestamp) -> Result<(), Rejection> {
        let reason = match loss {
            Loss::Restarted => Reason::RobotRestarted,
            Loss::Removed => Reason::LeaseLost,
        };
        match self.state.clone() {
            State::Leased { hold, .. } if hold.is(fence) => self.undelivered(hold, reason, by.clone(), now),
            State::Running { hold, .. } if hold.is(fence) && self.cancel_requested_at.is_some() => {
                self.end(End::Cancelled, Some(Reason::CancelledByClient), by.clone(), now);
            }
            State::Running { hold, .. } if hold.is(fence) => self.lost(hold, reason, by.clone(), now),
            _ => return Err(Rejection::LeaseLost),
        }
        Ok(())
    }

    fn cancel(&mut self, by: &Actor, note: Option<&String>, now: Timestamp) -> Result<(), Rejection> {
        match &self.state {
            State::Ended {
                end: End::Cancelled, ..
            } => return Err(Rejection::Repeated(StateName::Cancelled)),
            State::Ended { .. } => return Err(Rejection::Finished),
            State::Running { .. } if self.cancel_requested_at.is_some() => {
                return Err(Rejection::Repeated(StateName::Running));
            }
            State::Running { .. } => {}
            State::Scheduled { .. } | State::Ready { .. } | State::Leased { .. } => {
                self.end(End::Cancelled, Some(Reason::CancelledByClient), by.clone(), now);
            }
        }
        self.cancel_requested_at = Some(now);
        self.note = note.cloned();
        Ok(())
    }

    fn replace(&mut self, by: &Actor, now: Timestamp) -> Result<(), Rejection> {
        match &self.state {
            State::Scheduled { .. } | State::Ready { .. } => {
                self.end(End::Cancelled, Some(Reason::Replaced), by.clone(), now);
                Ok(())
            }
            State::Leased { .. } | State::Running { .. } => Err(Rejection::AlreadyStarted),
            State::Ended { .. } => Err(Rejection::Finished),
        }
    }

    fn settle(&mut self, settlement: Settlement, note: Option<&String>) -> Result<(), Rejection> {
        if !self.is_dead_letter() {
            return Err(Rejection::NoDeadLetter);
        }
        self.settled = Some(settlement);
        self.note = note.cloned();
        Ok(())
    }

    /// Counts the latest attempt as begun, once.
    fn start(&mut self, now: Timestamp) {
        let begun = match &mut self.state {
            State::Scheduled { last, .. } | State::Ready { last, .. } => last.as_mut(),
            State::Leased { hold, .. } => Some(hold),
            State::Running { .. } | State::Ended { .. } => None,
        };
        let Some(hold) = begun.filter(|hold| hold.started_at.is_none()) else {
            return;
        };
        hold.started_at = Some(now);
        self.attempts.started += 1;
        self.attempts.unstarted = 0;
        if let State::Leased { hold, lease_ends } = self.state.clone() {
            let by = Actor::Robot(hold.robot.clone());
            self.go(
                State::Running {
                    hold,
                    lease_ends,
                    cancel_told_at: None,
                },
                None,
                by,
                now,
            );
        }
    }

    /// An attempt that never began is over: it burns nothing, but there is a bound to that too.
    fn undelivered(&mut self, hold: Hold, reason: Reason, by: Actor, now: Timestamp) {
        self.attempts.unstarted += 1;
        if self.attempts.unstarted >= UNSTARTED_MAX {
            self.end(End::Failed, Some(Reason::Undeliverable), by, now);
        } else {
            self.go(
                State::Ready {
                    since: now,
                    last: Some(hold),
                },
                Some(reason),
                by,
                now,
            );
        }
    }

    /// An attempt that had begun is over and nobody knows how.
    fn lost(&mut self, hold: Hold, reason: Reason, by: Actor, now: Timestamp) {
        self.attempts.lost += 1;
        if self.spec.on_lost == OnLost::Fail {
            self.end(End::Failed, Some(reason), by, now);
        } else if self.attempts_left() > 0 {
            self.go(
                State::Ready {
                    since: now,
                    last: Some(hold),
                },
                Some(reason),
                by,
                now,
            );
        } else if self.attempts.lost > 1 {
            self.end(End::Failed, Some(Reason::Poison), by, now);
        } else {
            self.end(End::Failed, Some(reason), by, now);
        }
    }

    fn ran_too_long(&mut self, hold: Hold, chance: Chance, now: Timestamp) {
        if self.attempts_left() == 0 {
            self.end(End::TimedOut, Some(Reason::RunTimeout), Actor::Sweep, now);
        } else {
            let wait = self.wait(None, chance);
            self.back_off(hold, wait, Actor::Sweep, now);
        }
    }

    fn wait(&self, asked_for: Option<u32>, chance: Chance) -> Duration {
        let policy = &self.spec.retry;
        asked_for.map_or_else(
            || policy.backoff(self.attempts.started, chance),
            |seconds| policy.asked_for(seconds),
        )
    }

    fn back_off(&mut self, hold: Hold, wait: Duration, by: Actor, now: Timestamp) {
        let state = State::Scheduled {
            until: now + wait,
            last: Some(hold),
        };
        self.go(state, Some(Reason::RetryBackoff), by, now);
    }

    fn end(&mut self, end: End, reason: Option<Reason>, by: Actor, now: Timestamp) {
        let last = self.state.last_hold().cloned();
        self.go(State::Ended { end, at: now, last }, reason, by, now);
    }

    fn go(&mut self, state: State, reason: Option<Reason>, actor: Actor, now: Timestamp) {
        let from = self.state.name();
        self.state = state;
        self.reason = reason;
        let seq = self.history.last().map_or(0, |last| last.seq) + 1;
        let (to, attempt) = (self.state.name(), self.attempts.given);
        self.history.push(Transition {
            seq,
            at: now,
            from: Some(from),
            to,
            attempt,
            actor,
            reason,
        });
    }
}
