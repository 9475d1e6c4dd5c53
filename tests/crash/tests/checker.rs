//! What is looked for after a crash is seen when it is there.

use std::{sync::Arc, time::Duration};

use crash_tests::{
    recovery::{Return, recover},
    scenario::{Before, Scenario, process},
};
use domain::job::StateName;
use queue::{
    Store,
    memory::MemoryStore,
    store::{Change, Committed, Key, Kind, Record, Write},
};
use queue_conformance::kit::{Kit, secs};

/// A job that runs, and a call that changes nothing.
fn idle() -> Scenario {
    Scenario::new("ping", "beside a running job")
        .after(async |kit| {
            kit.submit_plain().await;
            kit.robot(1).await.begin().await;
        })
        .calls(async |kit, _| Ok(kit.engine.ping().await?))
        .jobs(1..=1)
        .first_ends(StateName::Succeeded)
}

/// What is found after `damage` was done to a store with a running job.
async fn found(damage: impl AsyncFn(&Kit, Record)) -> Vec<String> {
    let (store, scenario): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::new()), idle());
    let kit = process(store.clone(), 1, Duration::ZERO);
    scenario.prepare(&kit).await;
    let before = Before::of(&kit).await;
    damage(&kit, job(&kit, &before).await).await;
    recover(store, &scenario, &before, Duration::ZERO, Return::AtOnce).await
}

async fn job(kit: &Kit, before: &Before) -> Record {
    let key = Key::new(Kind::Job, &kit.tenant, before.jobs[0].id.to_text());
    let mut found = kit.engine.store().load(&[key]).await.expect("memory answers");
    found.remove(0).expect("the job is there")
}

async fn write(kit: &Kit, write: Write) {
    let change = Change {
        writes: vec![write],
        blobs: Vec::new(),
    };
    let outcome = kit.engine.store().commit(vec![change]).await;
    assert_eq!(outcome.expect("memory answers"), [Committed::Done]);
}

fn tells(faults: &[String], of: &str) {
    assert!(faults.iter().any(|fault| fault.contains(of)), "{of}: {faults:#?}");
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(found(async |_, _| {}).await, [""; 0]);
}

#[tokio::test]
async fn a_job_that_is_gone_is_found() {
    let faults = found(async |kit, job| write(kit, Write::Delete(job.key, job.version)).await).await;
    tells(&faults, "was acknowledged and is gone");
}

#[tokio::test]
async fn a_job_whose_timer_is_gone_is_found() {
    let faults = found(async |kit, job| {
        write(kit, Write::Put(Record { due_at: None, ..job })).await;
    })
    .await;
    tells(&faults, "it does not come to rest");
}

#[tokio::test]
async fn a_job_that_was_made_twice_is_found() {
    let faults = found(async |kit, _| {
        kit.pass(secs(1));
        kit.submit_plain().await;
    })
    .await;
    tells(&faults, "there are 2 jobs, not 1..=1");
}

#[tokio::test]
async fn a_timer_of_what_is_over_is_found() {
    let faults = found(async |kit, job| {
        let stray = Record {
            key: Key::new(Kind::Queue, &kit.tenant, "stray"),
            version: queue::store::Version::ABSENT,
            due_at: Some(kit.now() + secs(100 * 24 * 3_600)),
            lane: None,
            rank: None,
            ..job
        };
        write(kit, Write::Put(stray)).await;
    })
    .await;
    tells(&faults, "is still due");
}
