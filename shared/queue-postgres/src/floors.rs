//! Floors: where the ready records of a lane begin, so that what lies before them is not passed over with each claim.
//!
//! While somebody holds a transaction open, a dump say, Postgres keeps the index entries of all records that were ready
//! since, and the head of a lane is found behind all of those that are gone: a claim gets slower with each job that is
//! done. So once looks from the beginning of a lane are slow, it is remembered where the first record of each band was,
//! and the next looks begin there.
//!
//! What this process writes before a floor lowers it. What another one writes there, a job that has waited longer than all
//! that are ready in its band, is found by the next look from the beginning. That is made once fifty times its own cost
//! has passed, ten seconds at the most, and a floor that none came up to for so long is given up. Where looks are quick, or
//! no quicker from a floor, there are no floors.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use queue::store::{Lane, Record};

/// A look that takes longer is slow: it passes over some ten thousand entries, or waits.
const SLOW: Duration = Duration::from_millis(5);

/// How many looks in a row have to be slow: one may be so by accident.
const SLOW_LOOKS: usize = 3;

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
    /// Whether looks begin there; otherwise it is time to look from the beginning.
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

/// What is known of one lane whose looks are slow.
#[derive(Debug, Default)]
struct Floor {
    /// The bands in which a record was ready.
    begins: BTreeMap<i16, Begin>,
    /// How long the last looks from the beginning took, that were slow one after the other.
    slow: Vec<Duration>,
    /// When the next one is made; `None` before so many were slow.
    again_at: Option<Instant>,
}

impl Begin {
    fn is_known(&self, now: Instant) -> bool {
        now.duration_since(self.reached_at) < AGAIN_MAX
    }
}

impl Floor {
    /// Whether looks begin at the floor.
    fn is_used(&self, now: Instant) -> bool {
        self.is_slow(now) && self.begins.values().all(|begin| begin.is_known(now))
    }

    /// Whether looks from the beginning are too slow to be made each time.
    fn is_slow(&self, now: Instant) -> bool {
        self.again_at.is_some_and(|at| now < at)
    }

    fn quickest(&self) -> Duration {
        self.slow.iter().min().copied().unwrap_or_default()
    }

    fn was_slow(&mut self, time: Duration, now: Instant) {
        if self.slow.len() == SLOW_LOOKS {
            self.slow.remove(0);
        }
        self.slow.push(time);
        if self.slow.len() == SLOW_LOOKS {
            self.again_at = Some(now + AGAIN_MAX.min(self.quickest() * AGAIN_AFTER));
        }
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
    /// Takes down how long a look at `lane` from the beginning took.
    fn looked(&mut self, lane: &str, time: Duration, now: Instant) {
        if time < SLOW {
            self.lanes.remove(lane);
        } else {
            self.lanes.entry(lane.to_owned()).or_default().was_slow(time, now);
        }
    }

    /// Has `learn` change what is known of `lane`, if looks at it are slow, and nothing be hidden that was written meanwhile.
    fn learn(&mut self, lane: &str, now: Instant, learn: impl FnOnce(&mut Floor)) {
        let Some(floor) = self.lanes.get_mut(lane).filter(|floor| floor.is_slow(now)) else {
            return;
        };
        learn(floor);
        for place in self.looks.get(lane).into_iter().flat_map(|looks| &looks.written) {
            floor.lower(place);
        }
    }
}

impl Floors {
    /// Begins a look at `lanes`, each once.
    pub(crate) fn look(&self, lanes: &[&str], now: Instant) -> Look<'_> {
        let mut known = self.known();
        let mut look = Look {
            floors: self,
            begun: now,
            is_over: false,
            from_beginning: Vec::new(),
            from_floor: Vec::new(),
            parts: Vec::new(),
        };
        for lane in lanes {
            known.looks.entry((*lane).to_owned()).or_default().count += 1;
            if let Some(floor) = known.lanes.get(*lane).filter(|floor| floor.is_used(now)) {
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
            is_used: floor.is_used(now),
        };
        begun.map(above).collect()
    }

    /// Takes down that a look from the beginning of `lanes`, which took so long, found nothing there.
    pub(crate) fn nothing_found<'a>(&self, lanes: impl Iterator<Item = &'a String>, time: Duration, now: Instant) {
        let mut known = self.known();
        for lane in lanes {
            known.looked(lane, time, now);
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
    from_beginning: Vec<String>,
    from_floor: Vec<String>,
    /// Where to look.
    pub(crate) parts: Vec<Part>,
}

impl Look<'_> {
    /// Ends the look with the best `most` that it found, best first, or fewer if there are no more.
    pub(crate) fn found(mut self, records: &[Record], most: usize, now: Instant) {
        self.passed(now);
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
            let is_all = records.len() < most;
            let last = if is_all {
                Some(END_OF_BANDS)
            } else {
                first.keys().next_back().copied()
            };
            known.learn(lane, now, |floor| floor.reached(first, last, now));
        }
        for (lane, first) in first {
            known.learn(lane, now, |floor| floor.raised(first, now));
        }
    }

    /// Ends the look, of which only the time that it took tells anything.
    pub(crate) fn passed(&mut self, now: Instant) {
        self.is_over = true;
        let time = now.duration_since(self.begun);
        let mut known = self.floors.known();
        for lane in &self.from_beginning {
            known.looked(lane, time, now);
        }
        if self.from_beginning.is_empty() {
            let is_quicker = |floor: &Floor| time * QUICKER < floor.quickest();
            for lane in &self.from_floor {
                if known.lanes.get(lane).is_some_and(|floor| !is_quicker(floor)) {
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
        if !self.is_over && now.duration_since(self.begun) >= SLOW {
            self.passed(now);
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

    /// Floors that are used from now on, after slow looks at what is ready in `lanes`.
    fn used(floors: &Floors, ready: &Ready, lanes: &[&str], begun: Instant) -> Instant {
        let mut now = begun;
        for _ in 0..SLOW_LOOKS {
            let look = floors.look(lanes, now);
            assert_eq!(look.parts, whole(lanes));
            now += SLOW;
            look.found(&best(ready, &whole(lanes)), MOST, now);
        }
        now
    }

    fn some_ready() -> Ready {
        let places = [("a", 1, 5), ("a", 1, 6), ("a", 4, 1), ("b", 0, 9)];
        let place = |(lane, band, since): (&str, i16, i64)| (lane.to_owned(), (band, since, format!("{lane}{since}")));
        places.map(place).into()
    }

    #[test]
    fn looks_that_are_quick_have_no_floors_and_neither_has_a_slow_one_among_them() {
        let (floors, now, lanes) = (Floors::default(), Instant::now(), ["a"]);
        for time in [0, 30, 30, 0, 30, 30].map(Duration::from_millis) {
            let look = floors.look(&lanes, now);
            assert_eq!(look.parts, whole(&lanes));
            look.found(&best(&some_ready(), &whole(&lanes)), MOST, now + time);
        }
        assert_eq!(floors.look(&lanes, now).parts, whole(&lanes));
    }

    #[test]
    fn after_slow_looks_a_lane_begins_where_it_was_found_to_until_it_is_time_to_look_again() {
        let (floors, ready, lanes) = (Floors::default(), some_ready(), ["a"]);
        let now = used(&floors, &ready, &lanes, Instant::now());
        let parts = floors.look(&lanes, now).parts.clone();
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
        assert_eq!(floors.look(&lanes, later).parts, whole(&lanes));
        assert_eq!(floors.between("a", "b", later), [above(false)]);
        // It is quick again: whoever held a transaction open is gone.
        floors.look(&lanes, later).found(&[], MOST, later);
        assert_eq!(floors.look(&lanes, now).parts, whole(&lanes));
    }

    #[test]
    fn a_lane_has_floors_only_where_its_own_looks_are_slow_and_quicker_from_there() {
        let (floors, ready) = (Floors::default(), some_ready());
        let now = used(&floors, &ready, &["a"], Instant::now());
        floors.look(&["b"], now).found(&[], MOST, now);
        assert_eq!(floors.look(&["b"], now).parts, whole(&["b"]));
        assert_ne!(floors.look(&["a"], now).parts, whole(&["a"]));
        floors.look(&["a"], now).found(&[], MOST, now + SLOW / QUICKER);
        assert_eq!(floors.look(&["a"], now).parts, whole(&["a"]));
    }

    #[test]
    fn a_lane_that_was_found_empty_is_not_looked_through_again_at_once() {
        let (floors, ready) = (Floors::default(), some_ready());
        let now = used(&floors, &ready, &["a"], Instant::now()) + AGAIN_MAX;
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
    }

    #[test]
    fn what_is_written_while_somebody_looks_is_not_hidden_by_what_was_found() {
        let (floors, mut ready, lanes) = (Floors::default(), some_ready(), ["a", "b"]);
        let now = used(&floors, &ready, &lanes, Instant::now());
        let look = floors.look(&lanes, now);
        let found = best(&ready, &look.parts);
        let urgent = (0, 1, "urgent".to_owned());
        ready.insert(("a".to_owned(), urgent.clone()));
        drop(floors.lowered_by([record("a", &urgent)].iter()));
        look.found(&found, MOST, now);
        let next = best(&ready, &floors.look(&lanes, now).parts);
        assert_eq!(next.first(), Some(&record("a", &urgent)));
    }

    #[test]
    fn a_floor_that_no_look_from_the_beginning_comes_up_to_is_given_up() {
        let (floors, mut ready, lanes) = (Floors::default(), some_ready(), ["a", "b"]);
        let begun = used(&floors, &ready, &["b"], Instant::now());
        // From now on lane a has so much that goes before lane b that it alone is offered.
        ready.extend((0..9).map(|since| ("a".to_owned(), (0, since, format!("urgent{since}")))));
        let (mut now, mut hidden) = (begun, 0);
        while now < begun + 2 * AGAIN_MAX {
            let both = floors.look(&lanes, now);
            let found = best(&ready, &both.parts);
            now += SLOW;
            both.found(&found, MOST, now);
            let parts = floors.look(&["b"], now).parts.clone();
            hidden += usize::from(parts != whole(&["b"]) && now > begun + AGAIN_MAX + SLOW);
        }
        assert_eq!(hidden, 0);
    }

    proptest! {
        /// Whatever this process writes and takes, it is offered what it would be by a look from the beginning.
        #[test]
        fn the_best_lies_above_the_floors(
            steps in prop::collection::vec((0..3_u8, 0..4_i16, 0..9_i64, 0..=MOST), 1..60)
        ) {
            let (floors, mut ready, lanes) = (Floors::default(), Ready::new(), ["a", "b", "c"]);
            let now = used(&floors, &ready, &lanes, Instant::now());
            for (number, (which, band, since, taken)) in steps.into_iter().enumerate() {
                let lanes = &lanes[..=usize::from(which)];
                let look = floors.look(lanes, now);
                let offered = best(&ready, &look.parts);
                prop_assert_eq!(&offered, &best(&ready, &whole(lanes)));
                // Somebody submits while this one looks.
                let name = *lanes.last().expect("one");
                let new = (band, since, number.to_string());
                ready.insert((name.to_owned(), new.clone()));
                drop(floors.lowered_by([record(name, &new)].iter()));
                look.found(&offered, MOST, now);
                for record in offered.iter().take(taken) {
                    let (lane, place) = place(record).expect("it was ready");
                    ready.remove(&(lane.as_str().to_owned(), place));
                }
            }
        }
    }
}
