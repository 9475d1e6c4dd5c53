//! The seam between the queue and what keeps it: versioned records, guarded writes, two indexes, blobs.
//!
//! A store guards and fetches. It never looks into a body and never branches on what a record means; what a record
//! becomes is decided by `domain`, above this seam. Every promise below is one case in `queue-conformance`.

use std::fmt;

use async_trait::async_trait;
use domain::{TenantName, time::Timestamp};
use futures::future::try_join_all;

pub use crate::lane::{Lane, Rank};

/// What a record is about. The numbers are the stored form and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A job.
    Job = 1,
    /// A robot.
    Robot = 2,
    /// A queue's settings.
    Queue = 3,
    /// Which unfinished job holds a dedup key.
    Dedup = 4,
    /// An API key. Lies in the common partition, on its tenant's shelf.
    ApiKey = 5,
    /// A tenant. Lies in the common partition. While a store is being made a copy of another, so does the marker of the
    /// copy, on a shelf of its own and under an id that no tenant can have.
    Tenant = 6,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::Job,
        Self::Robot,
        Self::Queue,
        Self::Dedup,
        Self::ApiKey,
        Self::Tenant,
    ];

    /// The kind that is stored as `code`.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// What people call records of this kind.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Job => "jobs",
            Self::Robot => "robots",
            Self::Queue => "queues",
            Self::Dedup => "dedup keys",
            Self::ApiKey => "keys",
            Self::Tenant => "tenants",
        }
    }
}

/// Where a record lies. `partition` is the tenant's name, or empty for what is common to all tenants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What the record is about.
    pub kind: Kind,
    /// The tenant's name, or empty.
    pub partition: String,
    /// The id, unique within kind and partition; at most 200 bytes of printable ASCII.
    pub id: String,
}

impl Key {
    /// The key of `id` under its tenant.
    pub fn new(kind: Kind, tenant: &TenantName, id: impl Into<String>) -> Self {
        Self {
            kind,
            partition: tenant.as_str().to_owned(),
            id: id.into(),
        }
    }

    /// The key of `id` in the common partition.
    pub fn common(kind: Kind, id: impl Into<String>) -> Self {
        Self {
            kind,
            partition: String::new(),
            id: id.into(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}/{}", self.kind, self.partition, self.id)
    }
}

/// Counts the writes of one record: 1 for the first, one more with each. A write names the version it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version of what is not there: a write that names it is refused when there is a record already.
    pub const ABSENT: Self = Self(0);

    /// The version that a successful write gives.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The version whose successful write gives this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// A versioned record with the index entries that belong to it, written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub key: Key,
    /// The version it was read at; [`Version::ABSENT`] when it is new.
    pub version: Version,
    /// Which lane it belongs to, ready or not; jobs only.
    pub lane: Option<Lane>,
    /// Its place in the ready index; `None` keeps it out.
    pub rank: Option<Rank>,
    /// The next time at which the sweep has to look at it; `None` keeps it out of the due index.
    pub due_at: Option<Timestamp>,
    /// Which list it is found in; for jobs the state. At most 80 bytes of printable ASCII.
    pub shelf: String,
    /// Its place in lists, newest first.
    pub listed_at: Timestamp,
    /// When it may be purged with its blobs; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// What the codec wrote: JSON without NUL characters.
    pub body: String,
}

impl Record {
    /// Where this record stands in a list, to go on from.
    pub fn position(&self) -> Position {
        Position {
            listed_at: self.listed_at,
            id: self.key.id.clone(),
        }
    }
}

/// A place in a list: newest first, and among equals the greater id first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The place of the record in time.
    pub listed_at: Timestamp,
    /// The record's id.
    pub id: String,
}

/// Bytes beside a record, too large or too cold for it. Purged with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    /// The record it belongs to.
    pub owner: Key,
    /// Its name under that record, like `payload/4f…` or `log/00001/000000`; at most 200 bytes of printable ASCII.
    pub name: String,
}

/// A blob to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where it lies.
    pub key: BlobKey,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// One guarded write. With [`Version::ABSENT`], a check or a deletion holds only while there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Put this record if what is stored still has its version (absent: if there is none).
    Put(Record),
    /// Delete the record and its blobs if it still has this version.
    Delete(Key, Version),
    /// Leave the record alone but refuse the change unless it still has this version.
    Check(Key, Version),
}

impl Write {
    /// The record this write is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(record) => &record.key,
            Self::Delete(key, _) | Self::Check(key, _) => key,
        }
    }

    /// The version this write was decided on.
    pub fn version(&self) -> Version {
        match self {
            Self::Put(record) => record.version,
            Self::Delete(_, version) | Self::Check(_, version) => *version,
        }
    }
}

/// Writes that are done together: all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Guarded writes, each of another record.
    pub writes: Vec<Write>,
    /// Blobs, there no later than the records. When the change is refused they may or may not have been written:
    /// a name has to carry what makes its content unique.
    pub blobs: Vec<Blob>,
}

impl From<Record> for Change {
    fn from(record: Record) -> Self {
        Self {
            writes: vec![Write::Put(record)],
            blobs: Vec::new(),
        }
    }
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Every record of it has its next version.
    Done,
    /// A record was not at its version; nothing of it was written.
    Conflict,
}

/// What one holder is to receive: the holder's record is written first, and only then its jobs.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The robot that takes the jobs.
    pub holder: Record,
    /// The offered records as they are to be.
    pub jobs: Vec<Record>,
}

/// What became of one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Whether the holder was written. When not, none of its jobs was.
    pub holder: Committed,
    /// For each job of the grant, in order, whether it was written.
    pub jobs: Vec<Committed>,
}

/// Decides on offered records. Runs once, quickly, and does no I/O: a store may hold locks meanwhile.
pub type Decide = Box<dyn FnOnce(Vec<Record>) -> Vec<Grant> + Send>;

/// How many unfinished records of one lane and shelf there are: ready, or with a due time, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The lane.
    pub lane: Lane,
    /// The shelf.
    pub shelf: String,
    /// How many.
    pub records: u64,
    /// The earliest `rank.since` among those in the ready index.
    pub oldest: Option<Timestamp>,
}

/// One page of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Records; there may be none though the scan goes on.
    pub records: Vec<Record>,
    /// The store's own mark, to go on from; `None` when that was all.
    pub next: Option<String>,
}

/// What a blob met that was to be new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPut {
    /// It was written.
    Stored,
    /// There is one of that name, with these bytes; nothing was written.
    Exists(Vec<u8>),
}

/// Keeps records and guards their versions.
///
/// Reads marked *hint* may be stale or miss what was just written; all others see every write that was answered.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What this store is called in stats and health: `memory`, `sqlite`, `postgres`, `sqs`.
    fn name(&self) -> &'static str;

    /// Answers when the store can be written to, as far as one cheap call can tell.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The records of `keys`, in their order; strongly consistent.
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError>;

    /// Writes each change, or refuses it, independent of the others; the outcomes come in the order of `changes`.
    ///
    /// On an error any of them may have been written. A record occurs in at most one change of a call.
    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError>;

    /// Offers up to `limit` ready records of `lanes`, best first over all lanes, to `decide` and writes its grants.
    ///
    /// Two claims at once never both write the same job. Grants come back in their order. A claim may be offered less than
    /// there is while another one looks at it, and what another process wrote may come into the offer late.
    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError>;

    /// Lanes with the text prefix `prefix` that hold ready records, at most `limit`, in the order of their text. Costs
    /// what the lanes are, not what the records in them are. A hint.
    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError>;

    /// [`lanes`](Self::lanes) for each of `prefixes`, in their order; a store may look for all of them at once.
    async fn lanes_of(&self, prefixes: &[String], limit: usize) -> Result<Vec<Vec<Lane>>, StoreError> {
        try_join_all(prefixes.iter().map(|prefix| self.lanes(prefix, limit))).await
    }

    /// Up to `limit` ready records of `lanes`, best first over all lanes. A hint.
    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Up to `limit` records with `due_at <= now`, soonest first, and at one moment by id. A hint.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Up to `limit` records on any of `shelves`, newest first, after `after`.
    ///
    /// Costs what it gives and the number of shelves, not what lies on them; a store that pays for each index entry may
    /// read the unfinished jobs of the tenant besides. A hint.
    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// How many unfinished records each lane and shelf of `tenant` has: those with a lane that are ready or have a due
    /// time. Costs what they are. A hint.
    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError>;

    /// How many ready records there are over all tenants, counted up to `limit` and no further. A hint.
    async fn depth(&self, limit: u64) -> Result<u64, StoreError>;

    /// The blobs of `keys`, in their order; strongly consistent.
    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// The names of `owner`'s blobs that begin with `prefix` and sort after `after`, in order, at most `limit`.
    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError>;

    /// Writes a blob whether or not there is one of that name.
    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError>;

    /// Writes a blob if there is none of that name.
    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError>;

    /// Removes up to `limit` records with `expires_at <= now`, soonest first, each with its blobs, and says how many.
    ///
    /// A store that is set to remove by its own clock what has expired leaves records without blobs to that.
    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// One page of all records of every kind and partition, in the store's own order, after the mark `after`; at most
    /// `limit`, which is at least 1. Strongly consistent.
    ///
    /// From the first page to the last, a record that is there all the time comes exactly once, also when it is written
    /// meanwhile; one that is made or deleted meanwhile may come or not. A mark is good for as long as the store is, and
    /// may be used again; one that no scan of such a store gave is [`StoreError::Corrupt`].
    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError>;

    /// Writes each of `records` as it is, with the version it carries and its index entries, if there is none of its key;
    /// a conflict otherwise, also when the one there is the same. The outcomes come in the order of `records`.
    ///
    /// For copies of a whole store only: nothing else may choose a version. On an error any of them may have been
    /// written. A key occurs at most once in a call, and no version is [`Version::ABSENT`].
    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError>;
}

/// Why a store did not do what it was asked; act on the kind, read the cause.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is out of reach, or too busy, for now. The call may or may not have been done.
    #[error("the store is out of reach")]
    Unavailable(#[source] BoxError),
    /// What it holds cannot be read.
    #[error("stored data cannot be read: {what}")]
    Corrupt {
        /// What was being read.
        what: String,
        /// Why it cannot be.
        #[source]
        source: BoxError,
    },
}

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
