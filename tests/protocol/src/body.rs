//! A robot of flesh and blood: what it knows, which may be out of date.

use domain::job::Fence;

use crate::call::{Answer, Lease, Status};

/// What a robot knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// Its session; `None` before the first and once it was superseded.
    pub(crate) epoch: Option<u64>,
    /// The number of its latest sync.
    pub(crate) seq: u64,
    /// Whether it waits for the answer to a call.
    pub(crate) waits: bool,
    /// Whether its latest sync was not answered: it may send that one again.
    pub(crate) is_unanswered: bool,
    /// What it works on.
    pub(crate) work: Option<Work>,
}

/// A job that a robot has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) job: usize,
    pub(crate) fence: Fence,
    /// Whether it was told that it may begin.
    pub(crate) begun: bool,
    /// Whether it did it, once it is through and until that is answered.
    pub(crate) done: Option<bool>,
    /// It was told to stop.
    pub(crate) stops: bool,
}

impl Work {
    const fn new(job: usize, fence: Fence) -> Self {
        Self {
            job,
            fence,
            begun: false,
            done: None,
            stops: false,
        }
    }
}

impl Body {
    /// A robot that has just been started.
    pub(crate) const fn new() -> Self {
        Self {
            epoch: None,
            seq: 0,
            waits: false,
            is_unanswered: false,
            work: None,
        }
    }

    /// The job and fence that it says it works on.
    pub(crate) fn running(&self) -> Option<(usize, Fence)> {
        self.work.as_ref().map(|work| (work.job, work.fence.clone()))
    }

    /// What it makes of an answer.
    pub(crate) fn hear(&mut self, answer: Answer) {
        self.waits = false;
        match answer {
            Answer::Opened { epoch, .. } => (self.epoch, self.seq, self.is_unanswered) = (Some(epoch), 0, false),
            Answer::Superseded { .. } => self.epoch = None,
            Answer::Synced {
                epoch, status, assign, ..
            } if self.epoch == Some(epoch) => {
                self.is_unanswered = false;
                if let Some(status) = status {
                    self.hear_of_lease(&status);
                }
                if let Some((job, fence)) = assign.filter(|_| self.work.is_none()) {
                    self.work = Some(Work::new(job, fence));
                }
            }
            Answer::Synced { .. } => {}
            Answer::Ended { fence, .. } => {
                self.work.take_if(|work| work.fence == fence);
            }
        }
    }

    fn hear_of_lease(&mut self, status: &Status) {
        let Some(work) = self.work.as_mut().filter(|work| work.fence == status.fence) else {
            return;
        };
        match status.is {
            Lease::Renewed => work.begun = true,
            // What it is through with it reports all the same.
            Lease::Lost if work.done.is_none() => self.work = None,
            Lease::Lost => {}
            Lease::Cancel => work.stops = work.done.is_none(),
        }
    }

    /// Whether it clicks somewhere at this moment.
    pub(crate) fn clicks(&self) -> Option<(usize, u32)> {
        let work = self.work.as_ref()?;
        (work.begun && work.done.is_none() && !work.stops).then_some((work.job, work.fence.attempt))
    }
}
