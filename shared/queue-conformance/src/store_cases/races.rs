//! Writes at the same time: exactly the right ones win, and nobody waits for ever.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::join_all;
use queue::store::{Change, Committed, Record, Store, Version, Write};
use tokio::sync::Barrier;

use crate::samples::{commit, job, job_key, load, put, put_all, together, version};

/// How many tasks race in a case.
const RACERS: usize = 16;

/// How often a race is run.
const ROUNDS: usize = 20;

/// By then every race is over, or somebody waits for ever.
const RACE_MAX: Duration = Duration::from_mins(1);

/// However many write on the same version, one does.
pub async fn of_racing_writes_one_wins(store: Arc<dyn Store>) {
    let mut current = put(&*store, job("a")).await;
    for round in 0..ROUNDS {
        let outcomes = race(|racer| {
            let (store, body) = (Arc::clone(&store), format!(r#"{{"round":{round},"racer":{racer}}}"#));
            let record = Record {
                body,
                ..current.clone()
            };
            async move { (commit(&*store, record.clone()).await, record.body) }
        });
        let outcomes = outcomes.await;
        let winners: Vec<&String> = outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == Committed::Done)
            .map(|(_, body)| body)
            .collect();
        let stored = load(&*store, &current.key).await.unwrap();
        assert_eq!(winners, [&stored.body]);
        assert_eq!(stored.version, current.version.next());
        current = stored;
    }
}

/// However many make the same record, one does; alone or with others beside it.
pub async fn of_racing_creations_one_wins(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let outcomes = race(|racer| {
            let store = Arc::clone(&store);
            let wanted = Record {
                body: racer.to_string(),
                ..job(&format!("wanted-{round}"))
            };
            let beside = (racer % 2 == 0).then(|| job(&format!("beside-{round}-{racer}")));
            async move { commit(&*store, together([wanted].into_iter().chain(beside))).await }
        });
        let outcomes = outcomes.await;
        let winners: Vec<usize> = (0..RACERS)
            .filter(|racer| outcomes[*racer] == Committed::Done)
            .collect();
        let stored = load(&*store, &job_key(&format!("wanted-{round}"))).await.unwrap();
        assert_eq!(winners.iter().map(usize::to_string).collect::<Vec<_>>(), [stored.body]);
        for racer in (0..RACERS).step_by(2) {
            let beside = version(&*store, &job_key(&format!("beside-{round}-{racer}"))).await;
            assert_eq!(beside, Version(u64::from(winners == [racer])));
        }
    }
}

/// Who reads, adds and writes until it is done is counted once.
pub async fn racing_increments_lose_nothing(store: Arc<dyn Store>) {
    const INCREMENTS: usize = 10;
    put(
        &*store,
        Record {
            body: "0".to_owned(),
            ..job("counter")
        },
    )
    .await;
    let increments = race(|_| {
        let store = Arc::clone(&store);
        async move {
            for _ in 0..INCREMENTS {
                while increment(&*store).await == Committed::Conflict {}
            }
        }
    });
    increments.await;
    let counter = load(&*store, &job_key("counter")).await.unwrap();
    assert_eq!(counter.body, (RACERS * INCREMENTS).to_string());
    assert_eq!(counter.version, Version((RACERS * INCREMENTS) as u64 + 1));
}

async fn increment(store: &dyn Store) -> Committed {
    let counter = load(store, &job_key("counter")).await.unwrap();
    let body = (counter.body.parse::<usize>().unwrap() + 1).to_string();
    commit(store, Record { body, ..counter }).await
}

/// Two changes of the same records, named in opposite orders, are answered, and all that is done is whole.
pub async fn changes_that_cross_do_not_block_each_other(store: Arc<dyn Store>) {
    put_all(&*store, ["a", "b", "c"].map(job)).await;
    let done = race(|racer| {
        let store = Arc::clone(&store);
        async move {
            let mut done = 0;
            for _ in 0..ROUNDS {
                let loaded = store.load(&["a", "b", "c"].map(job_key)).await.unwrap();
                let mut records: Vec<Record> = loaded.into_iter().flatten().collect();
                records.rotate_left(racer % 3);
                if racer % 2 == 0 {
                    records.reverse();
                }
                done += u64::from(commit(&*store, together(records)).await == Committed::Done);
            }
            done
        }
    });
    let done: u64 = done.await.into_iter().sum();
    assert!(done > 0);
    for id in ["a", "b", "c"] {
        assert_eq!(version(&*store, &job_key(id)).await, Version(done + 1));
    }
}

/// Checks hold until the change they belong to is done.
pub async fn two_changes_that_check_what_the_other_writes_never_both_pass(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let pair = put_all(&*store, ["a", "b"].map(|id| job(&format!("{id}-{round}")))).await;
        let outcomes = race(|racer| {
            let (store, watched, written) = (Arc::clone(&store), pair[racer % 2].clone(), pair[1 - racer % 2].clone());
            let writes = vec![Write::Check(watched.key, watched.version), Write::Put(written)];
            async move {
                commit(
                    &*store,
                    Change {
                        writes,
                        blobs: Vec::new(),
                    },
                )
                .await
            }
        });
        let outcomes = outcomes.await;
        assert_eq!(
            outcomes
                .into_iter()
                .filter(|outcome| *outcome == Committed::Done)
                .count(),
            1
        );
    }
}

/// Checks for absence hold until the change they belong to is done.
pub async fn two_changes_that_check_the_absence_of_what_the_other_makes_never_both_pass(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let pair = ["a", "b"].map(|id| job(&format!("{id}-{round}")));
        let outcomes = race(|racer| {
            let (store, absent, made) = (
                Arc::clone(&store),
                pair[racer % 2].key.clone(),
                pair[1 - racer % 2].clone(),
            );
            let writes = vec![Write::Check(absent, Version::ABSENT), Write::Put(made)];
            async move {
                commit(
                    &*store,
                    Change {
                        writes,
                        blobs: Vec::new(),
                    },
                )
                .await
            }
        });
        let outcomes = outcomes.await;
        assert_eq!(
            outcomes
                .into_iter()
                .filter(|outcome| *outcome == Committed::Done)
                .count(),
            1
        );
    }
}

/// Calls that a store gathers stay apart: each hears of its own changes, in its own order.
pub async fn many_calls_at_once_are_each_answered_with_their_own_outcomes(store: Arc<dyn Store>) {
    let answers = race(|racer| {
        let store = Arc::clone(&store);
        async move {
            for round in 0..ROUNDS {
                let fresh = |number| job(&format!("{racer}-{round}-{number}"));
                let missing = |number| Record {
                    version: Version(1),
                    ..fresh(number)
                };
                let turned = (racer + round) % 5;
                let mut records = [fresh(0), missing(1), fresh(2), missing(3), missing(4)];
                records.rotate_left(turned);
                let expected: Vec<Committed> = records
                    .iter()
                    .map(|record| {
                        if record.version == Version::ABSENT {
                            Committed::Done
                        } else {
                            Committed::Conflict
                        }
                    })
                    .collect();
                let changes = records.into_iter().map(Change::from).collect();
                assert_eq!(store.commit(changes).await.unwrap(), expected);
            }
        }
    });
    answers.await;
}

/// Runs `RACERS` tasks at once, all let go at the same moment, and gives their answers in order.
pub(crate) async fn race<F, T>(task: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let start = Arc::new(Barrier::new(RACERS));
    let tasks = (0..RACERS).map(|racer| {
        let (start, task) = (Arc::clone(&start), task(racer));
        tokio::spawn(async move {
            start.wait().await;
            task.await
        })
    });
    let answers = tokio::time::timeout(RACE_MAX, join_all(tasks)).await.unwrap();
    answers.into_iter().map(Result::unwrap).collect()
}
