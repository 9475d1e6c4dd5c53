//! What the store on DynamoDB, and hints on SQS, withstand: throttling, slowness, answers that get lost, indexes that lag,
//! nobody there, a queue with all the jobs there are.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod hints;
#[path = "../common/proxy.rs"]
mod proxy;
mod spread;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    JobId,
    job::{Dedup, OnConflict, StateName},
};
use futures::future::join_all;
use proxy::{Proxy, Trouble};
use queue::{Idempotency, JobFilter, Settings, Store, StoreError, Submission, SubmittedHow};
use queue_aws::{AwsOptions, AwsStore, client_configs, layout};
use queue_conformance::{
    audit,
    kit::{Kit, secs, submission},
    samples::{at, blob, job, job_key, lane, load, put},
};

/// How patient the stores here are: each try of a call waits for a third of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// By then a call has given up, also on a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(30);

async fn behind_proxy(patience: Duration) -> (Proxy, AwsStore) {
    let mut options = common::options();
    common::new_store(options.clone()).await;
    let (proxy, address) = Proxy::start(options.dynamodb.as_deref().expect("an endpoint")).await;
    options.dynamodb = Some(address);
    options.patience = patience;
    (proxy, queue_aws::connect(options).await.0)
}

/// Every call of the seam, and what came of it.
async fn every_call(store: &AwsStore, number: usize) -> Vec<Result<(), StoreError>> {
    let (id, lane) = (number.to_string(), lane("default", ""));
    vec![
        store.ping().await,
        store.load(&[job_key(&id)]).await.map(drop),
        store.commit(vec![job(&id).into()]).await.map(drop),
        store
            .claim(std::slice::from_ref(&lane), 1, Box::new(|_| vec![]))
            .await
            .map(drop),
        store.lanes("acme/default/", 1).await.map(drop),
        store.ready(&[lane], 1).await.map(drop),
        store.due(at(0), 1).await.map(drop),
        store
            .list(queue::store::Kind::Job, "acme", &["scheduled"], None, 1)
            .await
            .map(drop),
        store.count(&queue_conformance::samples::acme()).await.map(drop),
        store.depth(1).await.map(drop),
        store.put_blob(blob(&job_key(&id), "n", "x")).await,
        store.put_new_blob(blob(&job_key(&id), "n", "x")).await.map(drop),
        store.purge(at(0), 1).await.map(drop),
        store.scan(None, 1).await.map(drop),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_of_some_calls_is_not_seen_above() {
    let (proxy, store) = behind_proxy(Duration::from_mins(1)).await;
    for percent in [5, 50] {
        proxy.set(Trouble::Throttled(percent));
        for number in 0..3 {
            for (call, answer) in every_call(&store, number).await.into_iter().enumerate() {
                assert!(answer.is_ok(), "call {call} at {percent} %: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_of_all_calls_is_told_in_time() {
    let (proxy, store) = behind_proxy(PATIENCE).await;
    proxy.set(Trouble::Throttled(100));
    let began = Instant::now();
    let answer = store.ping().await;
    assert!(
        matches!(&answer, Err(StoreError::Unavailable(cause)) if !cause.to_string().is_empty()),
        "{answer:?}"
    );
    assert!(began.elapsed() < GIVEN_UP, "{:?}", began.elapsed());
    for answer in every_call(&store, 0).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    proxy.set(Trouble::None);
    assert!(every_call(&store, 0).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_told_in_time_and_found_again() {
    let mut options = common::options();
    let real = options.dynamodb.clone();
    common::new_store(options.clone()).await;
    options.patience = PATIENCE;
    options.dynamodb = Some("http://127.0.0.1:1".to_owned());
    let (away, _) = queue_aws::connect(options.clone()).await;
    let began = Instant::now();
    let answers = join_all((0..4).map(|number| every_call(&away, number))).await;
    for answer in answers.into_iter().flatten() {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(began.elapsed() < 14 * GIVEN_UP, "{:?}", began.elapsed());
    options.dynamodb = real;
    assert!(queue_aws::connect(options).await.0.ping().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slowness_is_waited_for_until_patience_ends() {
    let (proxy, store) = behind_proxy(PATIENCE).await;
    proxy.set(Trouble::Slow(PATIENCE / 10));
    assert!(every_call(&store, 0).await.iter().all(Result::is_ok));
    proxy.set(Trouble::Slow(2 * PATIENCE));
    let began = Instant::now();
    assert!(matches!(
        store.load(&[job_key("0")]).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(began.elapsed() < GIVEN_UP, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_table_that_is_not_there_says_what_to_run() {
    let (store, _) = queue_aws::connect(common::options()).await;
    for error in [
        store.ping().await.unwrap_err(),
        store.load(&[job_key("a")]).await.unwrap_err(),
        store.commit(vec![job("a").into()]).await.unwrap_err(),
    ] {
        let StoreError::Unavailable(cause) = &error else {
            panic!("{error:?}")
        };
        assert!(cause.to_string().contains("remuda store migrate"), "{cause}");
    }
}

/// Every write of a whole life of jobs is done, and its first answer is lost or is an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_done_and_not_answered_is_done_once() {
    for trouble in [Trouble::AnswersBroken, Trouble::AnswersLost] {
        let (proxy, store) = behind_proxy(PATIENCE).await;
        let kit = Kit::new(Arc::new(store));
        proxy.set(trouble);
        let idempotent = Submission {
            payload: Some(format!("\"{}\"", "long ".repeat(3_000))),
            idempotency: Some(Idempotency {
                key: "k".to_owned(),
                digest: "d".to_owned(),
            }),
            ..submission(|spec| {
                spec.dedup = Some(Dedup {
                    key: "order-1".to_owned(),
                    on_conflict: OnConflict::Reject,
                });
            })
        };
        let first = kit.try_submit(idempotent.clone()).await.expect("it is taken in");
        assert_eq!(first.how, SubmittedHow::Created);
        assert_eq!(
            kit.try_submit(idempotent).await.expect("it is known").how,
            SubmittedHow::Replayed
        );
        let robot = kit.robot(1).await;
        let held = robot.begin().await;
        assert_eq!(robot.fail(&held).await, StateName::Scheduled);
        kit.pass_and_sweep(secs(60)).await;
        let held = robot.begin().await;
        assert_eq!(held.fence.attempt, 2);
        robot.log(&held, 0, "one line").await.expect("it is kept");
        assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
        let other = kit.submit_plain().await;
        kit.cancel(other).await.expect("it is cancelled");
        let path = kit.path(held.job).await;
        let expected = [
            "ready",
            "leased",
            "running",
            "scheduled",
            "ready",
            "leased",
            "running",
            "succeeded",
        ];
        assert_eq!(path.iter().map(|state| state.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(kit.list(&JobFilter::default(), 10).await.len(), 2);
        kit.engine
            .remove_robot(&kit.tenant, &robot.id, &queue_conformance::kit::client())
            .await
            .expect("it was there");
        proxy.set(Trouble::None);
        audit::hold(&kit.engine, &kit.tenant).await;
    }
}

/// Each claim reads what the index was at first, so that the condition of the write alone decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_stands_still_gives_no_job_to_two_robots() {
    const JOBS: usize = 24;
    let (proxy, store) = behind_proxy(Duration::from_mins(2)).await;
    let store: Arc<dyn Store> = Arc::new(store);
    let kit = Kit::new(Arc::clone(&store));
    let jobs: BTreeSet<JobId> = join_all((0..JOBS).map(|_| kit.submit_plain()))
        .await
        .into_iter()
        .collect();
    let robots = join_all((0..4).map(|_| kit.robot(8))).await;
    proxy.set(Trouble::IndexesStandStill);
    let mut given: BTreeMap<JobId, u32> = BTreeMap::new();
    for _ in 0..10 {
        let taken = join_all(robots.iter().map(async |robot| {
            let held = robot.ask(4).await;
            for held in &held {
                robot.renew(held).await;
                robot.succeed(held).await;
            }
            held
        }));
        for held in taken.await.into_iter().flatten() {
            *given.entry(held.job).or_default() += 1;
        }
    }
    assert!(given.values().all(|times| *times == 1), "{given:?}");
    assert!(!given.is_empty());
    proxy.set(Trouble::None);
    // Once the index has caught up, the rest is found.
    for _ in 0..JOBS {
        for held in robots[0].ask(8).await {
            robots[0].renew(&held).await;
            robots[0].succeed(&held).await;
            *given.entry(held.job).or_default() += 1;
        }
    }
    assert_eq!(given.keys().copied().collect::<BTreeSet<_>>(), jobs);
    assert!(given.values().all(|times| *times == 1));
    audit::hold(&kit.engine, &kit.tenant).await;
}

/// Timers too: what the index still names may long be over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_index_that_stands_still_fires_no_timer_twice() {
    let (proxy, store) = behind_proxy(Duration::from_mins(2)).await;
    let kit = Kit::new(Arc::new(store));
    let robot = kit.robot(1).await;
    let job = kit.submit_plain().await;
    let held = robot.begin().await;
    kit.pass(secs(61));
    // Both sweeps are told of the lease; the first makes the job ready, and a robot takes it again.
    proxy.set(Trouble::IndexesStandStill);
    kit.engine.store().due(kit.now(), 500).await.expect("it answers");
    assert_eq!(kit.sweep().await.ready, 1);
    let again = kit.sweep().await;
    assert_eq!((again.ready, again.ended, again.conflicts), (0, 0, 0));
    proxy.set(Trouble::None);
    let robot = kit.robot(1).await;
    let next = robot.begin().await;
    assert_eq!((next.job, next.fence.attempt), (job, held.fence.attempt + 1));
    audit::hold(&kit.engine, &kit.tenant).await;
}

/// As SQS gives one message to two pollers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_dispatches_with_the_same_hint_do_as_one() {
    const JOBS: usize = 10;
    let store: Arc<dyn Store> = Arc::new(common::new_store(common::options()).await);
    let kit = Kit::new(store);
    let others: Vec<Kit> = (2..6).map(|seed| kit.beside(seed, Settings::default())).collect();
    let robots = join_all((0..3).map(|_| kit.robot(2))).await;
    join_all(robots.iter().map(|robot| robot.sync(2, &[]))).await;
    kit.pass(secs(28));
    join_all((0..JOBS).map(|_| kit.submit_plain())).await;
    let queue = domain::QueueName::default_queue();
    let dispatches = join_all(others.iter().map(|kit| kit.engine.dispatch_queue(&kit.tenant, &queue))).await;
    let assigned: u64 = dispatches
        .into_iter()
        .map(|done| done.expect("it looks").assigned)
        .sum();
    assert!((1..=6).contains(&assigned), "{assigned}");
    audit::hold(&kit.engine, &kit.tenant).await;
}

/// A record that DynamoDB removes by itself leaves no blob behind: whoever puts one beside it hands it to the sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_to_live_takes_only_what_stands_alone() {
    let options = AwsOptions {
        exact_retention: false,
        ..common::options()
    };
    let store = common::new_store(options.clone()).await;
    let raw = aws_sdk_dynamodb::Client::from_conf(client_configs(&options).await.dynamodb);
    let over = |id: &str| queue::store::Record {
        expires_at: Some(at(1)),
        ..job(id)
    };
    let time_to_live = async |id: &str| {
        let call = raw.get_item().table_name(&options.table).consistent_read(true);
        let call = call.key(
            "pk",
            aws_sdk_dynamodb::types::AttributeValue::S(layout::item_key(&job_key(id))),
        );
        let call = call.key("sk", aws_sdk_dynamodb::types::AttributeValue::S("r".to_owned()));
        let item = call.send().await.expect("it answers").item.expect("it is there");
        item.get(layout::TIME_TO_LIVE)
            .map(|value| value.as_n().expect("a number").clone())
    };
    put(&store, over("alone")).await;
    put(&store, over("late-blob")).await;
    store.put_blob(blob(&job_key("late-blob"), "log/0", "x")).await.unwrap();
    let before = put(&store, job("early-blob")).await;
    store
        .put_blob(blob(&job_key("early-blob"), "payload", "x".repeat(2_000)))
        .await
        .unwrap();
    put(
        &store,
        queue::store::Record {
            expires_at: Some(at(1)),
            ..before
        },
    )
    .await;
    // Never before its time: the next whole second.
    let expected = (at(1).as_millis() / 1_000 + 1).to_string();
    assert_eq!(time_to_live("alone").await, Some(expected));
    assert_eq!(time_to_live("late-blob").await, None);
    assert_eq!(time_to_live("early-blob").await, None);
    assert_eq!(store.purge(at(2), 10).await.unwrap(), 2);
    assert!(load(&store, &job_key("alone")).await.is_some());
    assert_eq!(
        store.blob_names(&job_key("late-blob"), "", None, 10).await.unwrap(),
        [""; 0]
    );
}
