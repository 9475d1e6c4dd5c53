//! The server's processes, and the network between them and who asks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use futures::{
    channel::oneshot,
    future::{BoxFuture, Either, select},
};
use queue::{Clock, Engine, Settings, Store, hints::Hints};
use queue_conformance::kit::SeededEntropy;

use crate::{
    plan::Mishap,
    scheduler::{Group, Handle, Step},
    tally::Mishaps,
    witness::SKEW_MAX,
};

/// How long somebody waits for an answer, like a gateway.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a job is kept here once it is over: as short as may be, so that runs see it go.
pub(crate) const RETENTION: Duration = Settings::RETENTION_MIN;

/// That no answer came. What was asked may have been done or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// All processes of the server.
pub(crate) struct Servers {
    handle: Handle,
    store: Arc<dyn Store>,
    hints: Arc<dyn Hints>,
    mishaps: Arc<Mishaps>,
    processes: Vec<Mutex<Process>>,
}

/// One process.
struct Process {
    engine: Engine,
    group: Group,
}

/// A clock that is off by as much as clocks of servers may be.
struct SkewedClock {
    handle: Handle,
    ahead: Duration,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        // All are behind the true time, none before it: only the distance between two matters.
        self.handle.now() - self.ahead
    }
}

impl Servers {
    /// So many processes on `store`.
    pub(crate) fn new(
        handle: Handle,
        store: Arc<dyn Store>,
        hints: Arc<dyn Hints>,
        mishaps: Arc<Mishaps>,
        count: u64,
    ) -> Self {
        let mut servers = Self {
            handle,
            store,
            hints,
            mishaps,
            processes: Vec::new(),
        };
        servers.processes = (0..count).map(|_| Mutex::new(servers.new_process())).collect();
        servers
    }

    fn new_process(&self) -> Process {
        let skew = SKEW_MAX.as_secs();
        let clock = SkewedClock {
            handle: self.handle.clone(),
            ahead: self.handle.seconds(0..skew),
        };
        let settings = Settings {
            retention: RETENTION,
            ..Settings::default()
        };
        let entropy = Arc::new(SeededEntropy::new(self.handle.new_seed()));
        let (store, hints) = (Arc::clone(&self.store), Arc::clone(&self.hints));
        Process {
            engine: Engine::new(store, hints, Arc::new(clock), entropy, settings),
            group: self.handle.new_group(),
        }
    }

    /// Kills one process where it stands. Another takes its place, which remembers nothing.
    pub(crate) fn kill_one(&self) {
        let Some(process) = self.handle.pick(&self.processes) else {
            return;
        };
        let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.say(|| "a server is killed".to_owned());
        self.handle.kill(process.group);
        *process = self.new_process();
    }

    /// Has one process do `operation`, over a network that may lose it, lose its answer, or bring it twice.
    pub(crate) async fn call<T, F>(&self, name: impl Fn() -> String, operation: F) -> Result<T, NoAnswer>
    where
        T: Send + 'static,
        F: Fn(Engine) -> BoxFuture<'static, T>,
    {
        Step::default().await;
        if self.mishaps.happens(Mishap::RequestLost) {
            self.handle.say(|| format!("{} is lost on its way", name()));
            self.handle.sleep(PATIENCE).await;
            return Err(NoAnswer);
        }
        if self.mishaps.happens(Mishap::RequestDoubled) {
            self.handle.say(|| format!("{} is sent twice", name()));
            drop(self.begin(&name, &operation));
        }
        let answer = self.begin(&name, &operation);
        let answered = match select(answer, self.handle.sleep(PATIENCE)).await {
            Either::Left((Ok(answer), _)) => answer,
            Either::Left((Err(_), _)) | Either::Right(_) => return Err(NoAnswer),
        };
        if self.mishaps.happens(Mishap::AnswerLost) {
            self.handle.say(|| format!("the answer to {} is lost", name()));
            self.handle.sleep(PATIENCE).await;
            return Err(NoAnswer);
        }
        Ok(answered)
    }

    /// Has one process begin `operation` and gives where its answer comes.
    pub(crate) fn begin<T, F>(&self, name: &impl Fn() -> String, operation: &F) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: Fn(Engine) -> BoxFuture<'static, T>,
    {
        let (sender, receiver) = oneshot::channel();
        let Some(process) = self.handle.pick(&self.processes) else {
            return receiver;
        };
        let (work, group) = {
            let process = process.lock().unwrap_or_else(PoisonError::into_inner);
            (operation(process.engine.clone()), process.group)
        };
        self.handle.spawn(group, name, async move {
            // Whoever asked may have given up.
            let _ = sender.send(work.await);
        });
        receiver
    }
}
