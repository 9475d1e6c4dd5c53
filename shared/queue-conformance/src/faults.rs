//! A store that behaves as badly as the seam allows, by a seed: it fails before or after it has done what it was asked,
//! sees conflicts where there are none, writes a claim in two steps with a gap, takes its time, and gives indexes as they
//! were a while ago.

mod claims;
mod kinds;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::store::{
    Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
    Store, StoreError,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

pub use self::kinds::{Fault, Rates, Tally};

/// How many calls a spell of throttling lasts, at most.
const THROTTLED_CALLS_MAX: u64 = 20;

/// Where time passes in a call. Between two of these moments the store below does one thing as a whole.
#[async_trait]
pub trait Pace: Send + Sync + 'static {
    /// Lets others do something.
    async fn step(&self);

    /// Lets others do a lot: the answer is slow.
    async fn dawdle(&self);
}

/// Nobody else is there: no time passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtOnce;

#[async_trait]
impl Pace for AtOnce {
    async fn step(&self) {}

    async fn dawdle(&self) {}
}

/// What decides when a fault strikes.
struct Dice {
    on: AtomicBool,
    rates: Rates,
    chance: Mutex<StdRng>,
    tally: Tally,
}

impl Dice {
    fn strikes(&self, fault: Fault) -> bool {
        let rate = self.rates.of(fault);
        if rate == 0 || !self.on.load(Ordering::SeqCst) {
            return false;
        }
        let strikes = self.draw(u32::from(rate), 1_000);
        if strikes {
            self.tally.count(fault);
        }
        strikes
    }

    fn draw(&self, of: u32, among: u32) -> bool {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.random_ratio(of, among)
    }
}

/// A store with faults put in. While it is switched off it does as the store below.
pub struct FaultyStore {
    below: Arc<dyn Store>,
    dice: Arc<Dice>,
    pace: Arc<dyn Pace>,
    /// What each question to an index was answered with before.
    earlier: Mutex<HashMap<String, Vec<Record>>>,
    /// How many calls the present spell of throttling still lasts.
    throttled: AtomicU64,
    /// How many calls it still answers.
    left: AtomicU64,
    /// Whether some claims are made by the store below.
    claims_below: bool,
}

impl FaultyStore {
    /// Puts the faults of `seed` into `below`, as [`Rates::ROUGH`] has them.
    pub fn new(below: Arc<dyn Store>, seed: u64) -> Self {
        Self::with(below, seed, Rates::ROUGH, Arc::new(AtOnce))
    }

    /// Puts faults into `below` at `rates`, drawn from `seed`; time passes by `pace`.
    pub fn with(below: Arc<dyn Store>, seed: u64, rates: Rates, pace: Arc<dyn Pace>) -> Self {
        Self {
            below,
            dice: Arc::new(Dice {
                on: AtomicBool::new(true),
                rates,
                chance: Mutex::new(StdRng::seed_from_u64(seed)),
                tally: Tally::default(),
            }),
            pace,
            earlier: Mutex::default(),
            throttled: AtomicU64::new(0),
            left: AtomicU64::new(u64::MAX),
            claims_below: false,
        }
    }

    /// Does as `below` for so many calls and nothing after them, as if whoever calls were killed there. Each record of a
    /// restore counts as a call.
    pub fn stopping_after(below: Arc<dyn Store>, calls: u64) -> Self {
        let stopping = Self {
            left: AtomicU64::new(calls),
            ..Self::new(below, 0)
        };
        stopping.switch_off();
        stopping
    }

    /// From now on it does as the store below.
    pub fn switch_off(&self) {
        self.dice.on.store(false, Ordering::SeqCst);
    }

    /// How many faults it has put in.
    pub fn put_in(&self) -> u64 {
        self.dice.tally.all()
    }

    /// How many faults of each kind it has put in.
    pub fn tally(&self) -> &Tally {
        &self.dice.tally
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.dice.strikes(fault)
    }

    /// Whether a spell of throttling refuses this call, or begins with it.
    fn throttles(&self) -> bool {
        let count_down = |left: u64| left.checked_sub(1);
        if self
            .throttled
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down)
            .is_ok()
        {
            let refuses = self.dice.on.load(Ordering::SeqCst) && self.dice.draw(1, 2);
            if refuses {
                self.dice.tally.count(Fault::Throttled);
            }
            return refuses;
        }
        let begins = self.strikes(Fault::Throttled);
        if begins {
            self.throttled.store(THROTTLED_CALLS_MAX, Ordering::SeqCst);
        }
        begins
    }

    /// Fails once it has stopped.
    fn answers(&self) -> Result<(), StoreError> {
        let count_down = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down) {
            Ok(_) => Ok(()),
            Err(_) => Err(unavailable("it has stopped")),
        }
    }

    /// An error before anything was done.
    async fn before(&self) -> Result<(), StoreError> {
        self.answers()?;
        self.pace.step().await;
        if self.strikes(Fault::Slow) {
            self.pace.dawdle().await;
        }
        if self.throttles() {
            return Err(unavailable("too many calls"));
        }
        if self.strikes(Fault::Refused) {
            return Err(unavailable("nothing was done"));
        }
        Ok(())
    }

    /// What was done, or an error though it was.
    async fn after<T: Send>(&self, done: T) -> Result<T, StoreError> {
        self.pace.step().await;
        if self.strikes(Fault::Slow) {
            self.pace.dawdle().await;
        }
        if self.strikes(Fault::Unanswered) {
            Err(unavailable("it was done"))
        } else {
            Ok(done)
        }
    }

    /// What was read. Reading it again does no harm, so that an answer that does not come is an error like any other.
    async fn read<T: Send>(&self, read: T) -> Result<T, StoreError> {
        self.pace.step().await;
        Ok(read)
    }

    /// `now`, or what the same question was answered with before.
    fn perhaps_stale(&self, question: String, now: Vec<Record>) -> Vec<Record> {
        if self.dice.rates.of(Fault::Stale) == 0 {
            return now;
        }
        let stale = self.strikes(Fault::Stale);
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if stale {
            earlier.get(&question).cloned().unwrap_or(now)
        } else {
            earlier.entry(question).insert_entry(now).get().clone()
        }
    }

    /// Commits changes one by one, some of them refused without a look.
    async fn commit_some(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for (place, change) in changes.into_iter().enumerate() {
            if place > 0 {
                // A store may write a batch one by one.
                self.pace.step().await;
            }
            outcomes.push(if self.strikes(Fault::Conflict) {
                Committed::Conflict
            } else {
                self.below.commit(vec![change]).await?[0]
            });
            // What came before stays done.
            if self.strikes(Fault::CutShort) {
                return Err(unavailable("it was done in part"));
            }
        }
        Ok(outcomes)
    }
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(format!("a fault was put in: {what}").into())
}

#[async_trait]
impl Store for FaultyStore {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.before().await?;
        self.below.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.before().await?;
        self.read(self.below.load(keys).await?).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.before().await?;
        let outcomes = self.commit_some(changes).await?;
        self.after(outcomes).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        self.claim_somehow(lanes, limit, decide).await
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.before().await?;
        self.below.lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.before().await?;
        let now = self.below.ready(lanes, limit).await?;
        self.read(self.perhaps_stale(format!("ready {lanes:?} {limit}"), now))
            .await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.before().await?;
        let found = self.below.due(now, limit).await?;
        self.read(self.perhaps_stale(format!("due {limit}"), found)).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.before().await?;
        let now = self.below.list(kind, partition, shelves, after, limit).await?;
        Ok(self.perhaps_stale(format!("list {kind:?} {partition} {shelves:?} {after:?} {limit}"), now))
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.before().await?;
        self.below.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.before().await?;
        self.below.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.before().await?;
        self.below.blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.before().await?;
        self.below.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.before().await?;
        self.below.put_blob(blob).await?;
        self.after(()).await
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.before().await?;
        let put = self.below.put_new_blob(blob).await?;
        self.after(put).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.before().await?;
        let purged = self.below.purge(now, limit).await?;
        self.after(purged).await
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.before().await?;
        if let Some(after) = after
            && self.strikes(Fault::CutShort)
        {
            // A page that holds none though the scan goes on.
            return Ok(Scanned {
                records: Vec::new(),
                next: Some(after.to_owned()),
            });
        }
        let limit = if self.strikes(Fault::CutShort) { 1 } else { limit };
        self.below.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.before().await?;
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            self.answers()?;
            outcomes.extend(self.below.restore(vec![record]).await?);
            // What came before stays done.
            if self.strikes(Fault::CutShort) {
                return Err(unavailable("it was done in part"));
            }
        }
        self.after(outcomes).await
    }
}
