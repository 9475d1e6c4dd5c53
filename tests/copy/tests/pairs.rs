//! Between every two kinds of store a system moves whole, and goes on where it is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use copy_tests::{
    contents, stores,
    system::{System, other_tenant},
};
use domain::job::{ErrorKind, Outcome, StateName};
use queue::{LeaseStatus, Refusal, Store, SubmittedHow, copy::Copy};
use queue_conformance::{
    audit,
    faults::FaultyStore,
    kit::{failed, report, secs},
};

/// So few records a page that a system takes many.
const PAGE: usize = 7;

/// Makes a test of each case for each pair of stores.
macro_rules! pairs {
    ($($store:ident)*) => { pairs!(@from [$($store)*] $($store)*); };
    (@from $all:tt $($from:ident)*) => { $(mod $from { pairs!(@to $from $all); })* };
    (@to $from:ident [$($to:ident)*]) => { $(
        mod $to {
            use copy_tests::stores::{$from as from, $to as to};
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_system_moves_whole_and_goes_on() {
                let (from, to) = (from().await, to().await);
                crate::a_system_moves_whole_and_goes_on(from.store(), to.store()).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_copy_comes_to_its_end_whatever_fails() {
                let (from, to) = (from().await, to().await);
                crate::a_copy_comes_to_its_end_whatever_fails(from.store(), to.store()).await;
            }
        }
    )* };
}

copy_tests::every_store!(pairs);

async fn a_system_moves_whole_and_goes_on(from: Arc<dyn Store>, to: Arc<dyn Store>) {
    let system = System::build(Arc::clone(&from)).await;
    let states: Vec<&str> = system.states().await.into_iter().collect();
    let all = [
        "cancelled",
        "failed",
        "leased",
        "ready",
        "running",
        "scheduled",
        "succeeded",
        "timed_out",
    ];
    assert_eq!(states, all);
    let before = contents::of(&*from).await;

    let copied = Copy::new(from.clone(), to.clone(), "test").run(&|_| {}).await.unwrap();
    assert!(!copied.resumed);
    assert_eq!(contents::of(&*to).await, before);
    assert_eq!(contents::of(&*from).await, before);
    let records: u64 = copied.kinds.values().map(|tally| tally.records).sum();
    assert_eq!(records, before.len() as u64);

    goes_on(&system, &to).await;
    // What has moved on is copied on.
    let third = stores::memory().await.store();
    Copy::new(to.clone(), third.clone(), "test").run(&|_| {}).await.unwrap();
    assert_eq!(contents::of(&*third).await, contents::of(&*to).await);
    let moved = system.moved_to(to);
    for tenant in [moved.tenant.clone(), other_tenant()] {
        audit::hold(&moved.engine, &tenant).await;
    }
}

/// Robots and clients find at `to` what they had, by their old keys and tokens.
async fn goes_on(system: &System, to: &Arc<dyn Store>) {
    let moved = system.moved_to(Arc::clone(to));
    let (tenant, robot) = (&moved.tenant, &system.robot.id);
    let found = moved.engine.find_key(&system.key.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&system.key));

    // The job that runs is renewed, its log goes on, and it is finished by the token of old.
    let running = &system.running;
    assert_eq!(moved.job(running.job).await.payload.as_ref(), Some(&system.payload));
    let answer = moved
        .engine
        .sync(tenant, robot, system.robot.request(0, &[running, &system.leased]))
        .await
        .unwrap();
    let statuses = answer.leases.iter().map(|lease| lease.status);
    assert_eq!(statuses.collect::<Vec<_>>(), [LeaseStatus::Renewed; 2]);
    let chunk = |seq| {
        moved.engine.append_log(
            tenant,
            robot,
            running.job,
            running.fence.clone(),
            seq,
            b"four\n".to_vec(),
        )
    };
    assert!(matches!(chunk(5).await, Err(Refusal::LogGap { next_seq: 3 })));
    chunk(3).await.unwrap();
    let ended = moved
        .engine
        .finish(
            tenant,
            robot,
            running.job,
            report(running, Outcome::Succeeded, Some("17")),
        )
        .await;
    assert_eq!(ended.unwrap().state, StateName::Succeeded);
    let log = moved.engine.log_chunks(tenant, running.job, 1, 0, 10).await.unwrap();
    assert_eq!(log.concat(), b"one\ntwo\nthree\nfour\n");
    let ended = report(&system.leased, failed(ErrorKind::Application), None);
    moved
        .engine
        .finish(tenant, robot, system.leased.job, ended)
        .await
        .unwrap();

    // The next attempt of another job gets what the first one kept.
    moved.pass_and_sweep(secs(60)).await;
    let browser = moved.robot_like(browser()).await;
    let given = browser.sync(1, &[]).await.assign;
    assert_eq!(given[0].job.id, system.resumable);
    assert_eq!(given[0].checkpoints.get("row").map(String::as_str), Some("17"));

    // What was sent before is known again.
    let (again, job) = &system.idempotent;
    let replayed = moved.try_submit(again.clone()).await.unwrap();
    assert_eq!((replayed.how, replayed.job.job.id), (SubmittedHow::Replayed, *job));
    let (again, job) = &system.deduped;
    let returned = moved.try_submit(again.clone()).await.unwrap();
    assert_eq!((returned.how, returned.job.job.id), (SubmittedHow::Returned, *job));

    let history = moved.engine.history(tenant, system.travelled).await.unwrap();
    assert!(history.len() > 40 && history.iter().zip(1..).all(|(step, seq)| step.seq == seq));
}

fn browser() -> queue::NewRobot {
    queue::NewRobot {
        capabilities: queue_conformance::kit::words(&["browser"]),
        ..queue_conformance::kit::new_robot()
    }
}

async fn a_copy_comes_to_its_end_whatever_fails(from: Arc<dyn Store>, to: Arc<dyn Store>) {
    System::build(Arc::clone(&from)).await;
    let [bad_from, bad_to] =
        [(&from, 1), (&to, 2)].map(|(store, seed)| Arc::new(FaultyStore::new(Arc::clone(store), seed)));
    let copy = Copy::new(bad_from.clone(), bad_to.clone(), "test").with_page(PAGE);
    copy.run(&|_| {}).await.unwrap();
    assert!(bad_from.put_in() > 0 && bad_to.put_in() > 0);
    assert_eq!(contents::of(&*to).await, contents::of(&*from).await);
}
