//! A copy that is killed goes on where it was, wherever that is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use copy_tests::{contents, stores, system::System};
use futures::FutureExt;
use queue::{
    Store,
    copy::{Copy, CopyError, Progress},
    memory::MemoryStore,
};
use queue_conformance::{
    faults::FaultyStore,
    samples::{blob, job, put_all},
};

/// So few records a page that a few records take several.
const PAGE: usize = 3;

/// So many calls at the target are the first page and a part of the second.
const CALLS_OF_A_PAGE: u64 = 20;

/// A store with little in it: the kill is tried at each call.
async fn small() -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for record in put_all(&*store, (0..8).map(|number| job(&number.to_string()))).await {
        for name in ["log/00001/000000", "payload/x"] {
            store
                .put_blob(blob(&record.key, name, record.key.id.as_str()))
                .await
                .unwrap();
        }
    }
    store
}

fn copy(from: &Arc<dyn Store>, to: &Arc<dyn Store>) -> Copy {
    Copy::new(Arc::clone(from), Arc::clone(to), "test").with_page(PAGE)
}

#[tokio::test]
async fn a_copy_that_is_killed_at_any_call_goes_on_and_is_whole() {
    let from = small().await;
    let expected = contents::of(&*from).await;
    for stops_at_target in [false, true] {
        let (mut calls, mut resumed) = (0, 0);
        loop {
            let to: Arc<dyn Store> = Arc::new(MemoryStore::new());
            let stopping = |store: &Arc<dyn Store>, stops| {
                let calls = if stops { calls } else { u64::MAX };
                Arc::new(FaultyStore::stopping_after(Arc::clone(store), calls)) as Arc<dyn Store>
            };
            let killed = copy(&stopping(&from, !stops_at_target), &stopping(&to, stops_at_target));
            match killed.run(&|_| {}).await {
                Ok(_) => break,
                Err(error) => assert!(error.may_pass(), "after {calls} calls: {error:?}"),
            }
            resumed += u64::from(copy(&from, &to).run(&|_| {}).await.unwrap().resumed);
            assert!(contents::of(&*to).await == expected, "after {calls} calls");
            calls += 1;
        }
        assert!(calls > 30 && resumed > calls - 10, "{resumed} of {calls} went on");
    }
}

#[tokio::test]
async fn a_copy_that_goes_on_does_not_begin_anew() {
    let (from, to) = (small().await, stores::memory().await.store());
    let told = Mutex::new(Vec::new());
    let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&to), CALLS_OF_A_PAGE));
    let tell = |progress: Progress| told.lock().unwrap().push(progress);
    copy(&from, &stopping).run(&tell).await.unwrap_err();
    let before = told.lock().unwrap().len();
    assert_eq!(before, 1, "{told:?}");
    let copied = copy(&from, &to).run(&tell).await.unwrap();
    assert!(copied.resumed);
    let of_pages: Vec<u64> = told
        .into_inner()
        .unwrap()
        .into_iter()
        .filter_map(|progress| match progress {
            Progress::Copied { records } => Some(records),
            Progress::Verified { .. } => None,
        })
        .collect();
    assert_eq!(of_pages, [3, 6, 8]);
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_is_waited_for() {
    let from = small().await;
    let to: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (bad_from, bad_to) = (
        Arc::new(FaultyStore::new(Arc::clone(&from), 3)),
        Arc::new(FaultyStore::new(Arc::clone(&to), 4)),
    );
    let waits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&waits);
    let copy = Copy::new(bad_from.clone(), bad_to.clone(), "test")
        .with_page(1)
        .with_wait(Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async {}.boxed()
        }));
    copy.run(&|_| {}).await.unwrap();
    assert!(waits.load(Ordering::SeqCst) > 0);
    assert_eq!(contents::of(&*to).await, contents::of(&*from).await);
}

#[tokio::test]
async fn a_store_that_stays_away_ends_the_copy() {
    let from = small().await;
    let gone: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::new(MemoryStore::new()), 0));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&waits);
    let wait = move |failures| {
        noted.lock().unwrap().push(failures);
        async {}.boxed()
    };
    let error = copy(&from, &gone)
        .with_wait(Arc::new(wait))
        .run(&|_| {})
        .await
        .unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("target"), "{error}");
    assert_eq!(*waits.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_whole_system_survives_a_kill_at_many_calls() {
    let from = stores::memory().await.store();
    System::build(Arc::clone(&from)).await;
    let expected = contents::of(&*from).await;
    let to: Arc<dyn Store> = Arc::new(MemoryStore::new());
    // Each run gets a little further; the one that has room for all of it comes to the end.
    let mut calls = 1;
    let copied = loop {
        let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&to), calls));
        match copy(&from, &stopping).run(&|_| {}).await {
            Ok(copied) => break copied,
            Err(error) => assert!(error.may_pass(), "after {calls} calls: {error:?}"),
        }
        calls += 1;
    };
    assert!(copied.resumed);
    assert!(contents::of(&*to).await == expected);
}

#[tokio::test]
async fn two_copies_at_once_do_not_both_go_on() {
    let (from, to) = (small().await, stores::memory().await.store());
    let stopping: Arc<dyn Store> = Arc::new(FaultyStore::stopping_after(Arc::clone(&to), CALLS_OF_A_PAGE));
    copy(&from, &stopping).run(&|_| {}).await.unwrap_err();
    // The second one comes to its end while the first is between two pages.
    let other = copy(&from, &to);
    let first = copy(&from, &to);
    let meanwhile = Mutex::new(None);
    let tell = |_| {
        let mut meanwhile = meanwhile.lock().unwrap();
        if meanwhile.is_none() {
            *meanwhile = Some(other.run(&|_| {}).now_or_never().expect("memory does not wait"));
        }
    };
    let outcome = first.run(&tell).await;
    assert!(matches!(outcome, Err(CopyError::TwoAtOnce)), "{outcome:?}");
    assert!(meanwhile.into_inner().unwrap().unwrap().unwrap().resumed);
    assert_eq!(contents::of(&*to).await, contents::of(&*from).await);
}
