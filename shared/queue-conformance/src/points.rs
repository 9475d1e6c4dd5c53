//! Every effect of an operation by its name, and a point at which it can be stopped: before the first effect, and after
//! each.
//!
//! What a store may write one after the other is written one after the other here: the changes of a batch, a blob and
//! then its record, a holder and then each of its jobs, what a purge removes. So there is no state in which an operation
//! that is killed can leave a store that keeps the promises of the seam, but it is that of a point; and a new effect of
//! an operation is a new point, without anybody naming it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use domain::{TenantName, Timestamp, job::StateName};
use queue::{
    hints::{Hint, Hints},
    store::{
        Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
        Store, StoreError, Write,
    },
};

/// A moment between two effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// How many effects came before it.
    pub number: usize,
    /// The last of them; `None` before the first.
    pub after: Option<String>,
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            None => write!(out, "{}: before the first effect", self.number),
            Some(effect) => write!(out, "{}: after {effect}", self.number),
        }
    }
}

/// Whether an operation goes on behind a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// It does.
    Goes,
    /// Nothing is done and nothing is answered any more, as if whoever calls were gone.
    Stops,
}

/// What happens at a point. It is called within the operation, on the stack of whoever awaits the store.
type Meet = Box<dyn Fn(&Point) -> Onward + Send + Sync>;

/// A store, and hints, that know every point of what is done with them.
pub struct Points {
    below: Arc<dyn Store>,
    meet: Meet,
    passed: Mutex<Vec<Point>>,
    stopped: AtomicBool,
}

impl Points {
    /// Calls `meet` at every point of what is done with `below`. Hints are sent nowhere.
    pub fn new(below: Arc<dyn Store>, meet: impl Fn(&Point) -> Onward + Send + Sync + 'static) -> Self {
        Self {
            below,
            meet: Box::new(meet),
            passed: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// The points so far, in their order; none while nothing was to be written.
    pub fn passed(&self) -> Vec<Point> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_on(&self) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it was stopped at a point".into()));
        }
        Ok(())
    }

    /// Something is about to be written.
    fn before(&self) -> Result<(), StoreError> {
        self.goes_on()?;
        let is_first = self.passed.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if is_first { self.pass(None) } else { Ok(()) }
    }

    /// Something was written.
    fn after(&self, effect: String) -> Result<(), StoreError> {
        self.pass(Some(effect))
    }

    fn pass(&self, after: Option<String>) -> Result<(), StoreError> {
        let point = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            let number = passed.len();
            passed.push(Point { number, after });
            passed[number].clone()
        };
        if (self.meet)(&point) == Onward::Stops {
            self.stopped.store(true, Ordering::SeqCst);
        }
        self.goes_on()
    }

    /// Writes one change: its blobs, each alone, and then all of it as it is.
    async fn commit_one(&self, change: Change) -> Result<Committed, StoreError> {
        for blob in &change.blobs {
            self.put_blob(blob.clone()).await?;
        }
        let keys: Vec<Key> = change.writes.iter().map(|write| write.key().clone()).collect();
        let found = self.below.load(&keys).await?;
        let names = change.writes.iter().zip(&found);
        let names: Vec<String> = names
            .filter_map(|(write, found)| effect_of(write, found.as_ref()))
            .collect();
        self.before()?;
        let outcome = self.below.commit(vec![change]).await?[0];
        if outcome == Committed::Done {
            self.after(names.join(", "))?;
        }
        Ok(outcome)
    }

    async fn commit_each(&self, changes: impl Iterator<Item = Change>) -> Result<Vec<Committed>, StoreError> {
        let mut outcomes = Vec::new();
        for change in changes {
            outcomes.push(self.commit_one(change).await?);
        }
        Ok(outcomes)
    }
}

/// What `write` does to the record that was `found`; `None` when it only looks.
fn effect_of(write: &Write, found: Option<&Record>) -> Option<String> {
    let kind = singular(write.key().kind);
    let effect = match write {
        Write::Check(_, _) => return None,
        Write::Delete(_, _) => format!("{kind} removed"),
        Write::Put(record) => match (state(record), found.map(state)) {
            (Some(to), None) => format!("{kind} made {to}"),
            (Some(to), Some(from)) if from == Some(to) => format!("{kind} {to} changed"),
            (Some(to), Some(from)) => format!("{kind} {}→{to}", from.map_or("unreadable", StateName::as_str)),
            (None, None) => format!("{kind} made{}", holds(record)),
            (None, Some(_)) => format!("{kind} changed{}", holds(record)),
        },
    };
    Some(effect)
}

fn state(record: &Record) -> Option<StateName> {
    let job = (record.key.kind == Kind::Job).then(|| queue::job_in(record));
    Some(job?.ok()?.state.name())
}

/// How many slots the robot's record reserves, if it is one and reserves any.
fn holds(record: &Record) -> String {
    let robot = (record.key.kind == Kind::Robot).then(|| queue::robot_in(record));
    let holds = robot.and_then(Result::ok).map_or(0, |robot| robot.holds.len());
    if holds > 0 {
        format!(", {holds} reserved")
    } else {
        String::new()
    }
}

const fn singular(kind: Kind) -> &'static str {
    match kind {
        Kind::Job => "job",
        Kind::Robot => "robot",
        Kind::Queue => "queue",
        Kind::Dedup => "dedup key",
        Kind::ApiKey => "key",
        Kind::Tenant => "tenant",
    }
}

/// What lies in the blob, as the first part of its name says.
fn put_of(blob: &Blob) -> String {
    let word = blob.key.name.split('/').next().unwrap_or_default();
    format!("{word} put")
}

#[async_trait]
impl Hints for Points {
    async fn wake(&self, hints: &[Hint]) {
        for hint in hints {
            let word = if hint.not_before.is_some() {
                "delayed hint"
            } else {
                "hint"
            };
            if self.before().is_err() || self.after(format!("{word} sent")).is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl Store for Points {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.goes_on()?;
        self.below.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.goes_on()?;
        self.below.load(keys).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.commit_each(changes.into_iter()).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let offered = self.ready(lanes, limit).await?;
        let mut granted = Vec::new();
        for grant in decide(offered) {
            let holder = self.commit_one(grant.holder.into()).await?;
            let jobs = match holder {
                Committed::Done => self.commit_each(grant.jobs.into_iter().map(Change::from)).await?,
                Committed::Conflict => vec![Committed::Conflict; grant.jobs.len()],
            };
            granted.push(Granted { holder, jobs });
        }
        Ok(granted)
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.goes_on()?;
        self.below.lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.goes_on()?;
        self.below.ready(lanes, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.goes_on()?;
        self.below.due(now, limit).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.goes_on()?;
        self.below.list(kind, partition, shelves, after, limit).await
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.goes_on()?;
        self.below.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.goes_on()?;
        self.below.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.goes_on()?;
        self.below.blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.goes_on()?;
        self.below.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        let effect = put_of(&blob);
        self.before()?;
        self.below.put_blob(blob).await?;
        self.after(effect)
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        let effect = put_of(&blob);
        self.before()?;
        let put = self.below.put_new_blob(blob).await?;
        if put == BlobPut::Stored {
            self.after(effect)?;
        }
        Ok(put)
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.before()?;
        for removed in 0..limit {
            if self.below.purge(now, 1).await? == 0 {
                return Ok(removed);
            }
            self.after("expired record removed".to_owned())?;
        }
        Ok(limit)
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.goes_on()?;
        self.below.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            let effect = format!("{} restored", singular(record.key.kind));
            self.before()?;
            let outcome = self.below.restore(vec![record]).await?[0];
            if outcome == Committed::Done {
                self.after(effect)?;
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}
