//! Everything of one run, and what clients and robots know between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    JobId, RobotId, TenantName,
    job::{Actor, StateName},
    names::{KeyId, QueueName},
};
use queue::{Engine, NewRobot, Refusal, StoreError};
use queue_conformance::faults::FaultyStore;

use crate::{
    holidays::Holidays,
    plan::Plan,
    scheduler::{Group, Handle},
    server::{NoAnswer, Servers},
    tally::Mishaps,
    witness::Witness,
};

/// Everything of one run.
pub(crate) struct World {
    /// Time, chance and turns.
    pub(crate) handle: Handle,
    /// What the run does.
    pub(crate) plan: Plan,
    /// The server.
    pub(crate) servers: Arc<Servers>,
    /// What goes wrong around the store.
    pub(crate) mishaps: Arc<Mishaps>,
    /// What goes wrong in the store.
    pub(crate) faulty: Arc<FaultyStore>,
    /// Who sees each write.
    pub(crate) witness: Arc<Witness>,
    /// The operations on the store below all faults, to look at what is there.
    pub(crate) sound: Engine,
    /// When the fleet is off.
    pub(crate) holidays: Arc<Holidays>,
    book: Mutex<Book>,
}

/// What clients and robots know between them.
#[derive(Default)]
pub(crate) struct Book {
    /// What clients want, in the order in which they wanted it.
    pub(crate) wanted: Vec<Wanted>,
    /// Jobs that a client was told are cancelled.
    pub(crate) cancelled: BTreeSet<JobId>,
    /// What was answered to the report of each attempt.
    pub(crate) ended: BTreeMap<(JobId, u32), Ended>,
    /// Which robot of flesh and blood began each attempt.
    pub(crate) begun: BTreeMap<(JobId, u32), u64>,
    /// The robots there are.
    pub(crate) fleet: Vec<Member>,
    /// Everybody who ever worked for one of them.
    pub(crate) bodies: Vec<Group>,
}

/// A job that a client wants.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// Whose it is.
    pub(crate) tenant: TenantName,
    /// The job that was answered.
    pub(crate) answered: Option<JobId>,
}

/// The end of an attempt, as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The digest of the report.
    pub(crate) digest: String,
    /// The state that was answered.
    pub(crate) answer: StateName,
}

/// A robot by its key.
#[derive(Clone)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: RobotId,
    /// Whose it is.
    pub(crate) tenant: TenantName,
    /// What it said when it was registered.
    pub(crate) profile: NewRobot,
    /// Whether it stays for the whole run.
    pub(crate) stays: bool,
    /// The one that works for it at present.
    pub(crate) body: Group,
}

/// An answer that clients have to make something of.
pub(crate) enum Heard<T> {
    /// It was done.
    Done(T),
    /// It was refused, and nothing is to be done about it.
    Refused(Refusal),
    /// It may have been done or not.
    Nothing,
}

impl World {
    /// A world that nobody lives in yet.
    #[expect(clippy::too_many_arguments, reason = "it is the one place where all parts meet")]
    pub(crate) fn new(
        handle: Handle,
        plan: Plan,
        servers: Arc<Servers>,
        mishaps: Arc<Mishaps>,
        faulty: Arc<FaultyStore>,
        witness: Arc<Witness>,
        sound: Engine,
        holidays: Arc<Holidays>,
    ) -> Self {
        Self {
            handle,
            plan,
            servers,
            mishaps,
            faulty,
            witness,
            sound,
            holidays,
            book: Mutex::default(),
        }
    }

    /// What clients and robots know between them.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to make of an answer.
    pub(crate) fn hear<T>(&self, answer: Result<Result<T, Refusal>, NoAnswer>) -> Heard<T> {
        match answer {
            Ok(Ok(done)) => Heard::Done(done),
            Err(NoAnswer) | Ok(Err(Refusal::Store(StoreError::Unavailable(_)))) => Heard::Nothing,
            Ok(Err(Refusal::Store(error))) => {
                self.handle.violated(format!("a store broke its promise: {error:?}"));
                Heard::Nothing
            }
            Ok(Err(refusal)) => Heard::Refused(refusal),
        }
    }

    /// Waits until the fleet is back, if it is off.
    pub(crate) async fn rest_while_off(&self) {
        let left = self.holidays.left(self.handle.now());
        if left > Duration::ZERO {
            self.handle.sleep(left + self.handle.seconds(0..60)).await;
        }
    }

    /// The tenants of the run.
    pub(crate) fn tenants(&self) -> Vec<TenantName> {
        let name = |number| TenantName::parse(&format!("tenant-{number}")).expect("a good name");
        (0..self.plan.tenants).map(name).collect()
    }

    /// The queues that each tenant uses.
    pub(crate) fn queues(&self) -> Vec<QueueName> {
        let name = |number| QueueName::parse(&format!("queue-{number}")).expect("a good name");
        (0..self.plan.queues).map(name).collect()
    }
}

/// The client of every call.
pub(crate) fn client() -> Actor {
    Actor::Key(KeyId::parse("key_client").expect("a good id"))
}
