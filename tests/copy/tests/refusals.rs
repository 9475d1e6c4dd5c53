//! What a copy does not do, and what it says of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use copy_tests::{contents, stores, system::System};
use futures::FutureExt;
use queue::{
    Store,
    copy::{Copy, CopyError, Progress},
    memory::MemoryStore,
    store::{Change, Committed, Kind, Rank, Record, Version, Write},
};
use queue_conformance::{
    faults::FaultyStore,
    samples::{at, blob, blob_key, commit, job, job_key, lane, load, put, put_all, ready_job, robot},
};

fn empty() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn copy(from: &Arc<dyn Store>, to: &Arc<dyn Store>) -> Copy {
    Copy::new(Arc::clone(from), Arc::clone(to), "test").with_page(2)
}

/// A store of some jobs, and a copy of it that was stopped after a page or two.
async fn stopped() -> (Arc<dyn Store>, Arc<dyn Store>) {
    let (from, to) = (empty(), empty());
    put_all(&*from, (0..9).map(|number| job(&number.to_string()))).await;
    let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&to), 16));
    assert!(copy(&from, &stopping).run(&|_| {}).await.unwrap_err().may_pass());
    let there = contents::of(&*to).await.len();
    assert!((2..9).contains(&there), "{there}");
    (from, to)
}

#[tokio::test]
async fn a_target_that_holds_anything_is_left_alone() {
    let (from, to) = (empty(), empty());
    put(&*from, job("a")).await;
    put(&*to, robot("r")).await;
    let before = contents::of(&*to).await;
    let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::NotEmpty { key } if key.id == "r"),
        "{error:?}"
    );
    assert_eq!(contents::of(&*to).await, before);
}

#[tokio::test]
async fn what_was_copied_is_not_copied_again() {
    let (from, to) = (empty(), empty());
    put(&*from, job("a")).await;
    copy(&from, &to).run(&|_| {}).await.unwrap();
    let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_at_all_can_be_copied() {
    let (from, to) = (empty(), empty());
    let copied = copy(&from, &to).run(&|_| {}).await.unwrap();
    assert!(copied.kinds.is_empty());
    assert!(contents::of(&*to).await.is_empty());
}

#[tokio::test]
async fn a_store_is_not_copied_into_itself_by_another_name() {
    let store = empty();
    let error = copy(&store, &store).run(&|_| {}).await.unwrap_err();
    assert!(matches!(error, CopyError::SameStore), "{error:?}");
    assert!(contents::of(&*store).await.is_empty());

    // Killed before it saw that, it sees it the next time. So many calls are the look for a marker at the source, ...
    for calls in 0..5 {
        let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&store), calls));
        assert!(copy(&stopping, &store).run(&|_| {}).await.is_err());
        let error = copy(&store, &store).run(&|_| {}).await.unwrap_err();
        assert!(matches!(error, CopyError::SameStore), "{error:?}");
        assert!(contents::of(&*store).await.is_empty());
    }
}

#[tokio::test]
async fn a_copy_that_was_not_finished_takes_no_other_source_and_is_none() {
    let (from, to) = stopped().await;
    let other = empty();
    put(&*other, job("other")).await;
    let before = contents::of(&*to).await;
    let error = Copy::new(other, Arc::clone(&to), "another")
        .run(&|_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, CopyError::OtherCopy { of } if of == "test"),
        "{error:?}"
    );
    let error = copy(&to, &empty()).run(&|_| {}).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::SourceUnfinished { of } if of == "test"),
        "{error:?}"
    );
    assert_eq!(contents::of(&*to).await, before);

    copy(&from, &to).run(&|_| {}).await.unwrap();
    assert_eq!(contents::of(&*to).await, contents::of(&*from).await);
}

#[tokio::test]
async fn a_robot_that_is_heard_at_the_source_stops_the_copy() {
    let from = empty();
    let system = System::build(Arc::clone(&from)).await;
    let syncs = Mutex::new(0);
    let tell = |_| {
        let mut syncs = syncs.lock().unwrap();
        if *syncs == 0 {
            *syncs += 1;
            system
                .robot
                .sync(0, &[&system.running])
                .now_or_never()
                .expect("memory does not wait");
        }
    };
    let to = empty();
    let error = copy(&from, &to).run(&tell).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::InUse { robot } if robot.kind == Kind::Robot),
        "{error:?}"
    );
    assert!(error.to_string().contains("stop every server"), "{error}");

    let copy = copy(&from, &empty());
    let pulse = copy.pulse().await.unwrap();
    assert!(!pulse.is_empty());
    copy.listen(&pulse).await.unwrap();
    system.robot.sync(0, &[&system.running]).await;
    copy.listen(&pulse).await.unwrap_err();
}

#[tokio::test]
async fn what_changed_at_the_source_meanwhile_is_found_and_named() {
    let changes: [(&str, &str); 6] = [
        ("change", "Job acme/0 is at version 2 at the source, at 1 at the target"),
        ("delete", "Job acme/0 is not at the source"),
        ("make", "Job acme/00 is not at the target"),
        ("body", "Job acme/0 differs, though its version is the same"),
        ("blob", "Job acme/0 has other blobs"),
        ("new blob", "Job acme/0 has other blobs"),
    ];
    for (change, expected) in changes {
        let (from, to) = stopped().await;
        do_change(&*from, change).await;
        let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
        let CopyError::Differs(found) = &error else {
            panic!("{change}: {error:?}")
        };
        let texts: Vec<&str> = found.records.iter().map(|record| record.text.as_str()).collect();
        assert_eq!(texts, [expected], "{change}");
        assert_eq!(found.kinds.len(), 1);
        let told = error.to_string();
        assert!(told.contains(expected) && told.contains("jobs: source "), "{told}");
        // Nothing is hidden by running it again.
        let again = copy(&from, &to).run(&|_| {}).await.unwrap_err();
        assert!(matches!(again, CopyError::Differs(_)), "{again:?}");
    }
}

/// Changes the job `0`, which is copied already.
async fn do_change(store: &dyn Store, change: &str) {
    let there = load(store, &job_key("0")).await.unwrap();
    let delete = Write::Delete(there.key.clone(), there.version);
    let delete = Change {
        writes: vec![delete],
        blobs: Vec::new(),
    };
    match change {
        "change" => drop(put(store, there).await),
        "delete" => drop(commit(store, delete).await),
        "make" => drop(put(store, job("00")).await),
        "body" => {
            commit(store, delete).await;
            let other = Record {
                body: r#"{"v":"other"}"#.to_owned(),
                version: Version(1),
                ..there
            };
            store.restore(vec![other]).await.unwrap();
        }
        _ => store.put_blob(blob(&there.key, "payload/1", change)).await.unwrap(),
    }
}

/// Makes another record of one.
type Alter<'a> = &'a dyn Fn(Record) -> Record;

#[tokio::test]
async fn a_difference_in_any_part_of_a_record_is_found() {
    let (one, other) = (lane("default", "a"), lane("default", "b"));
    let there = Record {
        version: Version(3),
        expires_at: Some(at(9)),
        ..ready_job("0", &one, 1, at(1))
    };
    let rank = |band, seconds| {
        Some(Rank {
            band,
            since: at(seconds),
        })
    };
    let altered: [(&str, Alter<'_>); 11] = [
        ("nothing", &|record| record),
        ("lane", &|record| Record {
            lane: Some(other.clone()),
            ..record
        }),
        ("no lane", &|record| Record {
            lane: None,
            rank: None,
            ..record
        }),
        ("band", &|record| Record {
            rank: rank(2, 1),
            ..record
        }),
        ("since", &|record| Record {
            rank: rank(1, 2),
            ..record
        }),
        ("due", &|record| Record {
            due_at: Some(at(1)),
            ..record
        }),
        ("not due", &|record| Record { due_at: None, ..record }),
        ("shelf", &|record| Record {
            shelf: "redy".to_owned(),
            ..record
        }),
        ("listed", &|record| Record {
            listed_at: at(1),
            ..record
        }),
        ("expires", &|record| Record {
            expires_at: Some(at(8)),
            ..record
        }),
        ("body", &|record| Record {
            body: format!("{} ", record.body),
            ..record
        }),
    ];
    for (part, alter) in altered {
        let (from, to) = (empty(), empty());
        from.restore(vec![there.clone()]).await.unwrap();
        put(&*from, job("1")).await;
        put(&*from, job("2")).await;
        // The first page is copied; then somebody changes what is at the target.
        let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&to), 9));
        copy(&from, &stopping).run(&|_| {}).await.unwrap_err();
        let delete = Change {
            writes: vec![Write::Delete(there.key.clone(), there.version)],
            blobs: Vec::new(),
        };
        assert_eq!(commit(&*to, delete).await, Committed::Done);
        to.restore(vec![alter(there.clone())]).await.unwrap();
        match copy(&from, &to).run(&|_| {}).await {
            Ok(copied) => assert!(part == "nothing" && copied.resumed),
            Err(CopyError::Differs(found)) => {
                assert_eq!(
                    found.records[0].text, "Job acme/0 differs, though its version is the same",
                    "{part}"
                );
            }
            Err(other) => panic!("{part}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_somebody_wrote_to_the_target_meanwhile_is_found() {
    // Where the copy has yet to write, and where it has been.
    let (from, to) = stopped().await;
    put(
        &*to,
        Record {
            shelf: "other".to_owned(),
            ..job("8")
        },
    )
    .await;
    let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Clash { key } if *key == job_key("8")),
        "{error:?}"
    );

    let (from, to) = stopped().await;
    put(&*to, job("stranger")).await;
    let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
    assert!(
        error.to_string().contains("Job acme/stranger is not at the source"),
        "{error}"
    );

    let (from, to) = stopped().await;
    to.put_blob(blob(&job_key("1"), "payload/1", "x")).await.unwrap();
    let error = copy(&from, &to).run(&|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("Job acme/1 has other blobs"), "{error}");
    assert_eq!(
        from.blobs(&[blob_key(&job_key("1"), "payload/1")]).await.unwrap(),
        [None]
    );
}

#[tokio::test]
async fn a_copy_tells_how_far_it_is_and_what_it_came_to() {
    let (from, to) = (empty(), stores::sqlite().await);
    let records = put_all(&*from, (0..5).map(|number| job(&number.to_string()))).await;
    put(&*from, robot("r")).await;
    from.put_blob(blob(&records[0].key, "payload/1", vec![0; 1_000]))
        .await
        .unwrap();
    let told = Mutex::new(Vec::new());
    let copied = copy(&from, &to.store())
        .run(&|progress| told.lock().unwrap().push(progress))
        .await
        .unwrap();

    let jobs = copied.kinds[&Kind::Job];
    let body = records[0].body.len() as u64;
    assert_eq!((jobs.records, jobs.blobs, jobs.bytes), (5, 1, 1_000 + 5 * body));
    assert_eq!(copied.kinds[&Kind::Robot].records, 1);
    assert_ne!(jobs.checksum, copied.kinds[&Kind::Robot].checksum);

    let told = told.into_inner().unwrap();
    let copying = [2, 4, 6, 6].map(|records| Progress::Copied { records });
    assert_eq!(told[..4], copying);
    assert_eq!(told.last(), Some(&Progress::Verified { records: 12, of: 12 }));
}
