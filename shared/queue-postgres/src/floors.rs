//! Floors: where the ready records of a lane begin, so that what lies before them is not passed over with each claim.
//!
//! Up to the next vacuum the index keeps the entries of all records that were ready, and the head of a lane is found behind
//! all of those that are gone: a claim gets slower with each job that is done. While somebody holds a transaction open, a
//! dump say, no vacuum takes them away. So once looks from the beginning of a lane take long, it is remembered where the
//! first record of each band was, and the next looks begin there.
//!
//! What this process writes before a floor lowers it. What another one writes there, a job that has waited longer than all
//! that are ready in its band, is found by the next look from the beginning. That is made once fifty times its own cost
//! has passed, ten seconds at the most, and a floor that none came up to for so long is given up; and at once where less
//! was found than was asked for, unless it is slow. Where looks are quick, or no quicker from a floor, there are no floors.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use queue::store::{Lane, Record};

/// A look that takes the server longer for each lane is worth floors: it passes over some hundred pages of the index.
pub(crate) const LONG: Duration = Duration::from_micros(200);

/// A look that takes longer is slow: it is not made only because too little was found above a floor.
pub(crate) const SLOW: Duration = Duration::from_millis(5);

/// How many looks in a row have to be long, or no quicker from a floor: one may be so by accident.
const LOOKS: usize = 3;

/// A look from a floor is to take less than this part of one from the beginning.
const QUICKER: u32 = 2;

/// After how many times its own cost a look from the beginning is made again.
const AGAIN_AFTER: u32 = 50;

/// After how long it is made again at the latest, and for how long a place is known that none came up to.
const AGAIN_MAX: Duration = Duration::from_secs(10);

/// A place in a lane: band, since and id, as the index has them.
pub(crate) type Place = (i16, i64, String);

/// A part of a lane: from a place on, below a band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) lane: String,
    pub(crate) from: Place,
    pub(crate) below: i16,
}

/// What lies above the floor of a lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Above {
    pub(crate) lane: String,
    pub(crate) parts: Vec<Part>,
    /// Whether looks begin there even if too little is found; otherwise one from the beginning is due, or not slow.
    pub(crate) is_used: bool,
}

/// Before every band.
const FIRST_BAND: i16 = -1;

/// After every band.
const END_OF_BANDS: i16 = i16::MAX;

impl Part {
    /// All of `lane`.
    pub(crate) fn whole(lane: &str) -> Self {
        Self::bands(lane, FIRST_BAND, END_OF_BANDS)
    }

    fn bands(lane: &str, first: i16, below: i16) -> Self {
        Self::of(lane, (first, i64::MIN, String::new()), below)
    }

    fn of(lane: &str, from: Place, below: i16) -> Self {
        Self {
            lane: lane.to_owned(),
            from,
            below,
        }
    }
}

/// Binds parts of lanes as the statements take them, one array for each column: lane, band, since, id, and the band below
/// which they end.
macro_rules! bind_parts {
    ($query:expr, $parts:expr) => {{
        let parts: &[$crate::floors::Part] = $parts;
        let lanes: Vec<&str> = parts.iter().map(|part| part.lane.as_str()).collect();
        let bands: Vec<i16> = parts.iter().map(|part| part.from.0).collect();
        let sinces: Vec<i64> = parts.iter().map(|part| part.from.1).collect();
        let ids: Vec<&str> = parts.iter().map(|part| part.from.2.as_str()).collect();
        let ends: Vec<i16> = parts.iter().map(|part| part.below).collect();
        $query.bind(lanes).bind(bands).bind(sinces).bind(ids).bind(ends)
    }};
}
pub(crate) use bind_parts;

/// Where a band begins.
#[derive(Debug)]
struct Begin {
    /// The first place where a record was ready.
    place: Place,
    /// When a look from the beginning last came up to there.
    reached_at: Instant,
}

/// What is known of one lane whose looks are long.
#[derive(Debug, Default)]
struct Floor {
    /// The bands in which a record was ready.
    begins: BTreeMap<i16, Begin>,
    /// How long the last looks from the beginning took, that were long one after the other.
    long: Vec<Duration>,
    /// When the next one is made; `None` before so many were long.
    again_at: Option<Instant>,
    /// How many looks from the floor in a row were not much quicker.
    in_vain: usize,
}

impl Begin {
    fn is_known(&self, now: Instant) -> bool {
        now.duration_since(self.reached_at) < AGAIN_MAX
    }
}

impl Floor {
    /// Whether looks begin at the floor, where one from the beginning takes `least` or longer.
    fn is_used(&self, least: Duration, now: Instant) -> bool {
        self.is_long(now) && self.quickest() >= least && self.begins.values().all(|begin| begin.is_known(now))
    }

    /// Whether looks from the beginning take too long to be made each time.
    fn is_long(&self, now: Instant) -> bool {
        self.again_at.is_some_and(|at| now < at)
    }

    fn quickest(&self) -> Duration {
        self.long.iter().min().copied().unwrap_or_default()
    }

    fn was_long(&mut self, time: Duration, now: Instant) {
        if self.long.len() == LOOKS {
            self.long.remove(0);
        }
        self.long.push(time);
        if self.long.len() == LOOKS {
            self.again_at = Some(now + AGAIN_MAX.min(self.quickest() * AGAIN_AFTER));
        }
    }

    /// Takes down a look from the floor that took so long; `false` when too many were no quicker.
    fn is_worth_it(&mut self, time: Duration) -> bool {
        let is_quicker = time * QUICKER < self.quickest();
        self.in_vain = if is_quicker { 0 } else { self.in_vain + 1 };
        self.in_vain < LOOKS
    }

    fn lower(&mut self, place: &Place) {
        if let Some(begin) = self.begins.get_mut(&place.0).filter(|begin| *place < begin.place) {
            begin.place.clone_from(place);
        }
    }

    /// Has the bands begin at `first`, as a look from the beginning found that came through the band `last`.
    fn reached(&mut self, first: BTreeMap<i16, Place>, last: Option<i16>, now: Instant) {
        for (_, begin) in self.begins.iter_mut().filter(|(band, _)| Some(**band) <= last) {
            begin.reached_at = now;
        }
        self.begins.retain(|_, begin| begin.is_known(now));
        let begin = |(band, place)| (band, Begin { place, reached_at: now });
        self.begins.extend(first.into_iter().map(begin));
    }

    /// Has the bands begin at `first`, as a look from the floor found.
    fn raised(&mut self, first: BTreeMap<i16, Place>, now: Instant) {
        for (band, place) in first {
            // A band without a floor was looked through from its beginning.
            let reached_at = self.begins.get(&band).map_or(now, |begin| begin.reached_at);
            self.begins.insert(band, Begin { place, reached_at });
        }
    }

    /// The bands that begin where something was found, and all others between them.
    fn parts(&self, lane: &str) -> Vec<Part> {
        let (mut parts, mut next) = (Vec::new(), FIRST_BAND);
        for (band, begin) in &self.begins {
            if next < *band {
                parts.push(Part::bands(lane, next, *band));
            }
            next = band.saturating_add(1);
            parts.push(Part::of(lane, begin.place.clone(), next));
        }
        parts.push(Part::bands(lane, next, END_OF_BANDS));
        parts
    }
}

/// What this process knows of where lanes begin.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    lanes: BTreeMap<String, Floor>,
    /// The lanes that are looked at.
    looks: HashMap<String, Looks>,
}

/// The looks at one lane that are under way.
#[derive(Debug, Default)]
struct Looks {
    count: usize,
    /// What was written since the first of them began, so that what they found before it does not hide it.
    written: Vec<Place>,
}

impl Known {
    /// Takes down how long a look at `lane` from the beginning took, which is long from `least` on.
    fn looked(&mut self, lane: &str, time: Duration, least: Duration, now: Instant) {
        if time < least {
            self.lanes.remove(lane);
        } else {
            self.lanes.entry(lane.to_owned()).or_default().was_long(time, now);
        }
    }

    /// Has `learn` change what is known of `lane`, if looks at it are long, and nothing be hidden that was written meanwhile.
    fn learn(&mut self, lane: &str, now: Instant, learn: impl FnOnce(&mut Floor)) {
        let Some(floor) = self.lanes.get_mut(lane).filter(|floor| floor.is_long(now)) else {
            return;
        };
        learn(floor);
        for place in self.looks.get(lane).into_iter().flat_map(|looks| &looks.written) {
            floor.lower(place);
        }
    }
}

impl Floors {
    /// Begins a look at `lanes`, each once, from the floors of those where one from the beginning takes `least` or longer.
    pub(crate) fn look(&self, lanes: &[&str], least: Duration, now: Instant) -> Look<'_> {
        let mut known = self.known();
        let mut look = Look {
            floors: self,
            begun: now,
            is_over: false,
            skips_little: false,
            from_beginning: Vec::new(),
            from_floor: Vec::new(),
            parts: Vec::new(),
        };
        for lane in lanes {
            known.looks.entry((*lane).to_owned()).or_default().count += 1;
            if let Some(floor) = known.lanes.get(*lane).filter(|floor| floor.is_used(least, now)) {
                look.skips_little |= floor.quickest() < SLOW;
                look.parts.extend(floor.parts(lane));
                look.from_floor.push((*lane).to_owned());
            } else {
                look.parts.push(Part::whole(lane));
                look.from_beginning.push((*lane).to_owned());
            }
        }
        look
    }

    /// The lanes from `low` on and before `high` of which it is known where they begin, in their order.
    pub(crate) fn between(&self, low: &str, high: &str, now: Instant) -> Vec<Above> {
        let range = (Bound::Included(low), Bound::Excluded(high));
        let known = self.known();
        let begun = known
            .lanes
            .range::<str, _>(range)
            .filter(|(_, floor)| !floor.begins.is_empty());
        let above = |(lane, floor): (&String, &Floor)| Above {
            lane: lane.clone(),
            parts: floor.parts(lane),
            is_used: floor.is_used(SLOW, now),
        };
        begun.map(above).collect()
    }

    /// Takes down that a look from the beginning of `lanes`, which took so long with the way there, found nothing.
    pub(crate) fn nothing_found<'a>(&self, lanes: impl Iterator<Item = &'a String>, time: Duration, now: Instant) {
        let mut known = self.known();
        for lane in lanes {
            if known.lanes.get(lane).is_none_or(|floor| floor.quickest() < SLOW) {
                known.lanes.remove(lane);
                continue;
            }
            known.looked(lane, time, SLOW, now);
            known.learn(lane, now, |floor| {
                floor.reached(BTreeMap::new(), Some(END_OF_BANDS), now);
            });
        }
    }

    /// Sees to it that what is written now, and may be ready before a floor, lowers it: at the end, or when the one who
    /// writes is cut off.
    pub(crate) fn lowered_by<'a>(&self, records: impl Iterator<Item = &'a Record>) -> Lowering<'_> {
        let places = records.filter_map(place);
        Lowering {
            floors: self,
            places: places.map(|(lane, place)| (lane.clone(), place)).collect(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write that lowers floors when it is dropped.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    floors: &'a Floors,
    places: Vec<(Lane, Place)>,
}

impl Drop for Lowering<'_> {
    fn drop(&mut self) {
        let mut known = self.floors.known();
        for (lane, place) in self.places.drain(..) {
            if let Some(floor) = known.lanes.get_mut(lane.as_str()) {
                floor.lower(&place);
            }
            if let Some(looks) = known.looks.get_mut(lane.as_str()) {
                looks.written.push(place);
            }
        }
    }
}

/// A look at some lanes that is under way.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    floors: &'a Floors,
    begun: Instant,
    is_over: bool,
    /// Whether it begins at a floor where one from the beginning is not slow.
    skips_little: bool,
    from_beginning: Vec<String>,
    from_floor: Vec<String>,
    /// Where to look.
    pub(crate) parts: Vec<Part>,
}

impl Look<'_> {
    /// Ends the look with the best `most` that it found, best first, or fewer if there are no more, in the time that it `took`
    /// the server, if that is known. It is `false` if too few were found, and one without the floors that skip little is to follow.
    pub(crate) fn found(mut self, records: &[Record], most: usize, took: Option<Duration>, now: Instant) -> bool {
        let is_short = records.len() < most;
        // Where fewer are ready than are asked for, a floor would be of no use unless the look is slow: another would follow.
        self.timed(took, if is_short { SLOW } else { LONG }, now);
        let mut first: BTreeMap<&str, BTreeMap<i16, Place>> = BTreeMap::new();
        for record in records {
            if let Some((lane, place)) = place(record) {
                let bands = first.entry(lane.as_str()).or_default();
                bands.entry(place.0).or_insert(place);
            }
        }
        let mut known = self.floors.known();
        for lane in &self.from_beginning {
            let first = first.remove(lane.as_str()).unwrap_or_default();
            let last = if is_short {
                Some(END_OF_BANDS)
            } else {
                first.keys().next_back().copied()
            };
            known.learn(lane, now, |floor| floor.reached(first, last, now));
        }
        for (lane, first) in first {
            known.learn(lane, now, |floor| floor.raised(first, now));
        }
        !(is_short && self.skips_little)
    }

    /// Ends the look, which passed over what others hold: what it found lowers floors, and raises none.
    pub(crate) fn passed(mut self, records: &[Record], took: Option<Duration>, now: Instant) {
        self.timed(took, SLOW, now);
        let mut known = self.floors.known();
        for (lane, place) in records.iter().filter_map(place) {
            known.learn(lane.as_str(), now, |floor| floor.lower(&place));
        }
    }

    /// Takes down how long the look took, if that is known; from the beginning it is long from `least` on for each lane.
    fn timed(&mut self, took: Option<Duration>, least: Duration, now: Instant) {
        self.is_over = true;
        let Some(time) = took else { return };
        let mut known = self.floors.known();
        let lanes = u32::try_from(self.from_beginning.len()).unwrap_or(u32::MAX);
        for lane in &self.from_beginning {
            known.looked(lane, time, SLOW.min(least.saturating_mul(lanes)), now);
        }
        if self.from_beginning.is_empty() {
            for lane in &self.from_floor {
                if known.lanes.get_mut(lane).is_some_and(|floor| !floor.is_worth_it(time)) {
                    known.lanes.remove(lane);
                }
            }
        }
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        // One that failed or was cut off tells something if it was slow up to then.
        let now = Instant::now();
        let time = now.duration_since(self.begun);
        if !self.is_over && time >= SLOW {
            self.timed(Some(time), SLOW, now);
        }
        let mut known = self.floors.known();
        for lane in self.from_beginning.iter().chain(&self.from_floor) {
            if let Some(looks) = known.looks.get_mut(lane) {
                looks.count -= 1;
                if looks.count == 0 {
                    known.looks.remove(lane);
                }
            }
        }
    }
}

/// Where `record` is ready, if it is.
fn place(record: &Record) -> Option<(&Lane, Place)> {
    let (lane, rank) = record.lane.as_ref().zip(record.rank)?;
    let place = (i16::from(rank.band), rank.since.as_micros(), record.key.id.clone());
    Some((lane, place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use queue::store::{Key, Kind, Rank, Version};

    use super::*;

    /// What is ready: lane, band and since of each, which has an id of its own.
    type Ready = BTreeSet<(String, Place)>;

    const MOST: usize = 3;

    /// A look that is dropped without an end takes no time, however late the test is.
    fn start() -> Instant {
        Instant::now() + 100 * AGAIN_MAX
    }

    fn record(lane: &str, place: &Place) -> Record {
        Record {
            key: Key::common(Kind::Job, place.2.clone()),
            version: Version::ABSENT,
            lane: Some(Lane::from_stored(lane.to_owned())),
            rank: Some(Rank {
                band: u8::try_from(place.0).expect("a band"),
                since: domain::Timestamp::from_micros(place.1),
            }),
            due_at: None,
            shelf: String::new(),
            listed_at: domain::Timestamp::default(),
            expires_at: None,
            body: String::new(),
        }
    }

    /// What lies in `parts` of what is ready, as Postgres finds it.
    fn best(ready: &Ready, parts: &[Part]) -> Vec<Record> {
        let within = |(lane, place): &&(String, Place)| {
            let fits = |part: &&Part| part.lane == *lane && part.from <= *place && place.0 < part.below;
            parts.iter().any(|part| fits(&part))
        };
        let mut found: Vec<&(String, Place)> = ready.iter().filter(within).collect();
        found.sort_by_key(|(_, place)| place);
        found
            .into_iter()
            .take(MOST)
            .map(|(lane, place)| record(lane, place))
            .collect()
    }

    fn whole(lanes: &[&str]) -> Vec<Part> {
        lanes.iter().map(|lane| Part::whole(lane)).collect()
    }

    /// Floors that are used from now on, after looks at what is ready in `lanes` that took the server `time`.
    fn used_after(time: Duration, floors: &Floors, ready: &Ready, lanes: &[&str], begun: Instant) -> Instant {
        let mut now = begun;
        for _ in 0..LOOKS {
            let look = floors.look(lanes, LONG, now);
            assert_eq!(look.parts, whole(lanes));
            now += time;
            assert!(look.found(&best(ready, &whole(lanes)), MOST, Some(time), now));
        }
        now
    }

    fn used(floors: &Floors, ready: &Ready, lanes: &[&str], begun: Instant) -> Instant {
        used_after(SLOW, floors, ready, lanes, begun)
    }

    fn some_ready() -> Ready {
        let places = [("a", 1, 5), ("a", 1, 6), ("a", 4, 1), ("b", 0, 9)];
        let place = |(lane, band, since): (&str, i16, i64)| (lane.to_owned(), (band, since, format!("{lane}{since}")));
        places.map(place).into()
    }

    #[test]
    fn looks_that_are_quick_have_no_floors_and_neither_has_a_slow_one_among_them() {
        let (floors, now, lanes) = (Floors::default(), start(), ["a"]);
        for time in [0, 30, 30, 0, 30, 30].map(Duration::from_millis) {
            let look = floors.look(&lanes, LONG, now);
            assert_eq!(look.parts, whole(&lanes));
            look.found(&best(&some_ready(), &whole(&lanes)), MOST, Some(time), now);
        }
        assert_eq!(floors.look(&lanes, LONG, now).parts, whole(&lanes));
    }

    #[test]
    fn looks_that_are_long_for_their_number_of_lanes_only_that_find_too_little_or_whose_time_is_unknown_give_no_floors()
    {
        let (ready, now) = (some_ready(), start());
        let found = best(&ready, &whole(&["a"]));
        let many: Vec<String> = (10..30).map(|number| number.to_string()).collect();
        let many: Vec<&str> = ["a"].into_iter().chain(many.iter().map(String::as_str)).collect();
        let looks = [
            (&many[..], &found[..], Some(LONG * 20)),
            (&["a"], &found[1..], Some(LONG * 20)),
            (&["a"], &found[..], None),
        ];
        for (lanes, found, took) in looks {
            let floors = Floors::default();
            for _ in 0..=LOOKS {
                let look = floors.look(lanes, LONG, now);
                assert_eq!(look.parts, whole(lanes));
                assert!(look.found(found, MOST, took, now + 2 * SLOW));
            }
        }
    }

    #[test]
    fn where_looks_are_not_slow_one_that_finds_too_little_is_begun_anew() {
        let (floors, ready, lanes) = (Floors::default(), some_ready(), ["a"]);
        let now = used_after(LONG, &floors, &ready, &lanes, start());
        assert_eq!(floors.look(&lanes, SLOW, now).parts, whole(&lanes));
        assert!(!floors.between("a", "b", now)[0].is_used);
        let look = floors.look(&lanes, LONG, now);
        assert_ne!(look.parts, whole(&lanes));
        let found = best(&ready, &look.parts);
        assert!(look.found(&found, MOST, None, now));
        let look = floors.look(&lanes, LONG, now);
        assert_ne!(look.parts, whole(&lanes));
        assert!(!look.found(&found[1..], MOST, None, now));
        let again = floors.look(&lanes, SLOW, now);
        assert_eq!(again.parts, whole(&lanes));
        assert!(again.found(&found[1..], MOST, Some(LONG), now));
        assert_eq!(floors.look(&lanes, LONG, now).parts, whole(&lanes));

        // So it is if the floor goes with this look, because it was in vain once too often.
        let now = used_after(LONG, &floors, &ready, &lanes, now);
        for is_last in [false, false, true] {
            let found = if is_last { &found[1..] } else { &found[..] };
            let look = floors.look(&lanes, LONG, now);
            assert_ne!(look.parts, whole(&lanes));
            assert_eq!(look.found(found, MOST, Some(LONG), now), !is_last);
        }

        let now = used(&floors, &ready, &lanes, now);
        for _ in 0..2 {
            let look = floors.look(&lanes, SLOW, now);
            assert_ne!(look.parts, whole(&lanes));
            assert!(look.found(&found[1..], MOST, None, now));
        }
    }

    #[test]
    fn what_a_look_that_passed_over_what_others_hold_found_lowers_floors_and_raises_none() {
        let (floors, ready, lanes) = (Floors::default(), some_ready(), ["a"]);
        let now = used(&floors, &ready, &lanes, start());
        let parts = || floors.look(&lanes, SLOW, now).parts.clone();
        let before = parts();
        let look = |since| {
            let found = record("a", &(1, since, "found".to_owned()));
            floors.look(&lanes, SLOW, now).passed(&[found], Some(SLOW / 10), now);
        };
        look(6);
        assert_eq!(parts(), before);
        look(4);
        assert_eq!(parts()[1], Part::of("a", (1, 4, "found".to_owned()), 2));
    }

    #[test]
    fn after_slow_looks_a_lane_begins_where_it_was_found_to_until_it_is_time_to_look_again() {
        let (floors, ready, lanes) = (Floors::default(), some_ready(), ["a"]);
        let now = used(&floors, &ready, &lanes, start());
        let parts = floors.look(&lanes, LONG, now).parts.clone();
        let from = |band, since, id: &str| Part::of("a", (band, since, id.to_owned()), band + 1);
        let bands = |first, below| Part::bands("a", first, below);
        assert_eq!(
            parts,
            [
                bands(FIRST_BAND, 1),
                from(1, 5, "a5"),
                bands(2, 4),
                from(4, 1, "a1"),
                bands(5, END_OF_BANDS)
            ]
        );
        let above = |is_used| Above {
            lane: "a".to_owned(),
            parts: parts.clone(),
            is_used,
        };
        assert_eq!(floors.between("a", "b", now), [above(true)]);
        let later = now + SLOW * AGAIN_AFTER;
        assert_eq!(floors.look(&lanes, LONG, later).parts, whole(&lanes));
        assert_eq!(floors.between("a", "b", later), [above(false)]);
        // It is quick again: whoever held a transaction open is gone.
        floors
            .look(&lanes, LONG, later)
            .found(&[], MOST, Some(Duration::ZERO), later);
        assert_eq!(floors.look(&lanes, LONG, now).parts, whole(&lanes));
    }

    #[test]
    fn a_lane_has_floors_only_where_its_own_looks_are_slow_and_quicker_from_there() {
        let (floors, ready) = (Floors::default(), some_ready());
        let now = used(&floors, &ready, &["a"], start());
        floors.look(&["b"], LONG, now).found(&[], MOST, Some(LONG), now);
        assert_eq!(floors.look(&["b"], LONG, now).parts, whole(&["b"]));
        assert_ne!(floors.look(&["a"], LONG, now).parts, whole(&["a"]));
        let look = |time| floors.look(&["a"], LONG, now).found(&[], MOST, Some(time), now);
        let quick = SLOW / (2 * QUICKER);
        for time in [SLOW, SLOW, quick, SLOW, SLOW, SLOW] {
            assert_ne!(floors.look(&["a"], LONG, now).parts, whole(&["a"]));
            look(time);
        }
        assert_eq!(floors.look(&["a"], LONG, now).parts, whole(&["a"]));
    }

    #[test]
    fn a_lane_that_was_found_empty_is_not_looked_through_again_at_once() {
        let (floors, ready) = (Floors::default(), some_ready());
        let now = used(&floors, &ready, &["a"], start()) + AGAIN_MAX;
        let is_used = || {
            floors
                .between("a", "b", now)
                .iter()
                .map(|above| above.is_used)
                .collect::<Vec<_>>()
        };
        assert_eq!(is_used(), [false]);
        floors.nothing_found(["a".to_owned()].iter(), SLOW, now);
        assert_eq!(is_used(), [true]);
        // Where the server takes less than that, the way there is nothing to be spared.
        used_after(LONG, &floors, &ready, &["b"], now);
        floors.nothing_found(["b".to_owned()].iter(), 2 * SLOW, now);
        assert_eq!(floors.between("b", "c", now), []);
    }

    #[test]
    fn what_is_written_while_somebody_looks_is_not_hidden_by_what_was_found() {
        let (floors, mut ready, lanes) = (Floors::default(), some_ready(), ["a", "b"]);
        let now = used(&floors, &ready, &lanes, start());
        let look = floors.look(&lanes, LONG, now);
        let found = best(&ready, &look.parts);
        let urgent = (0, 1, "urgent".to_owned());
        ready.insert(("a".to_owned(), urgent.clone()));
        drop(floors.lowered_by([record("a", &urgent)].iter()));
        look.found(&found, MOST, None, now);
        let next = best(&ready, &floors.look(&lanes, LONG, now).parts);
        assert_eq!(next.first(), Some(&record("a", &urgent)));
    }

    #[test]
    fn a_floor_that_no_look_from_the_beginning_comes_up_to_is_given_up() {
        let (floors, mut ready, lanes) = (Floors::default(), some_ready(), ["a", "b"]);
        let begun = used(&floors, &ready, &["b"], start());
        // From now on lane a has so much that goes before lane b that it alone is offered.
        ready.extend((0..9).map(|since| ("a".to_owned(), (0, since, format!("urgent{since}")))));
        let (mut now, mut hidden) = (begun, 0);
        while now < begun + 2 * AGAIN_MAX {
            let both = floors.look(&lanes, LONG, now);
            let found = best(&ready, &both.parts);
            now += SLOW;
            both.found(&found, MOST, Some(SLOW), now);
            let parts = floors.look(&["b"], LONG, now).parts.clone();
            hidden += usize::from(parts != whole(&["b"]) && now > begun + AGAIN_MAX + SLOW);
        }
        assert_eq!(hidden, 0);
    }

    /// Looks as a claim does; `meanwhile` comes while somebody looks. Gives what was found, and all that there was to find.
    fn offered(
        floors: &Floors,
        ready: &mut Ready,
        lanes: &[&str],
        time: Duration,
        now: Instant,
        mut meanwhile: impl FnMut(&mut Ready),
    ) -> (Vec<Record>, Vec<Record>) {
        for least in [LONG, SLOW] {
            let look = floors.look(lanes, least, now);
            let (found, all) = (best(ready, &look.parts), best(ready, &whole(lanes)));
            meanwhile(ready);
            let took = if look.from_beginning.is_empty() {
                Duration::ZERO
            } else {
                time * u32::try_from(lanes.len()).expect("few lanes")
            };
            if look.found(&found, MOST, Some(took), now) {
                return (found, all);
            }
        }
        unreachable!("the second look is from the beginning where that is not slow");
    }

    proptest! {
        /// Whatever this process writes and takes, it is offered what it would be by a look from the beginning; and if others
        /// write, as much, unless looks are slow.
        #[test]
        fn the_best_lies_above_the_floors(
            steps in prop::collection::vec((0..3_u8, 0..4_i16, 0..9_i64, 0..=MOST), 1..60),
            time in prop::sample::select(vec![LONG, SLOW]),
            others_write in any::<bool>(),
        ) {
            let (floors, lanes) = (Floors::default(), ["a", "b", "c"]);
            let first = |(since, lane): (i64, &&str)| ((*lane).to_owned(), (2, since, format!("first{since}")));
            let mut ready: Ready = (0..12).zip(lanes.iter().cycle()).map(first).collect();
            let now = used_after(time, &floors, &ready, &lanes, start());
            for (number, (which, band, since, taken)) in steps.into_iter().enumerate() {
                let lanes = &lanes[..=usize::from(which)];
                let name = *lanes.last().expect("one");
                let new = (band, since, number.to_string());
                let by_another = others_write && number % 3 == 0;
                let (found, all) = offered(&floors, &mut ready, lanes, time, now, |ready| {
                    ready.insert((name.to_owned(), new.clone()));
                    if !by_another {
                        drop(floors.lowered_by([record(name, &new)].iter()));
                    }
                });
                if !others_write {
                    prop_assert_eq!(&found, &all);
                } else if time < SLOW {
                    prop_assert_eq!(found.len(), all.len());
                }
                for record in found.iter().take(taken) {
                    let (lane, place) = place(record).expect("it was ready");
                    ready.remove(&(lane.as_str().to_owned(), place));
                }
            }
        }
    }
}
