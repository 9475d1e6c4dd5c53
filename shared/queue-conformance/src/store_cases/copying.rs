//! What a copy of a whole store stands on: a scan of everything, and writing it as it was.

use std::{collections::BTreeSet, sync::Arc};

use queue::store::{Change, Committed, Count, Key, Kind, Rank, Record, Store, StoreError, Version, Write};

use super::races::race;
use crate::samples::{
    acme, at, blob, claim_for, commit, ids, job, job_key, lane, load, put, put_all, ready_job, record, robot, scan,
    tenant, version,
};

/// Over all kinds and partitions, whatever the ids are, and however small the pages.
pub async fn a_scan_gives_every_record_once(store: Arc<dyn Store>) {
    let long = "~".repeat(200);
    let ids = [
        "a", "A", "ab", "b", "a b", "a/b", "a|b", "\"", "\\", "\\\"", "[]", "%2f", "_", "'", ",", "~", &long,
    ];
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        keys.extend(ids.map(|id| Key::common(kind, id)));
        for partition in ["a", "ab", "a-b", "acme"] {
            keys.extend(ids.map(|id| Key::new(kind, &tenant(partition), id)));
        }
    }
    keys.sort();
    let samples = keys.into_iter().enumerate().map(|(number, key)| Record {
        // Some lie in every index, some in none.
        expires_at: (number % 3 == 0).then(|| at(1)),
        due_at: (number % 2 == 0).then(|| at(2)),
        ..record(key, "any")
    });
    let stored = put_all(&*store, samples).await;
    for limit in [1, 7, stored.len() - 1, stored.len(), stored.len() + 1, 10_000] {
        assert!(scan(&*store, limit).await == stored, "by pages of {limit}");
    }
}

/// Also one whose only record was deleted.
pub async fn a_scan_of_an_empty_store_gives_nothing(store: Arc<dyn Store>) {
    assert_eq!(scan(&*store, 10).await, []);
    let gone = put(&*store, job("gone")).await;
    delete(&*store, &gone).await;
    assert_eq!(scan(&*store, 10).await, []);
}

/// At once, and as it was written last.
pub async fn a_scan_sees_every_write_that_was_answered(store: Arc<dyn Store>) {
    let mut a = put(&*store, job("a")).await;
    for number in 0..20 {
        a = put(
            &*store,
            Record {
                body: number.to_string(),
                ..a
            },
        )
        .await;
        let other = put(&*store, job(&format!("other-{number}"))).await;
        assert_eq!(scan(&*store, 10).await, [a.clone(), other.clone()]);
        delete(&*store, &other).await;
        assert_eq!(scan(&*store, 10).await, std::slice::from_ref(&a));
    }
}

/// From the same mark on comes the same, whoever asks and how often.
pub async fn a_mark_may_be_used_again(store: Arc<dyn Store>) {
    put_all(&*store, (0..30).map(|number| job(&number.to_string()))).await;
    let first = store.scan(None, 10).await.unwrap();
    let mark = first.next.expect("10 of 30 are not all");
    let rest = || async {
        let (mut found, mut after) = (BTreeSet::new(), Some(mark.clone()));
        while let Some(from) = after {
            let page = store.scan(Some(&from), 10).await.unwrap();
            found.extend(page.records.into_iter().map(|record| record.key));
            after = page.next;
        }
        found
    };
    let seen: BTreeSet<Key> = first.records.into_iter().map(|record| record.key).collect();
    let left = rest().await;
    assert_eq!((seen.len() + left.len(), seen.is_disjoint(&left)), (30, true));
    assert_eq!(rest().await, left);
}

/// Rather than taken for the beginning or for the end.
pub async fn a_mark_that_no_scan_gave_is_refused(store: Arc<dyn Store>) {
    put(&*store, job("a")).await;
    for mark in ["", "a", "null", "{}", "[]", "[99,\"acme\",\"a\"]", "{\"pk\":1}"] {
        let scanned = store.scan(Some(mark), 10).await;
        assert!(
            matches!(scanned, Err(StoreError::Corrupt { .. })),
            "{mark}: {scanned:?}"
        );
    }
}

/// Before the write or after it; what is made or deleted meanwhile comes at most once.
pub async fn what_is_written_during_a_scan_comes_once(store: Arc<dyn Store>) {
    let lanes = ["a", "b"].map(|class| lane("default", class));
    let mut there = put_all(
        &*store,
        (0..40_u8).map(|number| ready_job(&format!("{number:02}"), &lanes[0], number, at(0))),
    )
    .await;
    let (mut seen, mut after, mut page) = (Vec::new(), None::<String>, 0);
    loop {
        let scanned = store.scan(after.as_deref(), 7).await.unwrap();
        seen.extend(scanned.records.into_iter().map(|record| record.key.id));
        after = scanned.next;
        if after.is_none() {
            break;
        }
        page += 1;
        let moved = there.into_iter().map(|record| Record {
            lane: Some(lanes[page % 2].clone()),
            rank: (page % 3 != 0).then(|| Rank { band: 0, since: at(40) }),
            due_at: Some(at(i64::try_from(page).unwrap())),
            shelf: page.to_string(),
            listed_at: at(page.try_into().unwrap()),
            ..record
        });
        there = put_all(&*store, moved).await;
        put(&*store, job(&format!("{:02}-new", 7 * page))).await;
    }
    seen.sort();
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "{seen:?}");
    assert!(there.iter().all(|record| once.contains(&record.key.id)), "{seen:?}");
}

/// It is found, claimed, listed, counted and due like one that was put.
pub async fn what_is_restored_keeps_its_version_and_its_place_in_every_index(store: Arc<dyn Store>) {
    let lane = lane("default", "browser");
    let ready = restored(ready_job("ready", &lane, 3, at(7)), 5);
    let held = Record {
        rank: None,
        shelf: "running".to_owned(),
        due_at: Some(at(1)),
        ..restored(ready_job("held", &lane, 0, at(1)), 4_000_000_000)
    };
    let finished = Record {
        lane: Some(lane.clone()),
        expires_at: Some(at(100)),
        listed_at: at(3),
        body: "ä☂𝄞 \"finished\"".to_owned(),
        ..restored(record(job_key("finished"), "ready"), 2)
    };
    let key = restored(record(Key::common(Kind::ApiKey, "key_1"), "acme"), 1);
    let all = vec![finished.clone(), held.clone(), ready.clone(), key];
    assert_eq!(store.restore(all.clone()).await.unwrap(), [Committed::Done; 4]);

    for record in &all {
        assert_eq!(load(&*store, &record.key).await.as_ref(), Some(record));
    }
    assert_eq!(scan(&*store, 10).await, all);
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), std::slice::from_ref(&lane));
    assert_eq!(store.depth(10).await.unwrap(), 1);
    assert_eq!(ids(&store.due(at(1), 10).await.unwrap()), ["held"]);
    assert_eq!(ids(&store.due(at(1_000_000), 10).await.unwrap()), ["held", "ready"]);
    let listed = store.list(Kind::Job, "acme", &["ready"], None, 10).await.unwrap();
    assert_eq!(ids(&listed), ["finished", "ready"]);
    let mut counts = store.count(&acme()).await.unwrap();
    counts.sort_by(|one, other| one.shelf.cmp(&other.shelf));
    let count = |shelf: &str, oldest| Count {
        lane: lane.clone(),
        shelf: shelf.to_owned(),
        records: 1,
        oldest,
    };
    assert_eq!(counts, [count("ready", Some(at(7))), count("running", None)]);
    let (offered, granted) = claim_for(&*store, robot("r"), &[lane], 10).await;
    assert_eq!(offered, [ready]);
    assert_eq!(granted.jobs, [Committed::Done]);
    assert_eq!(version(&*store, &job_key("ready")).await, Version(6));
}

/// Whatever version it has, and also when it is the same; the others of the call are written.
pub async fn restoring_leaves_what_is_there_alone(store: Arc<dyn Store>) {
    let same = put(&*store, job("same")).await;
    let older = put(&*store, job("older")).await;
    let newer = put(&*store, job("newer")).await;
    let newer = put(&*store, newer).await;
    let other = |record: &Record, version| Record {
        body: "other".to_owned(),
        shelf: "other".to_owned(),
        due_at: Some(at(1)),
        ..restored(record.clone(), version)
    };
    let given = vec![
        restored(job("first"), 3),
        same.clone(),
        other(&older, 9),
        other(&newer, 1),
        restored(job("last"), 3),
    ];
    let outcomes = store.restore(given).await.unwrap();
    let [done, conflict] = [Committed::Done, Committed::Conflict];
    assert_eq!(outcomes, [done, conflict, conflict, conflict, done]);
    for there in [same, older, newer] {
        assert_eq!(load(&*store, &there.key).await, Some(there));
    }
    assert_eq!(store.due(at(1), 10).await.unwrap(), []);
    assert_eq!(store.list(Kind::Job, "acme", &["other"], None, 10).await.unwrap(), []);
    for id in ["first", "last"] {
        assert_eq!(version(&*store, &job_key(id)).await, Version(3));
    }
}

/// And at no other, not even as if it were new.
pub async fn what_is_restored_is_written_on_at_its_version(store: Arc<dyn Store>) {
    let stored = restored(ready_job("a", &lane("default", ""), 0, at(0)), 41);
    store.restore(vec![stored.clone()]).await.unwrap();
    for wrong in [0, 1, 40, 42] {
        let wrong = Record {
            version: Version(wrong),
            ..stored.clone()
        };
        assert_eq!(commit(&*store, wrong).await, Committed::Conflict);
    }
    let moved = Record {
        rank: None,
        due_at: None,
        shelf: "finished".to_owned(),
        ..stored
    };
    let moved = put(&*store, moved).await;
    assert_eq!(moved.version, Version(42));
    assert_eq!(load(&*store, &moved.key).await.as_ref(), Some(&moved));
    assert_eq!(store.depth(10).await.unwrap(), 0);
    assert_eq!(store.due(at(1_000_000), 10).await.unwrap(), []);

    // What is deleted can be restored, at any version.
    delete(&*store, &moved).await;
    let again = restored(job("a"), 7);
    assert_eq!(store.restore(vec![again.clone()]).await.unwrap(), [Committed::Done]);
    assert_eq!(load(&*store, &again.key).await, Some(again));
}

/// Blobs that were there before their record are its own.
pub async fn what_is_restored_is_purged_with_its_blobs(store: Arc<dyn Store>) {
    let owner = job_key("a");
    store.put_blob(blob(&owner, "payload", "x")).await.unwrap();
    let expiring = Record {
        expires_at: Some(at(5)),
        ..restored(job("a"), 3)
    };
    store.restore(vec![expiring]).await.unwrap();
    assert_eq!(store.purge(at(4), 10).await.unwrap(), 0);
    assert_eq!(store.blob_names(&owner, "", None, 10).await.unwrap(), ["payload"]);
    assert_eq!(store.purge(at(5), 10).await.unwrap(), 1);
    assert_eq!(load(&*store, &owner).await, None);
    assert_eq!(store.blob_names(&owner, "", None, 10).await.unwrap(), [""; 0]);
}

/// And none.
pub async fn a_thousand_records_may_be_restored_at_once(store: Arc<dyn Store>) {
    let all: Vec<Record> = (0..1_000)
        .map(|number| restored(job(&format!("{number:04}")), number + 1))
        .collect();
    put(&*store, job("0500")).await;
    let outcomes = store.restore(all.clone()).await.unwrap();
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = if number == 500 {
            Committed::Conflict
        } else {
            Committed::Done
        };
        assert_eq!(*outcome, expected, "{number}");
    }
    let versions = scan(&*store, 300).await.into_iter().map(|record| record.version.0);
    let expected = (1..=1_000).map(|version| if version == 501 { 1 } else { version });
    assert!(versions.eq(expected));
    assert_eq!(store.restore(vec![]).await.unwrap(), []);
}

/// However many restore the same records, each is written once.
pub async fn of_racing_restores_one_wins(store: Arc<dyn Store>) {
    const RECORDS: u64 = 50;
    let outcomes = race(|racer| {
        let store = Arc::clone(&store);
        let records = (0..RECORDS).map(|number| Record {
            body: racer.to_string(),
            ..restored(job(&number.to_string()), number + 1)
        });
        let records: Vec<Record> = records.collect();
        async move {
            let outcomes = store.restore(records.clone()).await.unwrap();
            let won = records.into_iter().zip(outcomes);
            won.filter(|(_, outcome)| *outcome == Committed::Done)
                .map(|(record, _)| record)
                .collect::<Vec<_>>()
        }
    });
    let mut won: Vec<Record> = outcomes.await.into_iter().flatten().collect();
    won.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(scan(&*store, 100).await, won);
    assert_eq!(won.len() as u64, RECORDS);
}

/// `record` as it is at `version` elsewhere.
fn restored(record: Record, version: u64) -> Record {
    Record {
        version: Version(version),
        ..record
    }
}

async fn delete(store: &dyn Store, record: &Record) {
    let delete = Change {
        writes: vec![Write::Delete(record.key.clone(), record.version)],
        blobs: Vec::new(),
    };
    assert_eq!(commit(store, delete).await, Committed::Done);
}
