//! A claim: the robot's record reserves the slot, and only then the job is leased.

use std::fmt::Write as _;

use domain::{Event, Job, LeaseToken, Robot};

use super::{Call, Copied, Op, Progress};
use crate::world::{LEASE, Seen, World, told};

/// A job that was chosen for a robot, and is to be written once the robot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The job as it was offered.
    job: Copied<Job>,
    /// The job as it is to be.
    leased: Job,
    /// Whether the robot's record has the slot.
    pub(super) is_reserved: bool,
}

impl Claim {
    pub(super) fn job_was_written(&mut self, place: usize) {
        if self.job.place == place {
            self.job.is_fresh = false;
        }
    }

    pub(super) fn told(&self, text: &mut String) {
        let _ = write!(text, "claim {} {} ", self.job.is_fresh, self.is_reserved);
        told(text, &self.leased);
    }

    pub(super) fn leased(&self) -> (usize, &Job) {
        (self.job.place, &self.leased)
    }
}

impl World {
    /// Chooses a job that is ready for `robot`, if it has room.
    pub(super) fn choose(&mut self, robot: &mut Robot) -> Option<Claim> {
        if robot.free() == 0 {
            return None;
        }
        let ready = |job: &Job| job.state.name() == domain::job::StateName::Ready && !job.is_due(self.now);
        let place = self.jobs.iter().position(ready)?;
        self.tokens += 1;
        let token = LeaseToken::parse(&format!("lt_{}", self.tokens)).expect("a good token");
        let claim = Event::Claim {
            robot: robot.id.clone(),
            token,
            lease: LEASE,
        };
        let leased = self.jobs[place].apply(&claim, self.now).ok()?;
        robot.reserve(&leased, self.now);
        Some(Claim {
            job: Copied::of(place, &self.jobs[place]),
            leased,
            is_reserved: false,
        })
    }

    /// Writes the job of a claim whose slot is reserved; `false` when somebody else was quicker.
    pub(super) fn lease(&mut self, claim: &Claim) -> bool {
        if !claim.job.is_fresh {
            self.seen.insert(Seen::EmptyReservation);
            return false;
        }
        self.write_job(claim.job.place, claim.leased.clone());
        true
    }

    /// A dispatch for a robot that is about to ask.
    pub(super) fn dispatch(&mut self, call: &mut Call, place: usize, claim: Option<Box<Claim>>) -> Progress {
        if let Some(claim) = claim {
            if claim.is_reserved {
                self.lease(&claim);
                return Progress::IsOver(None);
            }
            return self.reserve(call, place, claim);
        }
        let Some(mut robot) = call.robot.take() else {
            call.robot = Some(Copied::of(place, &self.robots[place]));
            return Progress::GoesOn;
        };
        if robot.value.seq.is_none() {
            return Progress::IsOver(None);
        }
        let Some(chosen) = self.choose(&mut robot.value) else {
            return Progress::IsOver(None);
        };
        call.robot = Some(robot);
        call.op = Op::Dispatch {
            robot: place,
            claim: Some(Box::new(chosen)),
        };
        Progress::GoesOn
    }

    fn reserve(&mut self, call: &mut Call, place: usize, mut claim: Box<Claim>) -> Progress {
        let Some(robot) = call.robot.take() else {
            return Progress::IsOver(None);
        };
        if !robot.is_fresh {
            self.seen.insert(Seen::Conflict);
            return Progress::IsOver(None);
        }
        self.write_robot(robot.place, robot.value);
        claim.is_reserved = true;
        call.op = Op::Dispatch {
            robot: place,
            claim: Some(claim),
        };
        Progress::GoesOn
    }
}
