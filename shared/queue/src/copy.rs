//! Copies a whole store into another one, and shows that nothing is missing.
//!
//! Every record goes as it is, with its version, its index entries and its blobs, so that robots go on with the keys and
//! leases they have. A copy that stops anywhere goes on where it was when it is run again: the target holds a marker
//! that says of which source it is a copy and how far it has come. Nothing here reads a body, and nothing writes to the
//! source.

mod differences;
mod marker;
mod patient;
mod pulse;
mod survey;
mod transfer;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt, future};

pub use self::{
    differences::{Difference, Differences},
    patient::Wait,
    pulse::Pulse,
    survey::{Checksum, Tally},
};
use self::{marker::Marker, patient::Patient};
use crate::store::{Key, Kind, Store, StoreError};

/// How many records are read and written at a time.
const PAGE: usize = 500;

/// A copy of one store into another.
#[derive(Clone)]
pub struct Copy {
    from: Patient,
    to: Patient,
    source: String,
    page: usize,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many records are at the target.
    Copied {
        /// Counted from the beginning, earlier runs included.
        records: u64,
    },
    /// So many records have been read again.
    Verified {
        /// At both sides.
        records: u64,
        /// How many there are at both sides together.
        of: u64,
    },
}

/// What a copy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What there is of each kind, the same at both sides.
    pub kinds: BTreeMap<Kind, Tally>,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
}

/// Hears how far a copy has come.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

impl Copy {
    /// A copy of `from` into `to`. `source` is how `from` is known: a copy that stopped goes on from the same only. It is
    /// kept in the target and shown to people, so it must hold no secret.
    pub fn new(from: Arc<dyn Store>, to: Arc<dyn Store>, source: impl Into<String>) -> Self {
        let at_once: Wait = Arc::new(|_| future::ready(()).boxed());
        let patient = |store, side| Patient {
            store,
            side,
            wait: Arc::clone(&at_once),
        };
        Self {
            from: patient(from, Side::Source),
            to: patient(to, Side::Target),
            source: source.into(),
            page: PAGE,
        }
    }

    /// The same copy with pages of `records`, which is at least 1.
    #[must_use]
    pub fn with_page(self, records: usize) -> Self {
        Self { page: records, ..self }
    }

    /// The same copy, waiting so before it asks a store again that is out of reach, up to 7 times in a row.
    #[must_use]
    pub fn with_wait(mut self, wait: Wait) -> Self {
        self.from.wait = Arc::clone(&wait);
        self.to.wait = wait;
        self
    }

    /// What tells later whether somebody uses the source.
    pub async fn pulse(&self) -> Result<Pulse, CopyError> {
        Pulse::take(&self.from).await
    }

    /// Fails with [`CopyError::InUse`] if a robot was heard at the source since `pulse` was taken.
    pub async fn listen(&self, pulse: &Pulse) -> Result<(), CopyError> {
        pulse.listen(&self.from).await
    }

    /// Copies what is not copied yet, then reads both sides again and compares them.
    ///
    /// On an error it may be run again, and goes on where it was. The target must be empty, or a copy of this source that
    /// was not finished; anything else is left as it is.
    pub async fn run(&self, tell: Tell<'_>) -> Result<Copied, CopyError> {
        let (mut marker, resumed) = self.begin().await?;
        let pulse = self.pulse().await?;
        while !marker.is_copied() {
            self.copy_page(&mut marker).await?;
            self.listen(&pulse).await?;
            tell(Progress::Copied {
                records: marker.records(),
            });
        }
        let kinds = self.verify(marker.records(), tell).await?;
        self.listen(&pulse).await?;
        marker.remove(&self.to).await?;
        Ok(Copied { kinds, resumed })
    }

    /// The marker of this copy, and whether it was there before.
    async fn begin(&self) -> Result<(Marker, bool), CopyError> {
        let at_target = Marker::find(&self.to).await?;
        let at_source = Marker::find(&self.from).await?;
        match (at_source, at_target) {
            (None, None) => Ok((self.begin_anew().await?, false)),
            (None, Some(marker)) if marker.source() == self.source => Ok((marker, true)),
            (None, Some(marker)) => Err(CopyError::OtherCopy {
                of: marker.source().to_owned(),
            }),
            // A marker of this copy at its own source: one store by two names, where a run stopped before it saw that.
            (Some(one), Some(other)) if one == other && one.source() == self.source => {
                other.remove(&self.to).await?;
                Err(CopyError::SameStore)
            }
            (Some(marker), _) => Err(CopyError::SourceUnfinished {
                of: marker.source().to_owned(),
            }),
        }
    }

    async fn begin_anew(&self) -> Result<Marker, CopyError> {
        if let Some(key) = self.first_key_at_target().await? {
            return Err(CopyError::NotEmpty { key });
        }
        let marker = Marker::put_new(&self.to, &self.source).await?;
        // One store may go by two names: what was written to the one is then found in the other.
        if Marker::find(&self.from).await?.is_some() {
            marker.remove(&self.to).await?;
            return Err(CopyError::SameStore);
        }
        Ok(marker)
    }

    async fn first_key_at_target(&self) -> Result<Option<Key>, CopyError> {
        let mut after = None;
        loop {
            let page = self.to.scan(after.as_deref(), 1).await?;
            after = page.next;
            match page.records.into_iter().next() {
                Some(record) => return Ok(Some(record.key)),
                None if after.is_none() => return Ok(None),
                None => {}
            }
        }
    }

    async fn copy_page(&self, marker: &mut Marker) -> Result<(), CopyError> {
        let page = self.from.scan(marker.next(), self.page).await?;
        let records = page.records.len() as u64;
        transfer::records(&self.from, &self.to, page.records).await?;
        marker.advance(&self.to, page.next, records).await
    }

    async fn verify(&self, records: u64, tell: Tell<'_>) -> Result<BTreeMap<Kind, Tally>, CopyError> {
        let read = AtomicU64::new(0);
        let note = |more: u64| {
            let read = read.fetch_add(more, Ordering::Relaxed) + more;
            tell(Progress::Verified {
                records: read,
                of: 2 * records,
            });
        };
        let [source, target] = [&self.from, &self.to].map(|side| survey::of(side, self.page, &note));
        let (source, target) = future::try_join(source, target).await?;
        if source == target {
            return Ok(source);
        }
        let found = differences::between(&self.from, &self.to, self.page, &source, &target).await?;
        Err(CopyError::Differs(found))
    }
}

/// Which of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied.
    Source,
    /// The one that is copied to.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A store did not do its part. The copy can be run again.
    #[error("the {side} did not do its part")]
    Store {
        /// Which one.
        side: Side,
        /// What it said.
        #[source]
        source: StoreError,
    },
    /// Source and target are one store.
    #[error("source and target are the same store")]
    SameStore,
    /// The source is itself a target that is not complete.
    #[error("the source is itself a copy of {of} that was not finished")]
    SourceUnfinished {
        /// What it was to be a copy of.
        of: String,
    },
    /// The target holds something.
    #[error("the target is not empty: it holds {key}")]
    NotEmpty {
        /// The first that was found.
        key: Key,
    },
    /// The target is being made a copy of something else.
    #[error("the target holds a copy of {of} that was not finished, and this is another source")]
    OtherCopy {
        /// What it was to be a copy of.
        of: String,
    },
    /// Somebody else moved the marker.
    #[error("another copy is writing to the target")]
    TwoAtOnce,
    /// The source is not paused: a robot was heard there.
    #[error("the source is in use: {robot} was written while it was looked at; stop every server there")]
    InUse {
        /// The robot's key.
        robot: Key,
    },
    /// The target has a record of that key, and it is another one.
    #[error("{key} is at the target already, and not as it is at the source: one of them was written to meanwhile")]
    Clash {
        /// The record's key.
        key: Key,
    },
    /// What was read again is not the same at both sides.
    #[error("source and target differ: one of them was written to meanwhile\n{0}")]
    Differs(Differences),
}

impl CopyError {
    /// Whether the same copy may come further when it is run again a little later, with nothing else changed.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store {
                source: StoreError::Unavailable(_),
                ..
            }
        )
    }
}
