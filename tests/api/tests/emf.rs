//! The metrics that each function writes to its log on AWS, as `CloudWatch` reads them: the embedded metric format.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use api_tests::{FlakyStore, World, router};
use app::emf::Deployment;
use queue::{Store, memory::MemoryStore};
use serde_json::{Map, Value, json};

/// What a directive may ask for at the most.
const METRICS_MAX: usize = 100;

/// A log that is read while it is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A deployment `prod`, and its log.
struct Deployed {
    world: World,
    log: Log,
}

impl Deployed {
    async fn on(store: Arc<dyn Store>, settings: queue::Settings) -> Self {
        let mut world = World::with_settings(store, settings).await;
        let log = Log::default();
        let name = Deployment::parse("prod").expect("a name");
        world.app = world.app.with_metrics(name, Box::new(log.clone()));
        world.router = router(&world.app);
        Self { world, log }
    }

    async fn fresh() -> Self {
        Self::on(Arc::new(MemoryStore::new()), queue::Settings::default()).await
    }

    /// The values of each line that was written since this was last asked. Every line is valid.
    fn told(&self) -> Vec<Value> {
        let written = std::mem::take(&mut *self.log.0.lock().expect("no writer panicked"));
        let text = String::from_utf8(written).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines().map(valid).collect()
    }
}

/// The values in a line, which keeps the rules of the published schema of the format, and those of ours.
fn valid(line: &str) -> Value {
    let line: Map<String, Value> = serde_json::from_str(line).expect("an object");
    let about = line["_aws"].as_object().expect("what it is about");
    assert_eq!(about.keys().collect::<Vec<_>>(), ["CloudWatchMetrics", "Timestamp"]);
    let at = about["Timestamp"].as_u64().expect("milliseconds");
    assert!((1_700_000_000_000..4_000_000_000_000).contains(&at), "{at}");
    let directives = about["CloudWatchMetrics"].as_array().expect("directives");
    assert_eq!(directives.len(), 1);
    let directive = &directives[0];
    assert_eq!(directive["Namespace"], "Remuda");
    assert_eq!(directive["Dimensions"], json!([["Deployment"]]));
    assert_eq!(line["Deployment"], "prod");
    let metrics = directive["Metrics"].as_array().expect("metrics");
    assert!((1..=METRICS_MAX).contains(&metrics.len()), "{metrics:?}");
    let mut values = Map::new();
    for metric in metrics {
        let name = metric["Name"].as_str().expect("a name");
        let unit = if name == "OldestReadySeconds" {
            "Seconds"
        } else {
            "Count"
        };
        assert_eq!(*metric, json!({ "Name": name, "Unit": unit }));
        assert!(line[name].is_u64(), "{name} is a number");
        assert!(
            values.insert(name.to_owned(), line[name].clone()).is_none(),
            "{name} is there twice"
        );
    }
    // Nothing else is in it: no queue, tenant or robot.
    assert_eq!(line.len(), values.len() + 2, "{line:?}");
    Value::Object(values)
}

#[tokio::test]
async fn submit_tells_new_jobs_and_no_others() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    world.submit(&json!({ "workflow": "a", "dedup": { "key": "k" } })).await;
    assert_eq!(deployed.told(), [json!({ "JobsSubmitted": 1 })]);
    world
        .post("/v1/jobs", &json!({ "workflow": "a", "dedup": { "key": "k" } }))
        .await;
    assert_eq!(deployed.told(), [] as [Value; 0], "it was there");
    world
        .post(
            "/v1/jobs/bulk",
            &json!({ "jobs": [{ "workflow": "a" }, { "workflow": "b" }] }),
        )
        .await;
    assert_eq!(deployed.told(), [json!({ "JobsSubmitted": 2 })]);
}

#[tokio::test]
async fn submit_tells_overload() {
    let settings = queue::Settings {
        backlog_max: 1,
        ..queue::Settings::default()
    };
    let deployed = Deployed::on(Arc::new(MemoryStore::new()), settings).await;
    deployed.world.submit(&json!({ "workflow": "a" })).await;
    deployed.world.clock.advance(Duration::from_secs(5));
    deployed.told();
    deployed.world.post("/v1/jobs", &json!({ "workflow": "a" })).await;
    assert_eq!(deployed.told(), [json!({ "HttpErrors": 1, "Overloaded": 1 })]);
}

#[tokio::test]
async fn robot_callback_tells_ends_dead_letters_and_stale_reports() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    deployed.told();
    let failed = json!({ "outcome": "failed", "error": { "kind": "business", "message": "no such customer" } });
    robot.finish(&lease, &failed).await;
    assert_eq!(deployed.told(), [json!({ "AttemptsFinished": 1, "DeadLetters": 1 })]);
    let stale = json!({ "job_id": lease["job_id"], "attempt": 1, "lease_token": format!("lt_{}", "0".repeat(32)) });
    robot.finish(&stale, &failed).await;
    assert_eq!(deployed.told(), [json!({ "StaleReports": 1 })]);
}

#[tokio::test]
async fn a_robot_that_is_lost_for_good_leaves_a_dead_letter_whoever_notices() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    world.submit(&json!({ "workflow": "a", "on_lost": "fail" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    robot.take().await;
    deployed.told();
    // A new session that does not hold the job.
    robot.open_session(&json!({})).await;
    assert_eq!(deployed.told(), [json!({ "DeadLetters": 1 })]);
}

#[tokio::test]
async fn control_tells_errors_and_is_silent_when_there_is_nothing_to_tell() {
    let store = Arc::new(FlakyStore::new(Arc::new(MemoryStore::new())));
    let deployed = Deployed::on(store.clone(), queue::Settings::default()).await;
    assert_eq!(deployed.world.get("/v1/jobs").await.status, 200);
    assert_eq!(deployed.world.get("/v1/nowhere").await.status, 404);
    assert_eq!(deployed.told(), [] as [Value; 0]);
    store.set_away(true);
    assert_eq!(deployed.world.get("/v1/jobs").await.status, 503);
    assert_eq!(deployed.told(), [json!({ "HttpErrors": 1 })]);
}

#[tokio::test]
async fn dispatch_tells_what_it_reserved() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    let robot = world.robot(&json!({ "name": "r" })).await;
    robot.sync(1, &[]).await;
    world.submit(&json!({ "workflow": "a" })).await;
    world.clock.advance(Duration::from_secs(28));
    deployed.told();
    dispatch::handle(&world.app, json!({})).await.expect("dispatches");
    assert_eq!(deployed.told(), [json!({ "JobsDispatched": 1 })]);
    dispatch::handle(&world.app, json!({})).await.expect("dispatches");
    assert_eq!(deployed.told(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_sweep_tells_how_the_whole_stands_each_time() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    let sweep = async || {
        timeout_sweep::handle(&world.app).await.expect("sweeps");
        deployed.told().pop().expect("a line")
    };
    let standing = |oldest: u64, ready: u64, robots: u64| json!({ "OldestReadySeconds": oldest, "ReadyJobs": ready, "RobotsOnline": robots, "SweepRuns": 1 });
    assert_eq!(sweep().await, standing(0, 0, 0));
    world.submit(&json!({ "workflow": "a" })).await;
    world
        .submit(&json!({ "workflow": "a", "requires": { "capabilities": ["sap"] } }))
        .await;
    world.robot(&json!({ "name": "r" })).await;
    deployed.told();
    world.clock.advance(Duration::from_secs(70));
    // Less urgent, in another lane, and not as old.
    world
        .submit(&json!({ "workflow": "a", "priority": 0, "queue": "other" }))
        .await;
    world.clock.advance(Duration::from_secs(20));
    deployed.told();
    assert_eq!(sweep().await, standing(90, 3, 1));
    // Somebody wants these to wait.
    world.put("/v1/queues/default", &json!({ "paused": true })).await;
    assert_eq!(sweep().await["OldestReadySeconds"], 20);
}

#[tokio::test]
async fn a_sweep_tells_what_it_lost_tried_again_and_ended() {
    let deployed = Deployed::fresh().await;
    let world = &deployed.world;
    for job in [
        json!({ "workflow": "lost", "priority": 20 }),
        json!({ "workflow": "slow", "priority": 10, "timeouts": { "run_seconds": 30 } }),
    ] {
        world.submit(&job).await;
        world.robot(&json!({ "name": "r" })).await.take().await;
    }
    world
        .submit(&json!({ "workflow": "late", "timeouts": { "queue_seconds": 30 } }))
        .await;
    deployed.told();
    world.clock.advance(Duration::from_secs(61));
    timeout_sweep::handle(&world.app).await.expect("sweeps");
    assert_eq!(
        deployed.told(),
        [json!({
            "DeadLetters": 1, "JobsEnded": 1, "JobsRetried": 1, "LeasesLost": 1, "OldestReadySeconds": 0, "ReadyJobs": 1,
            "RobotsOnline": 2, "SweepRuns": 1,
        })]
    );
}

#[tokio::test]
async fn a_sweep_that_fails_is_no_run_and_tells_no_wrong_figure() {
    let store = Arc::new(FlakyStore::new(Arc::new(MemoryStore::new())));
    let deployed = Deployed::on(store.clone(), queue::Settings::default()).await;
    store.set_away(true);
    assert!(timeout_sweep::handle(&deployed.world.app).await.is_err());
    assert_eq!(deployed.told(), [] as [Value; 0]);
}

#[tokio::test]
async fn dead_letters_are_told_to_prometheus_too_each_tenant_its_own() {
    let world = World::on(Arc::new(MemoryStore::new())).await;
    world
        .submit(&json!({ "workflow": "late", "timeouts": { "queue_seconds": 1 } }))
        .await;
    world.pass(Duration::from_secs(2)).await;
    let of = async |key: &str| {
        let call = api_tests::Call::new("GET", "/metrics").key(key);
        let text = String::from_utf8(world.send(call).await.body).expect("text");
        let line = text.lines().find(|line| line.starts_with("remuda_dead_letters_total"));
        line.map(str::to_owned)
    };
    assert_eq!(of(&world.admin).await.as_deref(), Some("remuda_dead_letters_total 1"));
    let other = world.mint("other", &[queue::Scope::JobsRead]).await;
    assert_eq!(of(&other).await, None);
}
