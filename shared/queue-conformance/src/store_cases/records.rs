//! Records: what is read back, which writes are refused, what is done together.

use std::sync::Arc;

use domain::time::Timestamp;
use queue::store::{
    Change,
    Committed::{Conflict, Done},
    Key, Rank, Record, Store, Version, Write,
};

use crate::samples::{at, commit, job, job_key, lane, load, put, put_all, ready_job, together, version};

const CHANGES_MAX: usize = 1_000;

/// A store that works says so.
pub async fn a_store_that_can_be_written_to_answers_a_ping(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
}

/// Every field comes back, whether it is set or not.
pub async fn what_was_put_is_loaded_as_it_was(store: Arc<dyn Store>) {
    let bare = job("bare");
    let full = Record {
        rank: Some(Rank {
            band: 255,
            since: Timestamp::from_micros(1_795_219_200_000_001),
        }),
        due_at: Some(Timestamp::from_micros(1_795_219_200_000_002)),
        listed_at: Timestamp::from_micros(1_795_219_200_000_003),
        expires_at: Some(Timestamp::from_micros(1_795_219_200_000_004)),
        ..ready_job("full", &lane("default", "browser"), 0, at(0))
    };
    let waiting = Record {
        rank: None,
        ..full.clone()
    };
    let waiting = Record {
        key: job_key("waiting"),
        ..waiting
    };

    for sample in [bare, full, waiting] {
        let stored = put(&*store, sample.clone()).await;
        assert_eq!(load(&*store, &sample.key).await, Some(stored));
    }
}

/// Versions are 1, 2, 3.
pub async fn each_write_gives_the_next_version(store: Arc<dyn Store>) {
    let mut written = job("a");
    for expected in 1..=3 {
        written = put(&*store, written).await;
        assert_eq!(version(&*store, &written.key).await, Version(expected));
    }
}

/// What another wrote meanwhile stays.
pub async fn a_write_that_names_an_old_version_is_refused(store: Arc<dyn Store>) {
    let first = put(&*store, job("a")).await;
    let second = put(
        &*store,
        Record {
            body: r#"{"winner":true}"#.to_owned(),
            ..first.clone()
        },
    )
    .await;

    let late = Record {
        body: r#"{"winner":false}"#.to_owned(),
        shelf: "ready".to_owned(),
        ..first
    };
    assert_eq!(commit(&*store, late).await, Conflict);
    assert_eq!(load(&*store, &second.key).await, Some(second));
}

/// A version that nobody gave is as wrong as an old one.
pub async fn a_write_that_names_a_version_to_come_is_refused(store: Arc<dyn Store>) {
    let first = put(&*store, job("a")).await;
    assert_eq!(
        commit(
            &*store,
            Record {
                version: Version(2),
                ..first.clone()
            }
        )
        .await,
        Conflict
    );
    assert_eq!(load(&*store, &first.key).await, Some(first));
}

/// A write that read something does not make it anew.
pub async fn a_write_to_what_is_not_there_is_refused(store: Arc<dyn Store>) {
    let read_once = Record {
        version: Version(1),
        ..job("gone")
    };
    let key = read_once.key.clone();
    assert_eq!(commit(&*store, read_once).await, Conflict);
    assert_eq!(
        commit(&*store, only(Write::Delete(key.clone(), Version(1)))).await,
        Conflict
    );
    assert_eq!(
        commit(&*store, only(Write::Check(key.clone(), Version(1)))).await,
        Conflict
    );
    assert_eq!(load(&*store, &key).await, None);
}

/// What is there is not made again.
pub async fn a_second_creation_is_refused(store: Arc<dyn Store>) {
    let first = put(&*store, job("a")).await;
    assert_eq!(
        commit(
            &*store,
            Record {
                body: "{}".to_owned(),
                ..job("a")
            }
        )
        .await,
        Conflict
    );
    assert_eq!(load(&*store, &first.key).await, Some(first));
}

/// Missing ones are `None` in their place, and one that is asked for twice comes twice.
pub async fn records_come_in_the_order_of_their_keys(store: Arc<dyn Store>) {
    let stored = put_all(&*store, ["b", "a", "c"].map(job)).await;
    let [b, a, c] = stored.try_into().unwrap();

    let keys = ["c", "gone", "a", "b", "c", "gone"].map(job_key);
    let loaded = store.load(&keys).await.unwrap();
    assert_eq!(loaded, vec![Some(c.clone()), None, Some(a), Some(b), Some(c), None]);
    assert_eq!(store.load(&[]).await.unwrap(), vec![]);
}

/// Whichever write of a change is refused, and wherever it stands, none is done.
pub async fn a_change_is_written_whole_or_not_at_all(store: Arc<dyn Store>) {
    let here = put(&*store, job("here")).await;
    let other = put(&*store, job("other")).await;
    let good = || {
        vec![
            Write::Put(Record {
                body: r#"{"v":2}"#.to_owned(),
                ..here.clone()
            }),
            Write::Put(job("new")),
            Write::Check(job_key("nobody"), Version::ABSENT),
        ]
    };
    let refused = [
        Write::Put(Record {
            version: Version(7),
            ..other.clone()
        }),
        Write::Put(job("other")),
        Write::Put(Record {
            version: Version(1),
            ..job("gone")
        }),
        Write::Delete(other.key.clone(), Version(7)),
        Write::Check(other.key.clone(), Version(7)),
        Write::Check(other.key.clone(), Version::ABSENT),
    ];
    for bad in refused {
        for place in 0..=good().len() {
            let mut writes = good();
            writes.insert(place, bad.clone());
            let change = Change {
                writes,
                blobs: Vec::new(),
            };
            assert_eq!(commit(&*store, change).await, Conflict, "{bad:?} at {place}");
            assert_eq!(
                load(&*store, &here.key).await.as_ref(),
                Some(&here),
                "{bad:?} at {place}"
            );
            assert_eq!(
                load(&*store, &other.key).await.as_ref(),
                Some(&other),
                "{bad:?} at {place}"
            );
            assert_eq!(load(&*store, &job_key("new")).await, None, "{bad:?} at {place}");
        }
    }

    let mut writes = good();
    writes.push(Write::Delete(other.key.clone(), other.version));
    assert_eq!(
        commit(
            &*store,
            Change {
                writes,
                blobs: Vec::new()
            }
        )
        .await,
        Done
    );
    assert_eq!(version(&*store, &here.key).await, Version(2));
    assert_eq!(version(&*store, &job_key("new")).await, Version(1));
    assert_eq!(version(&*store, &other.key).await, Version::ABSENT);
    assert_eq!(version(&*store, &job_key("nobody")).await, Version::ABSENT);
}

/// A check does not count as a write.
pub async fn a_check_leaves_its_record_alone(store: Arc<dyn Store>) {
    let watched = put(&*store, job("watched")).await;
    let check = Write::Check(watched.key.clone(), watched.version);
    assert_eq!(commit(&*store, only(check.clone())).await, Done);
    let beside = Change {
        writes: vec![check, Write::Put(job("written"))],
        blobs: Vec::new(),
    };
    assert_eq!(commit(&*store, beside).await, Done);
    assert_eq!(load(&*store, &watched.key).await, Some(watched));
}

/// The version `ABSENT` in a check or a deletion says that nothing is there, and leaves it so.
pub async fn a_check_for_absence_holds_only_without_a_record(store: Arc<dyn Store>) {
    let key = job_key("a");
    let absent = [
        Write::Check(key.clone(), Version::ABSENT),
        Write::Delete(key.clone(), Version::ABSENT),
    ];
    for write in absent.clone() {
        assert_eq!(commit(&*store, only(write)).await, Done);
        assert_eq!(load(&*store, &key).await, None);
    }
    put(&*store, job("a")).await;
    for write in absent {
        assert_eq!(commit(&*store, only(write)).await, Conflict);
        assert_eq!(version(&*store, &key).await, Version(1));
    }
}

/// A deletion names its version too, and what comes after it starts at 1.
pub async fn what_is_deleted_can_be_made_again(store: Arc<dyn Store>) {
    let stored = put(&*store, job("a")).await;
    let stored = put(&*store, stored).await;
    assert_eq!(
        commit(&*store, only(Write::Delete(stored.key.clone(), Version(1)))).await,
        Conflict
    );
    assert_eq!(
        commit(&*store, only(Write::Delete(stored.key.clone(), Version(2)))).await,
        Done
    );
    assert_eq!(load(&*store, &stored.key).await, None);

    let again = put(&*store, job("a")).await;
    assert_eq!(load(&*store, &again.key).await, Some(again));
}

/// A refused change does not stop the others, and the outcomes stand in the order of the changes.
pub async fn changes_of_one_call_stand_each_on_their_own(store: Arc<dyn Store>) {
    let [a, b, c, d]: [Record; 4] = put_all(&*store, ["a", "b", "c", "d"].map(job))
        .await
        .try_into()
        .unwrap();
    let stale = |stored: &Record| Record {
        version: Version(9),
        ..stored.clone()
    };
    let changes = vec![
        Change::from(stale(&a)),
        Change::from(job("z")),
        together([job("y"), stale(&b)]),
        together([job("x"), c.clone()]),
        Change::from(job("d")),
        only(Write::Delete(d.key.clone(), Version(1))),
        together([job("v"), job("w")]),
        only(Write::Check(job_key("nobody"), Version(1))),
        Change::default(),
        Change::from(job("u")),
    ];
    // The fifth and the sixth change are about one record, so they go apart.
    let (mut first, mut second) = (changes.clone(), changes);
    first.remove(5);
    second.truncate(6);
    let second = second.split_off(5);

    let outcomes = store.commit(first).await.unwrap();
    assert_eq!(
        outcomes,
        [Conflict, Done, Conflict, Done, Conflict, Done, Conflict, Done, Done]
    );
    assert_eq!(store.commit(second).await.unwrap(), [Done]);

    let keys = ["a", "b", "c", "d", "u", "v", "w", "x", "y", "z"].map(job_key);
    let versions = store
        .load(&keys)
        .await
        .unwrap()
        .into_iter()
        .map(|found| found.map_or(0, |found| found.version.0));
    assert_eq!(versions.collect::<Vec<_>>(), [1, 1, 2, 0, 1, 1, 1, 1, 0, 1]);
}

/// No changes have no outcomes, and a change without writes is done.
pub async fn a_call_may_carry_nothing(store: Arc<dyn Store>) {
    assert_eq!(store.commit(vec![]).await.unwrap(), []);
    assert_eq!(store.commit(vec![Change::default()]).await.unwrap(), [Done]);
}

/// The largest batch that the API takes is one call, to write and to read.
pub async fn a_call_may_carry_a_thousand_changes(store: Arc<dyn Store>) {
    let name = |number: usize| format!("{number:04}");
    let made = put_all(&*store, (0..CHANGES_MAX).map(|number| job(&name(number)))).await;

    // Every third names a version it did not read, and every fifth has a second record.
    let changes = made.iter().enumerate().map(|(number, record)| {
        let record = Record {
            version: Version(if number % 3 == 0 { 5 } else { 1 }),
            ..record.clone()
        };
        let beside = (number % 5 == 0).then(|| job(&format!("beside-{number}")));
        together([record].into_iter().chain(beside))
    });
    let outcomes = store.commit(changes.collect()).await.unwrap();
    let keys: Vec<Key> = made.iter().map(|record| record.key.clone()).collect();
    let loaded = store.load(&keys).await.unwrap();
    for (number, (outcome, record)) in outcomes.iter().zip(&loaded).enumerate() {
        let (expected, written) = if number % 3 == 0 { (Conflict, 1) } else { (Done, 2) };
        assert_eq!(*outcome, expected, "{number}");
        assert_eq!(record.as_ref().unwrap().version, Version(written), "{number}");
        let beside = u64::from(number % 5 == 0 && expected == Done);
        assert_eq!(
            version(&*store, &job_key(&format!("beside-{number}"))).await,
            Version(beside),
            "{number}"
        );
    }
    assert_eq!(outcomes.len(), CHANGES_MAX);
}

fn only(write: Write) -> Change {
    Change {
        writes: vec![write],
        blobs: Vec::new(),
    }
}
