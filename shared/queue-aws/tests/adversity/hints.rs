//! SQS that is away, throttles or does not answer: whoever submits is answered in time, and the schedule finds the job.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use domain::job::StateName;
use queue::{Engine, Settings};
use queue_aws::{AwsOptions, SqsHints, client_configs};
use queue_conformance::{
    audit,
    kit::{Kit, SeededEntropy, TestRobot, secs},
};

use crate::{
    PATIENCE, common,
    proxy::{Proxy, Trouble},
};

/// How long a caller over HTTP waits for a submit at most, whatever becomes of its hint.
const ANSWERED_MAX: Duration = AwsOptions::PATIENCE;

/// A queue of a real SQS, behind a proxy.
struct Behind {
    proxy: Proxy,
    /// The queue's URL at SQS itself.
    queue: String,
    /// Its URL at the proxy.
    address: String,
}

impl Behind {
    async fn new() -> Self {
        static QUEUES: AtomicU32 = AtomicU32::new(0);
        let sqs = servers::shared_sqs().expect("SQS runs");
        let name = format!(
            "hints-{}-{}",
            std::process::id(),
            QUEUES.fetch_add(1, Ordering::Relaxed)
        );
        let made = call("CreateQueue", &serde_json::json!({ "QueueName": name }));
        let queue = made["QueueUrl"].as_str().expect("it has a URL").to_owned();
        let (proxy, address) = Proxy::start(&sqs.endpoint()).await;
        let address = queue.replace(&sqs.endpoint(), &address);
        assert_ne!(address, queue, "the proxy is not in the way");
        Self { proxy, queue, address }
    }

    /// How many messages are in the queue.
    fn sent(&self) -> usize {
        let name = "ApproximateNumberOfMessages";
        let input = serde_json::json!({ "QueueUrl": self.queue, "AttributeNames": [name] });
        let count = call("GetQueueAttributes", &input)["Attributes"][name].clone();
        count.as_str().expect("it is counted").parse().expect("a number")
    }
}

fn call(operation: &str, input: &serde_json::Value) -> serde_json::Value {
    let answer = servers::shared_sqs()
        .expect("SQS runs")
        .call(operation, &input.to_string());
    serde_json::from_str(&answer.expect("SQS answers")).expect("in JSON")
}

/// A kit on a store of its own whose hints go to `queue`.
async fn kit_with_hints_to(queue: &str) -> Kit {
    let options = AwsOptions {
        queue: Some(queue.to_owned()),
        ..common::options()
    };
    let kit = Kit::new(Arc::new(common::new_store(options.clone()).await));
    let hints = SqsHints::new(client_configs(&options).await.sqs, queue.to_owned());
    let engine = Engine::new(
        kit.engine.store().clone(),
        Arc::new(hints),
        kit.clock.clone(),
        Arc::new(SeededEntropy::new(2)),
        Settings::default(),
    );
    Kit { engine, ..kit }
}

/// Submits so many jobs one by one, and says how long the slowest took.
async fn slowest_submit(kit: &Kit, jobs: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..jobs {
        let began = Instant::now();
        let job = kit.submit_plain().await;
        slowest = slowest.max(began.elapsed());
        assert_eq!(kit.state(job).await, StateName::Ready);
    }
    slowest
}

/// A robot that was told that there is nothing, and asks again any moment now.
async fn robot_about_to_ask(kit: &Kit) -> TestRobot {
    let robot = kit.robot(1).await;
    assert_eq!(robot.sync(1, &[]).await.assign, []);
    kit.pass(secs(28));
    robot
}

/// The schedule's dispatch has one of the jobs that wait for the robot, and it is done.
async fn the_schedule_finds_a_job(kit: &Kit, robot: &TestRobot) {
    assert_eq!(kit.engine.dispatch().await.expect("the store answers").assigned, 1);
    let held = robot.begin().await;
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    audit::hold(&kit.engine, &kit.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_are_throttled_now_and_then_go_out_all_the_same() {
    const JOBS: usize = 12;
    let behind = Behind::new().await;
    let kit = kit_with_hints_to(&behind.address).await;
    behind.proxy.set(Trouble::Throttled(50));
    let slowest = slowest_submit(&kit, JOBS).await;
    println!(
        "half of all calls of SQS throttled: {} of {JOBS} hints sent, the slowest submit {slowest:?}",
        behind.sent()
    );
    assert!(slowest < ANSWERED_MAX, "{slowest:?}");
    assert_eq!(behind.sent(), JOBS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqs_that_throttles_every_call_costs_time_and_no_job() {
    const JOBS: usize = 3;
    let behind = Behind::new().await;
    let kit = kit_with_hints_to(&behind.address).await;
    let robot = robot_about_to_ask(&kit).await;
    behind.proxy.set(Trouble::Throttled(100));
    let slowest = slowest_submit(&kit, JOBS).await;
    println!("all calls of SQS throttled: the slowest submit {slowest:?}");
    assert!(slowest < ANSWERED_MAX, "{slowest:?}");
    assert_eq!(behind.sent(), 0);
    the_schedule_finds_a_job(&kit, &robot).await;
    // Once SQS takes calls again, hints go out as if nothing had been.
    behind.proxy.set(Trouble::None);
    kit.submit_plain().await;
    assert_eq!(behind.sent(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqs_that_does_not_answer_costs_time_and_no_job() {
    let behind = Behind::new().await;
    let kit = kit_with_hints_to(&behind.address).await;
    let robot = robot_about_to_ask(&kit).await;
    behind.proxy.set(Trouble::Slow(10 * PATIENCE));
    let slowest = slowest_submit(&kit, 2).await;
    println!("no call of SQS answered: the slowest submit {slowest:?}");
    assert!(slowest < ANSWERED_MAX, "{slowest:?}");
    the_schedule_finds_a_job(&kit, &robot).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_cannot_be_sent_hold_up_no_submit() {
    let kit = kit_with_hints_to("http://127.0.0.1:1/000000000000/hints").await;
    let robot = robot_about_to_ask(&kit).await;
    let slowest = slowest_submit(&kit, 1).await;
    assert!(slowest < ANSWERED_MAX, "{slowest:?}");
    the_schedule_finds_a_job(&kit, &robot).await;
}
