//! No operation, and no write of one, is without a point.

use std::{
    backtrace::Backtrace,
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use crash_tests::{
    matrix::{Onlooker, fill, points_of},
    place::Ground,
    reads,
    scenario::{Before, process, through},
    scenarios,
    source::{self, Source},
};
use expect_test::expect_file;
use queue::memory::MemoryStore;
use queue_conformance::{
    kit::Kit,
    points::{Onward, Points},
};

#[tokio::test]
async fn the_points_are_those_of_the_list() {
    let mut place = Ground::Sqlite.place().await.expect("a file can be made");
    let mut list = String::new();
    for scenario in scenarios::all() {
        let filled = fill(&mut *place, &scenario).await.expect("the store is filled");
        let points = points_of(&mut *place, &scenario, &filled, Onlooker::default()).await;
        let points = points.expect("the call is answered");
        assert!(points.len() > 1, "{} writes nothing", scenario.name());
        writeln!(list, "{}", scenario.name()).expect("text grows");
        for point in points {
            writeln!(list, "  {point}").expect("text grows");
        }
    }
    expect_file!["../points.txt"].assert_eq(&list);
}

/// Places that no call reaches by itself, and why a crash there is one that is tried elsewhere.
const BEYOND_REACH: &[(&str, &str)] = &[
    // Only where somebody else changed a job after it was listed; it is then the same as a `cancel`.
    ("operations/cancel.rs", "transition"),
    // The queue of a job that ended is there, because queues are never removed.
    ("operations/retry.rs", "make_queues"),
];

/// The lines of the queue's source, file by file below its folder, that were on the stack at some point.
type Reached = Arc<Mutex<BTreeSet<(PathBuf, u32)>>>;

#[tokio::test]
async fn every_place_at_which_something_is_written_is_reached() {
    let reached = Reached::default();
    let mut place = Ground::Sqlite.place().await.expect("a file can be made");
    for scenario in scenarios::all() {
        let filled = fill(&mut *place, &scenario).await.expect("the store is filled");
        let seen = Arc::clone(&reached);
        let look: Onlooker = Some(Arc::new(move |_| {
            let stack = Backtrace::force_capture().to_string();
            seen.lock().expect("nobody panicked").extend(lines_of_the_queue(&stack));
        }));
        let points = points_of(&mut *place, &scenario, &filled, look).await;
        points.expect("the call is answered");
    }
    let reached = reached.lock().expect("nobody panicked");
    assert!(!reached.is_empty(), "the queue is built with the lines of its source");
    let writes = source().writes;
    assert!(writes.len() > 30, "the places are found at all: {writes:#?}");
    let is_reached = |write: &source::Place| {
        let on = |(file, line): &(PathBuf, u32)| *file == write.file && write.lines.contains(line);
        reached.iter().any(on)
    };
    let missed = writes.iter().filter(|write| !is_reached(write));
    let missed: Vec<(&str, &str)> = missed
        .map(|write| (write.file.to_str().expect("a plain name"), write.call.as_str()))
        .collect();
    assert_eq!(missed, BEYOND_REACH, "what no scenario reaches: {writes:#?}");
}

/// The lines of `stack`, as a backtrace prints it, that are in the queue's source.
fn lines_of_the_queue(stack: &str) -> Vec<(PathBuf, u32)> {
    let parse = |line: &str| {
        let (_, place) = line.split_once("shared/queue/src/")?;
        let mut parts = place.split(':');
        Some((PathBuf::from(parts.next()?), parts.next()?.trim().parse().ok()?))
    };
    stack.lines().filter_map(parse).collect()
}

#[test]
fn every_operation_either_has_a_scenario_or_only_reads() {
    let operations = source().operations;
    let named = scenarios::all().into_iter().map(|scenario| scenario.operation);
    let writing: BTreeSet<String> = named.map(str::to_owned).collect();
    let reading: BTreeSet<String> = reads::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(writing.intersection(&reading).count(), 0);
    let covered: BTreeSet<String> = writing.union(&reading).cloned().collect();
    assert_eq!(operations, covered);
}

#[tokio::test]
async fn what_only_reads_writes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let filler = process(store.clone(), 1, Duration::ZERO);
    something_to_read(&filler).await;
    let before = Before::of(&filler).await;
    for (name, read) in reads::ALL {
        let points = Arc::new(Points::new(store.clone(), |_| Onward::Goes));
        let kit = through(&filler, &points, 2);
        read(&kit, &before).await.expect("there is something to read");
        assert_eq!(points.passed(), [], "{name} writes");
    }
}

async fn something_to_read(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "opened the page\n").await.expect("it is taken");
    kit.submit_plain().await;
}

fn source() -> Source {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/queue/src");
    Source::read(&folder).expect("the queue's source can be read")
}
