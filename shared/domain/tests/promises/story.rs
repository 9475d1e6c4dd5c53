//! A job and the time, with short words for what happens to it.

use std::time::Duration;

use domain::{
    Event, Job, JobId, JobSpec, LeaseToken, Rejection, RobotId, TenantName, Timestamp, WorkflowName,
    job::{Actor, ErrorKind, Fence, JobError, Loss, Outcome, Reason, Report, Settlement, StateName},
    names::KeyId,
    retry::Chance,
};

/// How long each lease of a story is.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// `seconds` after the beginning of every story.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000) + Duration::from_secs(seconds)
}

/// A job of one workflow with the default of everything.
pub(crate) fn spec() -> JobSpec {
    JobSpec::new(WorkflowName::parse("invoice-export").expect("a good name"))
}

/// A new job that becomes ready at `run_at` or at once.
pub(crate) fn job(spec: JobSpec, run_at: Option<Timestamp>) -> Job {
    let id = JobId::parse("01890a5d-ac96-774b-bcce-b302099a8057").expect("a good id");
    Job::new(id, TenantName::default_tenant(), spec, run_at, client(), at(0))
}

/// The client of every story.
pub(crate) fn client() -> Actor {
    Actor::Key(KeyId::parse("key_client").expect("a good id"))
}

/// The robot of every story.
pub(crate) fn robot() -> RobotId {
    RobotId::parse("rob_one").expect("a good id")
}

/// A token by its text.
pub(crate) fn token(text: &str) -> LeaseToken {
    LeaseToken::parse(text).expect("a good token")
}

/// A draw that leaves a backoff as it is.
pub(crate) fn chance() -> Chance {
    Chance::new(0.5)
}

/// The report of a success.
pub(crate) fn succeeded() -> Report {
    Report {
        outcome: Outcome::Succeeded,
        digest: "succeeded".to_owned(),
        result: Some("result-1".to_owned()),
    }
}

/// The report of a robot that stopped.
pub(crate) fn stopped() -> Report {
    Report {
        outcome: Outcome::Cancelled,
        digest: "cancelled".to_owned(),
        result: None,
    }
}

/// The report of an error that may pass.
pub(crate) fn failed() -> Report {
    failure(ErrorKind::Application, None)
}

/// The report of an error that will not pass.
pub(crate) fn wrong() -> Report {
    failure(ErrorKind::Business, None)
}

/// The report of an error with the robot's wish when to be asked again.
pub(crate) fn failure(kind: ErrorKind, retry_after_seconds: Option<u32>) -> Report {
    let error = JobError {
        kind,
        code: Some("E1".to_owned()),
        message: "it broke".to_owned(),
    };
    let digest = format!("failed {kind:?} {retry_after_seconds:?}");
    Report {
        outcome: Outcome::Failed {
            error,
            retry_after_seconds,
        },
        digest,
        result: None,
    }
}

/// A job and the time.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) job: Job,
    pub(crate) now: Timestamp,
}

impl Story {
    /// A job that is ready from the start, after `change` to what is asked.
    pub(crate) fn new(change: impl FnOnce(&mut JobSpec)) -> Self {
        let mut spec = spec();
        change(&mut spec);
        Self {
            job: job(spec, None),
            now: at(0),
        }
    }

    /// A job with a budget of `max_attempts`.
    pub(crate) fn of_attempts(max_attempts: u32) -> Self {
        Self::new(|spec| spec.retry.max_attempts = max_attempts)
    }

    /// Lets time go by; nothing happens to the job.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// Lets `event` happen, and answers with the state it leads to.
    pub(crate) fn tell(&mut self, event: &Event) -> Result<StateName, Rejection> {
        self.job = self.job.apply(event, self.now)?;
        Ok(self.job.state.name())
    }

    pub(crate) fn tick(&mut self) -> Result<StateName, Rejection> {
        self.tell(&Event::Tick { chance: chance() })
    }

    /// Lets time go by up to the job's next timer, and that timer fire.
    pub(crate) fn time_out(&mut self) -> StateName {
        let due = self.job.next_timer().expect("there is a timer");
        self.now = self.now.max(due);
        self.tick().expect("the timer is due")
    }

    pub(crate) fn claim(&mut self) -> Fence {
        let token = token(&format!("token-{}", self.job.attempts.given + 1));
        self.tell(&Event::Claim {
            robot: robot(),
            token,
            lease: LEASE,
        })
        .expect("the job is ready");
        self.fence()
    }

    /// Claims it, and has the robot begin.
    pub(crate) fn start(&mut self) -> Fence {
        let fence = self.claim();
        self.renew(&fence).expect("the lease is new");
        fence
    }

    /// An attempt that begins and is lost with its robot.
    pub(crate) fn start_and_lose(&mut self) -> Fence {
        let fence = self.start();
        self.time_out();
        fence
    }

    /// A lease that runs out before any robot begins.
    pub(crate) fn claim_in_vain(&mut self) -> Fence {
        let fence = self.claim();
        self.time_out();
        fence
    }

    /// An attempt that begins and reports an error, and the backoff after it.
    pub(crate) fn start_and_fail(&mut self) -> Fence {
        let fence = self.start();
        self.finish(&fence, failed()).expect("the lease is held");
        if self.job.state.name() == StateName::Scheduled {
            self.time_out();
        }
        fence
    }

    pub(crate) fn renew(&mut self, fence: &Fence) -> Result<StateName, Rejection> {
        self.tell(&Event::Renew {
            fence: fence.clone(),
            lease: LEASE,
            progress: None,
        })
    }

    pub(crate) fn finish(&mut self, fence: &Fence, report: Report) -> Result<StateName, Rejection> {
        self.tell(&Event::Finish {
            fence: fence.clone(),
            report,
            chance: chance(),
        })
    }

    pub(crate) fn release(&mut self, fence: &Fence) -> Result<StateName, Rejection> {
        self.tell(&Event::Release { fence: fence.clone() })
    }

    pub(crate) fn lose(&mut self, fence: &Fence, loss: Loss) -> Result<StateName, Rejection> {
        self.tell(&Event::Lose {
            fence: fence.clone(),
            loss,
            by: Actor::Robot(robot()),
        })
    }

    pub(crate) fn cancel(&mut self) -> Result<StateName, Rejection> {
        self.tell(&Event::Cancel {
            by: client(),
            note: Some("not needed".to_owned()),
        })
    }

    pub(crate) fn replace(&mut self) -> Result<StateName, Rejection> {
        self.tell(&Event::Replace { by: client() })
    }

    pub(crate) fn settle(&mut self) -> Result<StateName, Rejection> {
        self.tell(&Event::Settle {
            as_: Settlement::Resolved,
            note: None,
        })
    }

    /// The fence of the latest attempt.
    pub(crate) fn fence(&self) -> Fence {
        self.job.state.last_hold().expect("it was handed out").fence()
    }

    /// Where the job stands and why.
    pub(crate) fn stands(&self) -> (StateName, Option<Reason>) {
        (self.job.state.name(), self.job.reason)
    }
}
