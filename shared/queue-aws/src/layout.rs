//! How the table looks: keys of items, keys of indexes, names of attributes.
//!
//! An item is a record (`sk` is `r`) or a blob beside it (`sk` is `b/` and its name), both under the `pk` of the record:
//! kind, partition and id. Four sparse indexes of keys only find records; an item is in one while it has its keys:
//!
//! | index | partition key | sort key | who is in it |
//! |---|---|---|---|
//! | `ready` | tenant/queue#shard | lane, band, since, id, shelf, place in lists | what can be claimed |
//! | `due` | due#shard | due time, id | unfinished records with a timer |
//! | `filed` | kind/partition/shelf#shard | place in lists, id | what is in neither of the two |
//! | `expiring` | exp#shard | when it expires, id | what the sweep has to purge, because blobs lie beside it |
//!
//! So a record is in one index at each moment, two while it is ready and has a timer, and a job's way through the queue
//! moves it from `ready` to `due` to `filed`. A shard is drawn from the record's key: one partition of an index takes
//! 1,000 writes a second, and one that is short of it holds up the writes of the table.

use domain::Timestamp;
use queue::store::{Key, Kind, Lane, Rank};
use sha2::{Digest, Sha256};

/// In how many partitions the ready records of one queue are spread: a claim reads each of them, and each takes 1,000
/// writes a second, two for a job.
///
/// This and the numbers below are parts of the stored form: others would look for entries where they are not.
pub const READY_SHARDS: u32 = 4;
/// In how many partitions the timers of the whole table are spread.
pub const DUE_SHARDS: u32 = 8;
/// In how many partitions one shelf of jobs is spread.
pub const FILED_SHARDS: u32 = 2;

/// The sort key of a record's own item.
pub(crate) const RECORD: &str = "r";
/// What the sort keys of blobs begin with.
pub(crate) const BLOB: &str = "b/";
/// What sorts right after every sort key of a blob.
pub(crate) const BLOB_END: &str = "b0";
/// What the names of attributes begin with that hold a blob inside the record's item.
pub(crate) const INLINE: char = '~';

/// The partition key of the items that name the partitions of the ready index.
pub(crate) const LANES: &str = "lanes";
/// The partition key of the item that keeps the last count of ready records.
pub(crate) const DEPTH: &str = "depth";

/// Stands between the parts of a sort key; sorts before any character in them.
const GAP: char = '\0';
/// Sorts right after [`GAP`]: ends the entries of one lane.
const AFTER_GAP: char = '\u{1}';

/// How many bytes of a lane's text a sort key of at most 1,024 bytes takes; the digest of a longer one follows.
const LANE_TEXT_MAX: usize = 512;

/// Hexadecimal digits of a time.
const TIME_DIGITS: usize = 16;

/// The names of the indexes, each with its partition key and its sort key.
pub const INDEXES: [(&str, &str, &str); 4] = [READY, DUE, FILED, EXPIRING];
pub(crate) const READY: (&str, &str, &str) = ("ready", "rp", "rs");
pub(crate) const DUE: (&str, &str, &str) = ("due", "dp", "ds");
pub(crate) const FILED: (&str, &str, &str) = ("filed", "fp", "fs");
pub(crate) const EXPIRING: (&str, &str, &str) = ("expiring", "ep", "es");

/// The attribute by which DynamoDB removes finished records: seconds since 1970.
pub const TIME_TO_LIVE: &str = "x";

/// The partition key of the items of `key`.
pub fn item_key(key: &Key) -> String {
    format!("{}/{}/{}", key.kind as u8, key.partition, key.id)
}

/// What the partition keys of the items of one kind and partition begin with.
pub(crate) fn item_prefix(kind: Kind, partition: &str) -> String {
    format!("{}/{partition}/", kind as u8)
}

/// Takes back what [`item_key`] gave; `None` for items that are no record's.
pub(crate) fn parse_item_key(text: &str) -> Option<Key> {
    let (kind, rest) = text.split_once('/')?;
    let (partition, id) = rest.split_once('/')?;
    Some(Key {
        kind: Kind::from_code(kind.parse().ok()?)?,
        partition: partition.to_owned(),
        id: id.to_owned(),
    })
}

/// Which of `shards` the record whose items lie at `item_key` is in: even, whatever the ids are like.
pub fn shard(item_key: &str, shards: u32) -> u32 {
    crc32fast::hash(item_key.as_bytes()) % shards
}

/// The partition key of the ready index for a queue's `shard`; `queue` is `tenant/queue`.
pub fn ready_partition(queue: &str, shard: u32) -> String {
    format!("{queue}#{shard}")
}

/// The part of a lane's text that names its queue (`tenant/queue`), and the rest.
pub(crate) fn lane_parts(lane: &str) -> (&str, &str) {
    let end = lane.match_indices('/').nth(1).map_or(lane.len(), |(at, _)| at);
    (&lane[..end], lane.get(end + 1..).unwrap_or_default())
}

/// How the rest of a lane's text begins the sort keys of its entries.
pub(crate) fn lane_text(rest: &str) -> String {
    if rest.len() <= LANE_TEXT_MAX {
        return rest.to_owned();
    }
    let digest = Sha256::digest(rest);
    let digest = u128::from_be_bytes(digest[..16].try_into().expect("a digest has 32 bytes"));
    format!("{}{AFTER_GAP}{digest:032x}", lane_text_head(rest))
}

/// As much of `rest` as every lane's sort keys keep.
pub(crate) fn lane_text_head(rest: &str) -> &str {
    let end = (0..=rest.len().min(LANE_TEXT_MAX))
        .rev()
        .find(|end| rest.is_char_boundary(*end));
    &rest[..end.unwrap_or(0)]
}

/// What sorts right after the entries of the lane whose text in sort keys is `text`.
pub(crate) fn lane_end(text: &str) -> String {
    format!("{text}{AFTER_GAP}")
}

/// The sort key of a ready record.
pub(crate) fn ready_sort(rest: &str, rank: Rank, id: &str, shelf: &str, listed_at: Timestamp) -> String {
    let (band, since) = (rank.band, time(rank.since));
    format!(
        "{}{GAP}{band:02x}{since}{id}{GAP}{shelf}{GAP}{}",
        lane_text(rest),
        time(listed_at)
    )
}

/// What a sort key of the ready index tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadySort<'a> {
    /// The lane's text without tenant and queue, or what [`lane_text`] makes of a long one.
    pub(crate) lane: &'a str,
    pub(crate) rank: Rank,
    pub(crate) id: &'a str,
    pub(crate) shelf: &'a str,
    pub(crate) listed_at: Timestamp,
}

impl ReadySort<'_> {
    /// Whether the lane's text was too long to be told.
    pub(crate) fn lane_is_cut(&self) -> bool {
        self.lane.contains(AFTER_GAP)
    }
}

/// Takes back what [`ready_sort`] gave.
pub(crate) fn parse_ready_sort(text: &str) -> Option<ReadySort<'_>> {
    let mut parts = text.split(GAP);
    let (lane, place, shelf, listed) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let band = u8::from_str_radix(place.get(..2)?, 16).ok()?;
    let since = parse_time(place.get(2..2 + TIME_DIGITS)?)?;
    Some(ReadySort {
        lane,
        rank: Rank { band, since },
        id: place.get(2 + TIME_DIGITS..)?,
        shelf,
        listed_at: parse_time(listed)?,
    })
}

/// The lane of an entry in the partition of `queue`; `None` when only the record tells its text.
pub(crate) fn lane_of(queue: &str, sort: &ReadySort<'_>) -> Option<Lane> {
    (!sort.lane_is_cut()).then(|| Lane::from_stored(format!("{queue}/{}", sort.lane)))
}

/// The partition key of the due index for `shard`.
pub fn due_partition(shard: u32) -> String {
    format!("due#{shard}")
}

/// The partition key of the index of what the sweep purges.
pub fn expiring_partition(shard: u32) -> String {
    format!("exp#{shard}")
}

/// The partition key of one shelf's `shard`. Only jobs are spread.
pub fn filed_partition(kind: Kind, partition: &str, shelf: &str, shard: u32) -> String {
    format!("{}/{partition}/{shelf}#{shard}", kind as u8)
}

/// In how many shards a shelf of `kind` lies.
pub(crate) fn filed_shards(kind: Kind) -> u32 {
    if kind == Kind::Job { FILED_SHARDS } else { 1 }
}

/// A time and an id as a sort key: earlier first, and at one moment by id.
pub(crate) fn time_sort(at: Timestamp, id: &str) -> String {
    format!("{}{id}", time(at))
}

/// Takes back what [`time_sort`] gave.
pub(crate) fn parse_time_sort(text: &str) -> Option<(Timestamp, &str)> {
    Some((parse_time(text.get(..TIME_DIGITS)?)?, text.get(TIME_DIGITS..)?))
}

/// Hexadecimal digits that sort as the times do, also those before 1970.
fn time(at: Timestamp) -> String {
    format!("{:016x}", at.as_micros().cast_unsigned() ^ (1 << 63))
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let micros = u64::from_str_radix(text, 16).ok()? ^ (1 << 63);
    Some(Timestamp::from_micros(micros.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(band: u8, micros: i64) -> Rank {
        Rank {
            band,
            since: Timestamp::from_micros(micros),
        }
    }

    #[test]
    fn a_ready_entry_tells_its_lane_rank_and_place() {
        let (since, listed) = (rank(7, 55), Timestamp::from_micros(-3));
        let text = ready_sort("rob_1/{\"c\":[\"ä\"]}", since, "j/1", "ready", listed);
        let read = parse_ready_sort(&text).expect("reads what was written");
        assert_eq!((read.lane, read.rank, read.id), ("rob_1/{\"c\":[\"ä\"]}", since, "j/1"));
        assert_eq!((read.shelf, read.listed_at), ("ready", listed));
        assert_eq!(
            lane_of("acme/default", &read),
            Some(Lane::from_stored("acme/default/rob_1/{\"c\":[\"ä\"]}".to_owned()))
        );
    }

    #[test]
    fn entries_sort_by_lane_then_band_then_time_before_and_after_1970() {
        let places = [
            rank(0, 9),
            rank(1, -5),
            rank(1, -4),
            rank(1, 0),
            rank(1, 1),
            rank(255, i64::MIN),
        ];
        let of = |lane: &str| places.map(|place| ready_sort(lane, place, "x", "ready", Timestamp::from_micros(0)));
        let expected: Vec<String> = ["", "/", "/a", "/a/b", "/ab"].into_iter().flat_map(of).collect();
        let mut sorted = expected.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn a_long_lane_fits_a_sort_key_and_keeps_its_place() {
        let long = "é".repeat(900);
        let text = ready_sort(
            &long,
            rank(0, 0),
            &"i".repeat(200),
            &"s".repeat(80),
            Timestamp::from_micros(0),
        );
        assert!(text.len() <= 1_024, "{}", text.len());
        assert!(text.starts_with(lane_text_head(&long)));
        assert!(parse_ready_sort(&text).expect("reads").lane_is_cut());
        assert_ne!(lane_text(&long), lane_text(&"é".repeat(901)));
    }

    #[test]
    fn keys_of_items_tell_the_record() {
        let key = Key {
            kind: Kind::Job,
            partition: String::new(),
            id: "a/b".to_owned(),
        };
        assert_eq!(parse_item_key(&item_key(&key)), Some(key));
        assert_eq!(parse_item_key(LANES), None);
    }

    #[test]
    fn shards_of_a_million_jobs_are_even() {
        for shards in [READY_SHARDS, DUE_SHARDS] {
            let mut entries = vec![0_u32; shards as usize];
            for number in 0_u64..1_000_000 {
                let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                entries[shard(&format!("1/acme/0199aa00-0000-7000-8000-{spread:016x}"), shards) as usize] += 1;
            }
            let even = 1_000_000 / shards;
            assert!(
                entries.iter().all(|entries| entries.abs_diff(even) < even / 25),
                "{entries:?}"
            );
        }
    }
}
