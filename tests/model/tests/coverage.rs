//! The random runs come to everything that they are to try.

use std::{collections::BTreeSet, sync::Arc};

use domain::job::StateName;
use model_tests::{
    book::Book,
    call::{Answer, Refused, View},
    model::Model,
    run::steps,
    stores::block_on,
    world::World,
};
use queue::memory::MemoryStore;

/// How many seeds are run in any case, and at most until everything was met.
const SEEDS_MIN: u64 = 4;
const SEEDS_MAX: u64 = 40;

/// How many steps each seed takes.
const STEPS: usize = 400;

/// What the runs have to meet: words of answers, and the ways in which jobs end or go back.
const MUST_MEET: &[&str] = &[
    "refused NotFound",
    "refused LeaseLost",
    "refused OutcomeConflict",
    "refused AlreadyStarted",
    "refused Finished",
    "refused NotReady",
    "refused NoDeadLetter",
    "refused Superseded",
    "refused Stale",
    "refused WrongRobot",
    "refused LogGap",
    "refused ChunkConflict",
    "Created",
    "Replayed",
    "Returned",
    "Conflict",
    "Duplicate",
    "Renewed",
    "Lost",
    "Cancel",
    "assigned",
    "assigned with checkpoints",
    "dispatched",
    "repeated report",
    "made anew",
    "explained NotBefore",
    "explained QueuePaused",
    "explained NoRobotOnline",
    "explained NoCapableRobot",
    "explained AllRobotsBusy",
    "explained WaitingForRobot",
    "explained Running",
    "explained Finished",
    "Scheduled RetryBackoff",
    "Ready LeaseLost",
    "Ready RobotRestarted",
    "Ready Released",
    "Succeeded",
    "Failed LeaseLost",
    "Failed RobotRestarted",
    "Failed ApplicationError",
    "Failed BusinessError",
    "Failed Poison",
    "TimedOut RunTimeout",
    "TimedOut QueueTimeout",
    "TimedOut Deadline",
    "Cancelled CancelledByClient",
    "Cancelled CancelledByRobot",
    "Cancelled Replaced",
    "late finish",
];

#[test]
fn the_runs_meet_everything() {
    let mut met: BTreeSet<String> = BTreeSet::new();
    for seed in 0..SEEDS_MAX {
        block_on(run(seed, &mut met));
        if seed >= SEEDS_MIN && missed(&met).is_empty() {
            return;
        }
    }
    panic!("never met {:?}\nof {met:?}", missed(&met));
}

fn missed(met: &BTreeSet<String>) -> Vec<&'static str> {
    MUST_MEET.iter().copied().filter(|word| !met.contains(*word)).collect()
}

/// Makes a run on memory beside the model and takes down what it meets.
async fn run(seed: u64, met: &mut BTreeSet<String>) {
    let (mut book, mut model) = (Book::default(), Model::default());
    let mut world = World::new(Arc::new(MemoryStore::new()), seed);
    for (place, step) in steps(seed).take(STEPS).enumerate() {
        let Some(call) = book.call(&step) else { continue };
        let answer = world.call(&call).await;
        assert_eq!(answer, model.call(&call), "to {call:?}, step {place} of seed {seed}");
        book.hear(&call, &answer);
        met.extend(words_of(&answer));
        if place % 50 == 0 {
            let view = world.view().await;
            assert_eq!(view, model.view(), "after step {place} of seed {seed}");
            met.extend(ways_of(&view));
        }
    }
}

fn words_of(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Refused(Refused::LogGap(_)) => vec!["refused LogGap".to_owned()],
        Answer::Refused(refused) => vec![format!("refused {refused:?}")],
        Answer::Submitted(taken) => taken.iter().map(|taken| first_word(&format!("{taken:?}"))).collect(),
        Answer::Synced(told) => {
            let given = told.assign.iter().map(|given| {
                if given.checkpoints.is_empty() {
                    "assigned".to_owned()
                } else {
                    "assigned with checkpoints".to_owned()
                }
            });
            told.leases
                .iter()
                .map(|(.., status, _)| format!("{status:?}"))
                .chain(given)
                .collect()
        }
        Answer::Explained(codes) => codes.iter().map(|code| format!("explained {code:?}")).collect(),
        Answer::Ended(_, true) => vec!["repeated report".to_owned()],
        Answer::Made(_) => vec!["made anew".to_owned()],
        Answer::Dispatched(1..) => vec!["dispatched".to_owned()],
        _ => Vec::new(),
    }
}

fn ways_of(view: &View) -> Vec<String> {
    let mut ways = Vec::new();
    for job in &view.jobs {
        for steps in job.steps.windows(2) {
            let (to, _, reason) = steps[1];
            ways.push(reason.map_or_else(|| format!("{to:?}"), |reason| format!("{to:?} {reason:?}")));
            if steps[0].0 != StateName::Running && to == StateName::Succeeded {
                ways.push("late finish".to_owned());
            }
        }
    }
    ways
}

fn first_word(text: &str) -> String {
    text.split('(').next().unwrap_or_default().to_owned()
}
