//! A robot reports the end of an attempt.

use domain::{
    Event, Rejection,
    job::{ErrorKind, Fence, JobError, Outcome, Report, StateName},
    retry::Chance,
};

use super::{Answer, Call, Copied, Progress};
use crate::world::{Seen, World};

impl World {
    pub(super) fn finish(
        &mut self,
        call: &mut Call,
        robot: usize,
        place: usize,
        fence: &Fence,
        well: Option<bool>,
    ) -> Progress {
        let Some(job) = call.job.take() else {
            call.job = Some(Copied::of(place, &self.jobs[place]));
            return Progress::GoesOn;
        };
        let ended = Progress::IsOver(Some(Answer::Ended {
            robot,
            fence: fence.clone(),
        }));
        let event = Event::Finish {
            fence: fence.clone(),
            report: report(well),
            chance: Chance::new(0.5),
        };
        let next = match job.value.apply(&event, self.now) {
            Ok(next) => next,
            Err(rejection) => {
                self.note(rejection);
                return ended;
            }
        };
        if !job.is_fresh {
            self.seen.insert(Seen::Conflict);
            return Progress::GoesOn;
        }
        if job.value.state.hold().is_none() {
            self.seen.insert(Seen::LateReport);
        }
        if job.value.state.last_hold().is_none_or(|hold| !hold.is(fence)) {
            self.broken = Some("a report of another attempt was taken");
        }
        if next.state.name() == StateName::Succeeded && well != Some(true) {
            self.broken = Some("a failure became a success");
        }
        self.hints = (self.hints + u8::from(next.state.name() == StateName::Ready)).min(2);
        self.write_job(place, next);
        ended
    }

    pub(super) fn note(&mut self, rejection: Rejection) {
        match rejection {
            Rejection::LeaseLost => self.seen.insert(Seen::LeaseLost),
            Rejection::Repeated(_) => self.seen.insert(Seen::Repeated),
            _ => false,
        };
    }
}

fn report(well: Option<bool>) -> Report {
    let error = JobError {
        kind: ErrorKind::Application,
        code: None,
        message: String::new(),
    };
    let (outcome, digest) = match well {
        Some(true) => (Outcome::Succeeded, "well"),
        Some(false) => (
            Outcome::Failed {
                error,
                retry_after_seconds: None,
            },
            "badly",
        ),
        None => (Outcome::Cancelled, "stopped"),
    };
    Report {
        outcome,
        digest: digest.to_owned(),
        result: None,
    }
}
