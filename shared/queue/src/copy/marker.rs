//! The marker of a copy in its target: of which source it is, and how far it has come.
//!
//! It is written after each page, at its version, so that of two copies at once one is told. It is a record that no scan of
//! a finished copy meets: the last thing a copy does is to take it away.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CopyError,
    patient::{Patient, TRIES_MAX},
};
use crate::store::{Committed, Key, Kind, Record, StoreError, Version, Write};

/// No tenant has such a name, and tenants are listed from another shelf.
const ID: &str = "/copy";
const SHELF: &str = "copy";

/// A marker as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    version: Version,
    note: Note,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// How the source is known.
    source: String,
    /// The source's mark to go on from; `None` at the beginning, and once all is copied.
    next: Option<String>,
    /// How many records have been copied.
    records: u64,
    /// Whether the last page is copied.
    copied: bool,
}

/// Where the marker lies.
pub(super) fn key() -> Key {
    Key::common(Kind::Tenant, ID)
}

impl Marker {
    /// The marker in `store`, if it is a copy that was not finished.
    pub(super) async fn find(store: &Patient) -> Result<Option<Self>, CopyError> {
        let found = store.load(&[key()]).await?.into_iter().flatten().next();
        found
            .map(|record| Self::read(&record).map_err(|error| store.failed(error)))
            .transpose()
    }

    /// Marks `store` as the beginning of a copy of `source`.
    pub(super) async fn put_new(store: &Patient, source: &str) -> Result<Self, CopyError> {
        let mut marker = Self {
            version: Version::ABSENT,
            note: Note {
                source: source.to_owned(),
                next: None,
                records: 0,
                copied: false,
            },
        };
        marker.write(store).await?;
        Ok(marker)
    }

    /// How the source is known.
    pub(super) fn source(&self) -> &str {
        &self.note.source
    }

    /// The source's mark to go on from.
    pub(super) fn next(&self) -> Option<&str> {
        self.note.next.as_deref()
    }

    /// How many records have been copied.
    pub(super) fn records(&self) -> u64 {
        self.note.records
    }

    /// Whether there is nothing left to copy.
    pub(super) fn is_copied(&self) -> bool {
        self.note.copied
    }

    /// Notes that a page of `records` is in `store`, and where the next one begins.
    pub(super) async fn advance(
        &mut self,
        store: &Patient,
        next: Option<String>,
        records: u64,
    ) -> Result<(), CopyError> {
        self.note.copied = next.is_none();
        self.note.next = next;
        self.note.records += records;
        self.write(store).await
    }

    /// Takes the marker away.
    pub(super) async fn remove(&self, store: &Patient) -> Result<(), CopyError> {
        write(store, Write::Delete(key(), self.version), None).await
    }

    async fn write(&mut self, store: &Patient) -> Result<(), CopyError> {
        let record = self.record();
        self.version = self.version.next();
        write(store, Write::Put(record), Some(self)).await
    }

    fn record(&self) -> Record {
        Record {
            key: key(),
            version: self.version,
            lane: None,
            rank: None,
            due_at: None,
            shelf: SHELF.to_owned(),
            listed_at: Timestamp::default(),
            expires_at: None,
            body: serde_json::to_string(&self.note).expect("texts and numbers are JSON"),
        }
    }

    fn read(record: &Record) -> Result<Self, StoreError> {
        let note = serde_json::from_str(&record.body).map_err(|source| StoreError::Corrupt {
            what: "the marker of a copy".to_owned(),
            source: source.into(),
        })?;
        Ok(Self {
            version: record.version,
            note,
        })
    }
}

/// Does `marker_write`, after which the marker is `wanted`. What failed may have been done all the same, so the store is
/// asked what became of it.
async fn write(store: &Patient, marker_write: Write, wanted: Option<&Marker>) -> Result<(), CopyError> {
    let mut tries = 1;
    loop {
        let outcome = store.write(marker_write.clone()).await;
        if let Ok(Committed::Done) = outcome {
            return Ok(());
        }
        let found = Marker::find(store).await?;
        if found.as_ref() == wanted {
            return Ok(());
        }
        let version = found.map_or(Version::ABSENT, |found| found.version);
        if version != marker_write.version() {
            return Err(CopyError::TwoAtOnce);
        }
        if tries == TRIES_MAX {
            return outcome.and(Err(CopyError::TwoAtOnce));
        }
        tries += 1;
    }
}
