//! What is not the same at both sides, told so that people find it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    CopyError, marker,
    patient::Patient,
    survey::{self, Tally},
};
use crate::store::{Kind, Record, Version};

/// How many records are named.
const NAMED_MAX: usize = 5;

/// What is not the same at both sides: the kinds, and some of the records. Shown a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// What there is of each kind that differs, at the source and at the target.
    pub kinds: Vec<(Kind, Tally, Tally)>,
    /// The first records that differ, at most 5.
    pub records: Vec<Difference>,
}

/// A record that is not the same at both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key and what is different about it, in words.
    pub text: String,
}

impl fmt::Display for Differences {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (kind, source, target) in &self.kinds {
            lines.push(format!("  {}: {}", kind.plural(), compared(source, target)));
        }
        lines.extend(self.records.iter().map(|record| format!("  {}", record.text)));
        out.write_str(&lines.join("\n"))
    }
}

fn compared(source: &Tally, target: &Tally) -> String {
    let shown = |tally: &Tally| {
        let Tally {
            records,
            blobs,
            bytes,
            checksum,
        } = tally;
        format!("{records} records, {blobs} blobs, {bytes} bytes, checksum {checksum}")
    };
    format!("source {}; target {}", shown(source), shown(target))
}

/// Looks for what makes `source` and `target`, the tallies of both sides, differ.
pub(super) async fn between(
    from: &Patient,
    to: &Patient,
    page: usize,
    source: &BTreeMap<Kind, Tally>,
    target: &BTreeMap<Kind, Tally>,
) -> Result<Differences, CopyError> {
    let of = |tallies: &BTreeMap<Kind, Tally>, kind| tallies.get(&kind).copied().unwrap_or_default();
    let kinds: Vec<(Kind, Tally, Tally)> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, of(source, kind), of(target, kind)))
        .filter(|(_, source, target)| source != target)
        .collect();
    let wanted: BTreeSet<Kind> = kinds.iter().map(|(kind, ..)| *kind).collect();
    let mut records = Vec::new();
    changed(from, to, page, &wanted, &mut records).await?;
    only_at_target(from, to, page, &wanted, &mut records).await?;
    records.truncate(NAMED_MAX);
    Ok(Differences { kinds, records })
}

/// Records of the source that are not at the target, or not the same there.
async fn changed(
    from: &Patient,
    to: &Patient,
    page: usize,
    kinds: &BTreeSet<Kind>,
    found: &mut Vec<Difference>,
) -> Result<(), CopyError> {
    let mut after = None;
    while found.len() < NAMED_MAX {
        let scanned = from.scan(after.as_deref(), page).await?;
        let records = of_kinds(scanned.records, kinds);
        let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
        let there = to.load(&keys).await?;
        for (record, there) in records.iter().zip(there) {
            if let Some(text) = difference(from, to, record, there.as_ref()).await? {
                found.push(Difference { text });
            }
        }
        after = scanned.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

async fn only_at_target(
    from: &Patient,
    to: &Patient,
    page: usize,
    kinds: &BTreeSet<Kind>,
    found: &mut Vec<Difference>,
) -> Result<(), CopyError> {
    let mut after = None;
    while found.len() < NAMED_MAX {
        let scanned = to.scan(after.as_deref(), page).await?;
        let records = of_kinds(scanned.records, kinds);
        let keys: Vec<_> = records.into_iter().map(|record| record.key).collect();
        let there = from.load(&keys).await?;
        let missing = keys.iter().zip(there).filter(|(_, there)| there.is_none());
        found.extend(missing.map(|(key, _)| Difference {
            text: format!("{key} is not at the source"),
        }));
        after = scanned.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

fn of_kinds(mut records: Vec<Record>, kinds: &BTreeSet<Kind>) -> Vec<Record> {
    records.retain(|record| kinds.contains(&record.key.kind) && record.key != marker::key());
    records
}

async fn difference(
    from: &Patient,
    to: &Patient,
    record: &Record,
    there: Option<&Record>,
) -> Result<Option<String>, CopyError> {
    let key = &record.key;
    let Some(there) = there else {
        return Ok(Some(format!("{key} is not at the target")));
    };
    let (Version(source), Version(target)) = (record.version, there.version);
    if source != target {
        return Ok(Some(format!(
            "{key} is at version {source} at the source, at {target} at the target"
        )));
    }
    if record != there {
        return Ok(Some(format!("{key} differs, though its version is the same")));
    }
    let same = survey::tally(from, record).await? == survey::tally(to, record).await?;
    Ok((!same).then(|| format!("{key} has other blobs")))
}
