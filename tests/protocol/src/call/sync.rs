//! A sync: it renews what the robot works on, takes back what it holds no more, hands over what was reserved for it, and
//! claims. The same one again gives the same answer.

use std::fmt::Write as _;

use domain::{
    Event, Job, Robot,
    job::{Fence, State},
    robot::{Mode, Reservation, Turn},
};

use super::{Answer, Call, Copied, Lease, Op, Progress, Status, claim::Claim, fence_of};
use crate::world::{LEASE, Seen, World, told};

/// A sync, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sync {
    pub(super) robot: usize,
    epoch: u64,
    seq: u64,
    running: Option<(usize, Fence)>,
    at: At,
    /// Whether the robot's record says that it was answered before.
    is_again: bool,
    /// The jobs that it loaded.
    jobs: Vec<Copied<Job>>,
    /// The robot as it is to be.
    next: Option<Robot>,
    /// The jobs as they are to be.
    changed: Vec<(usize, Job)>,
    status: Option<Status>,
    claim: Option<Claim>,
}

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LoadRobot,
    LoadJobs,
    WriteJob,
    Offer,
    WriteRobot,
    Lease,
}

impl Sync {
    pub(super) const fn new(robot: usize, epoch: u64, seq: u64, running: Option<(usize, Fence)>) -> Self {
        Self {
            robot,
            epoch,
            seq,
            running,
            at: At::LoadRobot,
            is_again: false,
            jobs: Vec::new(),
            next: None,
            changed: Vec::new(),
            status: None,
            claim: None,
        }
    }

    pub(super) fn job_was_written(&mut self, place: usize) {
        for job in self.jobs.iter_mut().filter(|job| job.place == place) {
            job.is_fresh = false;
        }
        if let Some(claim) = &mut self.claim {
            claim.job_was_written(place);
        }
    }

    pub(super) fn told(&self, text: &mut String) {
        let Self {
            robot,
            epoch,
            seq,
            running,
            at,
            is_again,
            status,
            ..
        } = self;
        let _ = write!(
            text,
            "sync {robot} {epoch} {seq} {running:?} {at:?} {is_again} {status:?} "
        );
        for job in &self.jobs {
            let _ = write!(text, "{} ", job.is_fresh);
            told(text, &job.value);
        }
        self.changed.iter().for_each(|(_, job)| told(text, job));
        self.claim.iter().for_each(|claim| claim.told(text));
        if let Some(Robot {
            holds,
            answered,
            free_slots,
            ..
        }) = &self.next
        {
            let _ = write!(text, "{free_slots} {holds:?} {answered:?};");
        }
    }

    fn job(&self, place: usize) -> Option<&Job> {
        let changed = self.changed.iter().find(|(at, _)| *at == place).map(|(_, job)| job);
        changed.or_else(|| self.jobs.iter().find(|job| job.place == place).map(|job| &job.value))
    }

    fn change(&mut self, place: usize, job: Job) {
        self.changed.retain(|(at, _)| *at != place);
        self.changed.push((place, job));
    }

    /// What comes after the jobs: one that was answered before claims nothing more.
    const fn once_jobs_are_written(&self) -> At {
        if self.is_again { At::Lease } else { At::Offer }
    }

    /// From the start.
    fn again(&self) -> Self {
        Self::new(self.robot, self.epoch, self.seq, self.running.clone())
    }
}

impl World {
    pub(super) fn sync(&mut self, call: &mut Call, mut sync: Box<Sync>) -> Progress {
        match sync.at {
            At::LoadRobot => {
                call.robot = Some(Copied::of(sync.robot, &self.robots[sync.robot]));
                sync.at = At::LoadJobs;
            }
            At::LoadJobs => {
                if let Some(answer) = self.decide(call, &mut sync) {
                    return Progress::IsOver(Some(answer));
                }
            }
            At::WriteJob => self.write_one(&mut sync),
            At::Offer => self.offer(&mut sync),
            At::WriteRobot => self.write_holder(call, &mut sync),
            At::Lease => {
                if let Some(claim) = sync.claim.take()
                    && self.lease(&claim)
                {
                    let (place, job) = claim.leased();
                    let job = job.clone();
                    sync.change(place, job);
                }
                return Progress::IsOver(Some(self.answer(&sync)));
            }
        }
        call.op = Op::Sync(sync);
        Progress::GoesOn
    }

    /// Loads the jobs, and decides all but the claim.
    fn decide(&mut self, call: &Call, sync: &mut Sync) -> Option<Answer> {
        let superseded = Answer::Superseded { robot: sync.robot };
        let Some(robot) = &call.robot else {
            return Some(superseded);
        };
        let mut next = robot.value.clone();
        let Ok(turn) = next.turn(sync.epoch, sync.seq) else {
            self.seen.insert(Seen::Superseded);
            return Some(superseded);
        };
        let slots = next
            .holds
            .iter()
            .chain(&next.answered)
            .map(|slot| self.place_of(slot.job));
        let mut places: Vec<usize> = slots.chain(sync.running.iter().map(|(job, _)| *job)).collect();
        places.sort_unstable();
        places.dedup();
        sync.jobs = places
            .iter()
            .map(|place| Copied::of(*place, &self.jobs[*place]))
            .collect();
        self.renew(sync, &next);
        match turn {
            Turn::New => {
                next.seq = Some(sync.seq);
                next.mode = if sync.running.is_some() { Mode::Busy } else { Mode::Idle };
                next.free_slots = u32::from(sync.running.is_none());
                self.reconcile(sync, &mut next);
                self.hand_over(sync, &mut next);
            }
            Turn::Again => {
                for slot in next.answered.clone() {
                    self.fence(sync, &slot);
                }
            }
        }
        sync.next = Some(next);
        sync.is_again = turn == Turn::Again;
        sync.at = if sync.changed.is_empty() {
            sync.once_jobs_are_written()
        } else {
            At::WriteJob
        };
        None
    }

    fn renew(&mut self, sync: &mut Sync, robot: &Robot) {
        let Some((place, fence)) = sync.running.clone() else {
            return;
        };
        let renew = Event::Renew {
            fence: fence.clone(),
            lease: LEASE,
            progress: None,
        };
        let job = sync.job(place).cloned();
        let own = job.filter(|job| job.state.hold().is_some_and(|hold| hold.robot == robot.id));
        let Some(renewed) = own.as_ref().and_then(|job| job.apply(&renew, self.now).ok()) else {
            sync.status = Some(Status { fence, is: Lease::Lost });
            return;
        };
        let is = if renewed.cancel_requested_at.is_some() {
            Lease::Cancel
        } else {
            Lease::Renewed
        };
        sync.status = Some(Status { fence, is });
        if Some(&renewed) != own.as_ref() {
            sync.change(place, renewed);
        }
    }

    /// Gives back the slots of jobs that the robot holds no more.
    fn reconcile(&mut self, sync: &mut Sync, robot: &mut Robot) {
        for slot in std::mem::take(&mut robot.holds) {
            let job = sync.job(self.place_of(slot.job));
            let is_held = job
                .and_then(|job| job.state.hold())
                .is_some_and(|hold| hold.is(&fence_of(&slot)));
            if is_held {
                robot.holds.push(slot);
            } else {
                self.fence(sync, &slot);
            }
        }
    }

    /// Has a claim fail that reserved this slot and may still be on its way to the job.
    fn fence(&mut self, sync: &mut Sync, slot: &Reservation) {
        let place = self.place_of(slot.job);
        let Some(job) = sync.job(place).cloned() else { return };
        if job.attempts.given < slot.attempt && !job.state.name().is_terminal() {
            sync.change(place, job);
        }
    }

    /// Gives the robot what a dispatch reserved for it, or puts it back.
    fn hand_over(&mut self, sync: &mut Sync, robot: &mut Robot) {
        robot.answered.clear();
        for mut slot in std::mem::take(&mut robot.holds) {
            let place = self.place_of(slot.job);
            let Some(job) = sync.job(place).cloned() else { continue };
            if slot.handed_over || matches!(job.state, State::Running { .. }) {
                slot.handed_over = true;
                robot.holds.push(slot);
                continue;
            }
            let fence = fence_of(&slot);
            let is_taken = robot.free_slots > 0;
            let event = if is_taken {
                Event::HandOver { fence, lease: LEASE }
            } else {
                Event::Release { fence }
            };
            let Ok(next) = job.apply(&event, self.now) else {
                continue;
            };
            sync.change(place, next);
            if is_taken {
                self.seen.insert(Seen::HandedOver);
                robot.free_slots -= 1;
                slot.handed_over = true;
                robot.answered.push(slot.clone());
                robot.holds.push(slot);
            }
        }
    }

    /// Writes the jobs that it changed, one after the other.
    fn write_one(&mut self, sync: &mut Sync) {
        // All at once where the store can; one by one is the worst of what it may do.
        let mut jobs = std::mem::take(&mut sync.changed);
        let is_fresh = |place: usize| sync.jobs.iter().any(|job| job.place == place && job.is_fresh);
        let (place, job) = jobs.remove(0);
        if !is_fresh(place) {
            self.seen.insert(Seen::Conflict);
            *sync = sync.again();
            return;
        }
        self.write_job(place, job.clone());
        if let Some(own) = sync.jobs.iter_mut().find(|own| own.place == place) {
            *own = Copied::of(place, &self.jobs[place]);
        }
        sync.changed = jobs;
        if sync.changed.is_empty() {
            sync.at = sync.once_jobs_are_written();
        }
    }

    fn offer(&mut self, sync: &mut Sync) {
        if let Some(mut robot) = sync.next.take() {
            sync.claim = self.choose(&mut robot);
            sync.next = Some(robot);
        }
        sync.at = At::WriteRobot;
    }

    fn write_holder(&mut self, call: &Call, sync: &mut Sync) {
        let (Some(loaded), Some(mut next)) = (&call.robot, sync.next.clone()) else {
            return;
        };
        if !loaded.is_fresh {
            self.seen.insert(Seen::Conflict);
            *sync = sync.again();
            return;
        }
        if let Some(claim) = &mut sync.claim {
            let job = claim.leased().1.id;
            for slot in next
                .holds
                .iter_mut()
                .filter(|slot| slot.job == job && !slot.handed_over)
            {
                slot.handed_over = true;
                next.answered.push(slot.clone());
            }
            next.free_slots = next.free_slots.saturating_sub(1);
            claim.is_reserved = true;
        }
        self.write_robot(sync.robot, next.clone());
        sync.next = Some(next);
        sync.at = At::Lease;
    }

    fn answer(&mut self, sync: &Sync) -> Answer {
        let robot = sync.next.as_ref().unwrap_or(&self.robots[sync.robot]);
        let assign = robot.answered.iter().find_map(|slot| {
            let place = self.place_of(slot.job);
            let job = sync.job(place)?;
            let is_leased = job.state.last_hold().is_some_and(|hold| hold.is(&fence_of(slot)));
            is_leased.then(|| (place, fence_of(slot)))
        });
        if sync.status.as_ref().is_some_and(|status| status.is == Lease::Cancel) {
            self.seen.insert(Seen::CancelHeard);
        }
        Answer::Synced {
            robot: sync.robot,
            epoch: sync.epoch,
            status: sync.status.clone(),
            assign,
        }
    }
}
