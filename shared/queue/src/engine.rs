//! What the operations stand on: a store, hints, a clock, chance and settings, all handed in.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    Job, JobId, KeyId, LeaseToken, Rejection, RobotId, TenantName, Timestamp, retry::Chance, robot::SyncRejection,
};
use uuid::Uuid;

use crate::{
    codec::{DEAD_FAILED, DEAD_TIMED_OUT},
    hints::{Hint, Hints},
    recent::Writes,
    store::{Change, Committed, Key, Kind, Store, StoreError, Write},
};

/// Tells the time. Handlers hand in the real one, tests one that stands still.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Draws random bytes: the operating system's where secrets are made, a seeded generator in tests.
pub trait Entropy: Send + Sync + 'static {
    /// Sixteen bytes that nobody can guess.
    fn draw(&self) -> [u8; 16];
}

/// What an operator may set for the whole system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a finished job is kept. At least [`Settings::RETENTION_MIN`], because idempotency keys live as long.
    pub retention: Duration,
    /// How many ready jobs there may be, over all tenants, before submits are refused with `503 overloaded`.
    pub backlog_max: u64,
    /// When an idle robot with nothing in sight syncs next.
    pub idle_sync: Duration,
    /// When an idle robot syncs next while work waits in one of its queues, and the longest interval of a busy one.
    pub busy_sync: Duration,
    /// For how long a robot that was heard of need not be written down again when its sync says nothing else. Zero
    /// writes each sync; at most [`Settings::HEARTBEAT_MAX`]. For stores that are paid by the write.
    pub heartbeat: Duration,
    /// How often the sweep looks by itself. What falls due sooner is hinted at.
    pub sweep_every: Duration,
}

impl Settings {
    /// The shortest retention: idempotency keys hold for at least 7 days.
    pub const RETENTION_MIN: Duration = Duration::from_hours(7 * 24);

    /// The longest heartbeat: with the longest interval between two syncs it stays below
    /// [`OFFLINE_AFTER`](domain::robot::OFFLINE_AFTER).
    pub const HEARTBEAT_MAX: Duration = Duration::from_secs(45);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(30 * 24),
            backlog_max: 1_000_000,
            idle_sync: Duration::from_secs(30),
            busy_sync: Duration::from_secs(5),
            heartbeat: Duration::ZERO,
            sweep_every: Duration::from_mins(1),
        }
    }
}

/// Everything an operation needs; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hints: Arc<dyn Hints>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    memory: Arc<Memory>,
}

/// What an engine remembers between calls; losing it costs a read.
#[derive(Default)]
struct Memory {
    /// Queues that are known to be there. They are never removed.
    queues: Mutex<HashSet<Key>>,
    /// How many jobs wait, and when that was counted.
    depth: Mutex<Option<Depth>>,
    /// How many jobs became dead letters by writes of this engine, by tenant, since that was last taken.
    dead_letters: Mutex<BTreeMap<TenantName, u64>>,
    /// What it wrote for robots.
    writes: Writes,
}

/// How long a count of waiting jobs is good for.
const DEPTH_FRESH: Duration = Duration::from_secs(5);

/// How long it is told to others while somebody counts anew.
const DEPTH_OLD: Duration = Duration::from_secs(10);

/// A count of waiting jobs.
struct Depth {
    jobs: u64,
    counted_at: Timestamp,
    /// When somebody last set about to count anew.
    asked_at: Timestamp,
}

/// How many queues are remembered.
const QUEUES_KNOWN_MAX: usize = 10_000;

/// How often an operation starts over after a conflict before it says that the store is too busy.
pub(crate) const TRIES_MAX: usize = 16;

impl Engine {
    /// An engine on `store`.
    pub fn new(
        store: Arc<dyn Store>,
        hints: Arc<dyn Hints>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            hints,
            clock,
            entropy,
            settings,
            memory: Arc::default(),
        }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The present moment, by the clock it was given.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What it remembers of its writes; nothing where each write is paid for, because one that is refused costs more than
    /// the read that it saves.
    pub(crate) fn recent(&self) -> Option<&Writes> {
        self.settings.heartbeat.is_zero().then_some(&self.memory.writes)
    }

    pub(crate) fn knows(&self, queue: &Key) -> bool {
        self.memory
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(queue)
    }

    pub(crate) fn now_knows(&self, queue: Key) {
        let mut known = self.memory.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < QUEUES_KNOWN_MAX {
            known.insert(queue);
        }
    }

    /// How many jobs became dead letters by what this engine wrote, by tenant, since this was last asked.
    pub fn take_dead_letters(&self) -> BTreeMap<TenantName, u64> {
        std::mem::take(&mut *self.memory.dead_letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Commits changes by which jobs may end, and notes which of them became dead letters.
    pub(crate) async fn commit_jobs(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let died: Vec<Vec<TenantName>> = changes.iter().map(dead_letters_of).collect();
        let outcomes = self.store.commit(changes).await?;
        let mut noted = self.memory.dead_letters.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenants, outcome) in died.into_iter().zip(&outcomes) {
            if *outcome == Committed::Done {
                tenants
                    .into_iter()
                    .for_each(|tenant| *noted.entry(tenant).or_default() += 1);
            }
        }
        drop(noted);
        Ok(outcomes)
    }

    /// How many jobs wait, counted up to `limit` and at most [`DEPTH_FRESH`] ago; while somebody counts anew the others are
    /// told the last count, if it is not older than [`DEPTH_OLD`].
    pub(crate) async fn cached_depth(&self, limit: u64) -> Result<u64, StoreError> {
        let now = self.now();
        if let Some(jobs) = self.last_depth(now) {
            return Ok(jobs);
        }
        let jobs = self.store.depth(limit).await?;
        *self.memory.depth.lock().unwrap_or_else(PoisonError::into_inner) = Some(Depth {
            jobs,
            counted_at: now,
            asked_at: now,
        });
        Ok(jobs)
    }

    /// The last count, unless it is for the caller to count anew.
    fn last_depth(&self, now: Timestamp) -> Option<u64> {
        let mut last = self.memory.depth.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_mut()?;
        let (age, asked) = (now.since(last.counted_at), now.since(last.asked_at));
        if age < DEPTH_FRESH || (age < DEPTH_OLD && asked < DEPTH_FRESH) {
            return Some(last.jobs);
        }
        last.asked_at = now;
        None
    }

    /// What to look at when the next timer of `job` falls due, if the sweep would look too late by itself.
    pub(crate) fn timer_hint(&self, job: &Job, now: Timestamp) -> Option<Hint> {
        let soon = job.next_timer().is_some_and(|at| at < now + self.settings.sweep_every);
        Hint::of(job).filter(|_| soon)
    }

    pub(crate) fn chance(&self) -> Chance {
        let word = self.word() >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        Chance::new(word as f64 / (1_u64 << 53) as f64)
    }

    pub(crate) fn word(&self) -> u64 {
        let bytes = self.entropy.draw();
        u64::from_le_bytes([
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
        ])
    }

    /// A new job's id: a UUID of version 7, so that ids lie in the order of time.
    pub(crate) fn new_job_id(&self, now: Timestamp) -> JobId {
        let draw = self.entropy.draw();
        let random = [
            draw[0], draw[1], draw[2], draw[3], draw[4], draw[5], draw[6], draw[7], draw[8], draw[9],
        ];
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        JobId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    pub(crate) fn new_token(&self) -> LeaseToken {
        LeaseToken::parse(&format!("lt_{}", self.simple())).expect("hexadecimal digits make a token")
    }

    /// A new robot's id.
    pub fn new_robot_id(&self) -> RobotId {
        RobotId::parse(&format!("rob_{}", self.simple())).expect("hexadecimal digits make an id")
    }

    /// A new key's id.
    pub fn new_key_id(&self) -> KeyId {
        KeyId::parse(&format!("key_{}", self.simple())).expect("hexadecimal digits make an id")
    }

    fn simple(&self) -> String {
        Uuid::from_bytes(self.entropy.draw()).simple().to_string()
    }
}

/// Whose dead letters `change` makes, one entry for each.
fn dead_letters_of(change: &Change) -> Vec<TenantName> {
    let is_dead = |shelf: &str| shelf == DEAD_FAILED || shelf == DEAD_TIMED_OUT;
    let whose = |write: &Write| match write {
        Write::Put(record) if record.key.kind == Kind::Job && is_dead(&record.shelf) => {
            TenantName::parse(&record.key.partition).ok()
        }
        _ => None,
    };
    change.writes.iter().filter_map(whose).collect()
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing in this tenant.
    #[error("there is none of that id")]
    NotFound,
    /// The job does not allow it.
    #[error(transparent)]
    Job(#[from] Rejection),
    /// The sync came out of turn.
    #[error(transparent)]
    Sync(#[from] SyncRejection),
    /// The attempt is another robot's.
    #[error("the attempt belongs to another robot")]
    WrongRobot,
    /// The log has a gap before this chunk.
    #[error("the next chunk is {next_seq}")]
    LogGap {
        /// The chunk that is expected.
        next_seq: u32,
    },
    /// The chunk is there already, with other content.
    #[error("the chunk is there already with other content")]
    ChunkConflict,
    /// There are as many of them as there may be.
    #[error("there may be at most {max}")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// Another unfinished job holds the dedup key.
    #[error("job {job} holds the dedup key")]
    Duplicate {
        /// The job that holds it.
        job: JobId,
    },
    /// So many jobs are waiting that no more are taken for now.
    #[error("{ready} jobs are waiting")]
    Overloaded {
        /// How many, counted no further than the limit.
        ready: u64,
        /// When to come back, in seconds.
        retry_after_seconds: u32,
    },
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the store reports when one record is fought over without end.
pub(crate) fn too_busy() -> StoreError {
    StoreError::Unavailable(format!("gave up after {TRIES_MAX} conflicts on one record").into())
}
