//! Calls that servers work on. Each goes on in steps, as many as it has awaits that others may come between; each of them may
//! be its last.

mod claim;
mod report;
mod sync;

use std::fmt::Write as _;

use domain::{
    Event, Job, Robot,
    job::{Actor, Fence, Loss, StateName},
};

use self::{claim::Claim, sync::Sync};
use crate::world::{Seen, World, client, tick, told};

/// A call that a server works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(crate) op: Op,
    /// The job that it loaded, and whether it is still as it was.
    job: Option<Copied<Job>>,
    /// The robot that it loaded.
    robot: Option<Copied<Robot>>,
}

/// A record as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copied<T> {
    place: usize,
    value: T,
    /// Whether nobody has written it since: what a version tells.
    is_fresh: bool,
}

impl<T: Clone> Copied<T> {
    fn of(place: usize, value: &T) -> Self {
        Self {
            place,
            value: value.clone(),
            is_fresh: true,
        }
    }
}

/// What is done, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Load the job, cancel it, write it.
    Cancel { job: usize },
    /// Load the job, see what is due, write it.
    Sweep { job: usize },
    /// Load the job, end the attempt, write it, answer.
    Finish {
        robot: usize,
        job: usize,
        fence: Fence,
        /// `None` reports that it stopped.
        well: Option<bool>,
    },
    /// Load the robot, write its session; then take from it what it does not hold; answer.
    Session {
        robot: usize,
        holding: Option<(usize, Fence)>,
        opened: Option<u64>,
    },
    /// Load a robot, reserve a job for it, write the robot; then the job.
    Dispatch { robot: usize, claim: Option<Box<Claim>> },
    /// See [`sync`].
    Sync(Box<Sync>),
}

/// What a robot is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Opened {
        robot: usize,
        epoch: u64,
    },
    Superseded {
        robot: usize,
    },
    Synced {
        robot: usize,
        epoch: u64,
        status: Option<Status>,
        assign: Option<(usize, Fence)>,
    },
    Ended {
        robot: usize,
        fence: Fence,
    },
}

/// What a sync says of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) fence: Fence,
    pub(crate) is: Lease,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    Renewed,
    Lost,
    Cancel,
}

/// Whether a call goes on.
pub(crate) enum Progress {
    /// It has more to do.
    GoesOn,
    /// It is over, perhaps with an answer.
    IsOver(Option<Answer>),
}

impl Answer {
    pub(crate) fn robot(&self) -> usize {
        match self {
            Self::Opened { robot, .. }
            | Self::Superseded { robot }
            | Self::Synced { robot, .. }
            | Self::Ended { robot, .. } => *robot,
        }
    }
}

impl Op {
    pub(crate) const fn cancel(job: usize) -> Self {
        Self::Cancel { job }
    }

    pub(crate) const fn sweep(job: usize) -> Self {
        Self::Sweep { job }
    }

    pub(crate) const fn dispatch(robot: usize) -> Self {
        Self::Dispatch { robot, claim: None }
    }

    pub(crate) const fn finish(robot: usize, job: usize, fence: Fence, well: Option<bool>) -> Self {
        Self::Finish {
            robot,
            job,
            fence,
            well,
        }
    }

    pub(crate) const fn session(robot: usize, holding: Option<(usize, Fence)>) -> Self {
        Self::Session {
            robot,
            holding,
            opened: None,
        }
    }

    pub(crate) fn sync(robot: usize, epoch: u64, seq: u64, running: Option<(usize, Fence)>) -> Self {
        Self::Sync(Box::new(Sync::new(robot, epoch, seq, running)))
    }

    /// The robot that asked, if one did.
    pub(crate) fn robot(&self) -> Option<usize> {
        match self {
            Self::Finish { robot, .. } | Self::Session { robot, .. } => Some(*robot),
            Self::Sync(sync) => Some(sync.robot),
            Self::Cancel { .. } | Self::Sweep { .. } | Self::Dispatch { .. } => None,
        }
    }
}

impl Call {
    pub(crate) const fn new(op: Op) -> Self {
        Self {
            op,
            job: None,
            robot: None,
        }
    }

    /// Writes down what of it may differ.
    pub(crate) fn told(&self, text: &mut String) {
        match &self.op {
            Op::Sync(sync) => sync.told(text),
            Op::Dispatch { robot, claim } => {
                let _ = write!(text, "dispatch {robot} ");
                claim.iter().for_each(|claim| claim.told(text));
            }
            other => {
                let _ = write!(text, "{other:?} ");
            }
        }
        if let Some(job) = &self.job {
            let _ = write!(text, "{} ", job.is_fresh);
            told(text, &job.value);
        }
        if let Some(Copied { place, value, is_fresh }) = &self.robot {
            let Robot {
                epoch,
                seq,
                holds,
                answered,
                free_slots,
                ..
            } = value;
            let _ = write!(
                text,
                "{place} {is_fresh} {epoch} {seq:?} {free_slots} {holds:?} {answered:?};"
            );
        }
    }

    /// Whether nothing was done for it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.job.is_none() && self.robot.is_none()
    }

    pub(crate) fn job_was_written(&mut self, place: usize) {
        if let Some(job) = self.job.as_mut().filter(|job| job.place == place) {
            job.is_fresh = false;
        }
        match &mut self.op {
            Op::Sync(sync) => sync.job_was_written(place),
            Op::Dispatch { claim: Some(claim), .. } => claim.job_was_written(place),
            _ => {}
        }
    }

    pub(crate) fn robot_was_written(&mut self, place: usize) {
        if let Some(robot) = self.robot.as_mut().filter(|robot| robot.place == place) {
            robot.is_fresh = false;
        }
    }
}

impl World {
    /// One step of a call: one read or one write, and what is decided between.
    pub(crate) fn step(&mut self, place: usize) {
        let mut call = self.calls.remove(place);
        let progress = match call.op.clone() {
            Op::Cancel { job } => self.decide_and_write(&mut call, job, || Event::Cancel {
                by: client(),
                note: None,
            }),
            Op::Sweep { job } => self.decide_and_write(&mut call, job, tick),
            Op::Finish {
                robot,
                job,
                fence,
                well,
            } => self.finish(&mut call, robot, job, &fence, well),
            Op::Session { robot, holding, opened } => self.open_session(&mut call, robot, holding, opened),
            Op::Dispatch { robot, claim } => self.dispatch(&mut call, robot, claim),
            Op::Sync(sync) => self.sync(&mut call, sync),
        };
        match progress {
            Progress::GoesOn => self.calls.push(call),
            Progress::IsOver(answer) => {
                // A call that was sent twice is answered once, or the robot has stopped listening.
                let waits = |answer: &Answer| {
                    let robot = answer.robot();
                    self.bodies[robot].waits && !self.answers.iter().any(|other| other.robot() == robot)
                };
                let heard = answer.filter(waits);
                self.answers.extend(heard);
            }
        }
    }

    /// Loads the job first; then decides, and writes unless somebody else has.
    fn decide_and_write(&mut self, call: &mut Call, place: usize, event: impl Fn() -> Event) -> Progress {
        let Some(job) = call.job.take() else {
            call.job = Some(Copied::of(place, &self.jobs[place]));
            return Progress::GoesOn;
        };
        let Ok(next) = job.value.apply(&event(), self.now) else {
            return Progress::IsOver(None);
        };
        if !job.is_fresh {
            // From the start: what it loads next is another job.
            self.seen.insert(Seen::Conflict);
            return Progress::GoesOn;
        }
        if next.state.name() == StateName::Ready {
            self.hints = (self.hints + 1).min(2);
        }
        self.write_job(place, next);
        Progress::IsOver(None)
    }

    fn open_session(
        &mut self,
        call: &mut Call,
        place: usize,
        holding: Option<(usize, Fence)>,
        opened: Option<u64>,
    ) -> Progress {
        if let Some(epoch) = opened {
            return self.lose_what_is_not_held(call, place, holding.as_ref(), epoch);
        }
        let Some(robot) = call.robot.take() else {
            call.robot = Some(Copied::of(place, &self.robots[place]));
            return Progress::GoesOn;
        };
        if !robot.is_fresh {
            self.seen.insert(Seen::Conflict);
            return Progress::GoesOn;
        }
        let next = robot.value.with_new_session(self.now);
        let epoch = next.epoch;
        // What is lost is what the record held when the session was written.
        call.robot = Some(Copied::of(place, &next));
        self.write_robot(place, next);
        call.op = Op::Session {
            robot: place,
            holding,
            opened: Some(epoch),
        };
        Progress::GoesOn
    }

    fn lose_what_is_not_held(
        &mut self,
        call: &mut Call,
        place: usize,
        holding: Option<&(usize, Fence)>,
        epoch: u64,
    ) -> Progress {
        let opened = Progress::IsOver(Some(Answer::Opened { robot: place, epoch }));
        let Some(robot) = &call.robot else { return opened };
        let held = |fence: &Fence| holding.is_some_and(|(_, own)| own == fence);
        let gone = robot.value.holds.iter().find(|slot| !held(&fence_of(slot)));
        let Some(slot) = gone.cloned() else { return opened };
        let job = self.place_of(slot.job);
        let Some(loaded) = call.job.take() else {
            call.job = Some(Copied::of(job, &self.jobs[job]));
            return Progress::GoesOn;
        };
        let lose = Event::Lose {
            fence: fence_of(&slot),
            loss: Loss::Restarted,
            by: Actor::Robot(self.robots[place].id.clone()),
        };
        let Ok(next) = loaded.value.apply(&lose, self.now) else {
            return opened;
        };
        if !loaded.is_fresh {
            self.seen.insert(Seen::Conflict);
            return Progress::GoesOn;
        }
        self.hints = (self.hints + u8::from(next.state.name() == StateName::Ready)).min(2);
        self.write_job(job, next);
        opened
    }

    pub(crate) fn place_of(&self, id: domain::JobId) -> usize {
        self.jobs.iter().position(|job| job.id == id).unwrap_or_default()
    }
}

fn fence_of(slot: &domain::robot::Reservation) -> Fence {
    Fence {
        attempt: slot.attempt,
        token: slot.token.clone(),
    }
}
