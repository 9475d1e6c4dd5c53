//! Lives a random life, and looks at the invariants after every step.

use std::time::Duration;

use domain::{
    Event, Job, Rejection, Timestamp,
    job::{Actor, Fence, Report, StateName},
    retry::Chance,
};

use super::{
    invariants,
    steps::{Act, Life, Pace, Step, Whose},
};
use crate::story::{LEASE, at, client, job, robot, token};

/// A job on its way, and what was promised to robots so far.
pub(crate) struct Walk {
    pub(crate) job: Job,
    /// By the clock of the server that decides.
    pub(crate) now: Timestamp,
    /// By the slowest clock.
    time: Timestamp,
    /// Every fence that was given, in order.
    pub(crate) given: Vec<Fence>,
    /// Every report that was taken, and its answer.
    pub(crate) answered: Vec<(Fence, Report, StateName)>,
    /// Whether the invariants are looked at after each step.
    watched: bool,
}

/// A step as it went.
pub(crate) struct Taken<'a> {
    pub(crate) before: &'a Job,
    pub(crate) event: &'a Event,
    pub(crate) result: &'a Result<Job, Rejection>,
}

impl Walk {
    /// Lives `life` to its end; panics where an invariant breaks.
    pub(crate) fn watch(life: &Life) -> Self {
        Self::live(life, true)
    }

    /// Lives `life` unwatched, for what comes after it; that is watched.
    pub(crate) fn after(life: &Life) -> Self {
        Self {
            watched: true,
            ..Self::live(life, false)
        }
    }

    fn live(life: &Life, watched: bool) -> Self {
        let job = job(life.spec.clone(), life.run_at.map(at));
        let mut walk = Self {
            job,
            now: at(0),
            time: at(0),
            given: Vec::new(),
            answered: Vec::new(),
            watched,
        };
        for step in &life.steps {
            walk.take(step);
        }
        walk
    }

    fn take(&mut self, step: &Step) {
        self.time = self.later(step.pace);
        self.now = self.time + step.ahead;
        let event = self.event(&step.act);
        self.tell(&event).ok();
    }

    /// Lets `event` happen now.
    pub(crate) fn tell(&mut self, event: &Event) -> Result<StateName, Rejection> {
        let before = self.job.clone();
        let result = before.apply(event, self.now);
        if let Ok(after) = &result {
            self.job = after.clone();
            self.note(event);
        }
        if self.watched {
            invariants::of_a_step(
                self,
                &Taken {
                    before: &before,
                    event,
                    result: &result,
                },
            );
            invariants::of_a_job(self);
        }
        result.map(|after| after.state.name())
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Claim { .. } => self
                .given
                .push(self.job.state.hold().expect("it was just claimed").fence()),
            Event::Finish { fence, report, .. } => {
                self.answered
                    .push((fence.clone(), report.clone(), self.job.state.name()));
            }
            _ => {}
        }
    }

    fn later(&self, pace: Pace) -> Timestamp {
        match (pace, self.job.next_timer()) {
            (Pace::Still, _) | (Pace::Timer(_), None) => self.time,
            (Pace::Millis(millis), _) => self.time + Duration::from_millis(millis),
            (Pace::Timer(millis), Some(timer)) => self.time.max(timer) + Duration::from_millis(millis),
        }
    }

    fn event(&self, act: &Act) -> Event {
        match act.clone() {
            Act::Tick => self.tick(),
            Act::Claim { lease_seconds } => self.claim(Duration::from_secs(lease_seconds)),
            Act::HandOver(whose) => Event::HandOver {
                fence: self.fence(whose),
                lease: LEASE,
            },
            Act::Renew(whose) => Event::Renew {
                fence: self.fence(whose),
                lease: LEASE,
                progress: None,
            },
            Act::Finish(whose, report) => Event::Finish {
                fence: self.fence(whose),
                report,
                chance: self.chance(),
            },
            Act::Release(whose) => Event::Release {
                fence: self.fence(whose),
            },
            Act::Lose(whose, loss) => Event::Lose {
                fence: self.fence(whose),
                loss,
                by: Actor::Robot(robot()),
            },
            Act::Cancel => Event::Cancel {
                by: client(),
                note: None,
            },
            Act::Replace => Event::Replace { by: client() },
            Act::Settle(as_) => Event::Settle { as_, note: None },
        }
    }

    pub(crate) fn tick(&self) -> Event {
        Event::Tick { chance: self.chance() }
    }

    pub(crate) fn claim(&self, lease: Duration) -> Event {
        Event::Claim {
            robot: robot(),
            token: token(&format!("token-{}", self.given.len() + 1)),
            lease,
        }
    }

    /// A draw that differs from moment to moment and is the same for the same walk.
    #[expect(clippy::cast_precision_loss, reason = "a number below a thousand")]
    fn chance(&self) -> Chance {
        Chance::new(self.now.as_millis().rem_euclid(1_000) as f64 / 999.0)
    }

    fn fence(&self, whose: Whose) -> Fence {
        let guess = || Fence {
            attempt: 1,
            token: token("guess"),
        };
        let latest = self.given.last().cloned().unwrap_or_else(guess);
        match whose {
            Whose::Latest => latest,
            Whose::Any(index) if !self.given.is_empty() => index.get(&self.given).clone(),
            Whose::Any(_) => guess(),
            Whose::WrongToken => Fence {
                token: token("guess"),
                ..latest
            },
            Whose::WrongAttempt => Fence {
                attempt: latest.attempt + 1,
                ..latest
            },
        }
    }
}
