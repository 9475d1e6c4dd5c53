//! What each operation and a whole job cost on DynamoDB and SQS, counted by what DynamoDB says it consumed.
//!
//! The table is kept in `docs/cost.md`: a change that makes anything dearer or cheaper changes it, and beyond the bounds
//! below it fails. `UPDATE_EXPECT=1 cargo test -p queue-aws --test cost` writes it anew.

#![expect(clippy::cast_precision_loss, reason = "counts are small")]

mod common;
#[path = "common/meter.rs"]
mod meter;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use domain::{JobId, TenantName, job::Outcome};
use expect_test::expect_file;
use meter::{Bill, Meter, OnDynamoDb, OnSqs};
use queue::{Engine, Settings, Submission};
use queue_aws::{AwsOptions, AwsStore, SqsHints, client_configs};
use queue_conformance::kit::{Held, Kit, SeededEntropy, TestClock, TestRobot, new_robot, report, secs, submission};
use serde::Deserialize;

/// The bounds that the design names. What the table says is lower where it could be made lower.
const JOB_WRITES_MAX: f64 = 9.0;
const JOB_SQS_MAX: u64 = 3;
const RENEWAL_WRITES_MAX: f64 = 1.0;

/// The row of a job as most are.
const PLAIN: &str = "**a plain job**";

/// How the row of an idle robot's hour begins.
const IDLE_ROBOT: &str = "an idle robot's hour";

const SECONDS_AN_HOUR: f64 = 3_600.0;

/// Of 30 days.
const SECONDS_A_MONTH: f64 = 2_592_000.0;

/// How many jobs the batches have here.
const BATCHES: [usize; 2] = [10, 100];

/// How many robots a large fleet has.
const FLEET: f64 = 1_000.0;

#[derive(Deserialize)]
struct Prices {
    source: String,
    write_units_per_million: f64,
    read_units_per_million: f64,
    sqs_requests_per_million: f64,
    postgres_month: f64,
    postgres_what: String,
}

impl Prices {
    /// What `bill` comes to a million times.
    fn million(&self, bill: &Bill) -> f64 {
        bill.writes * self.write_units_per_million
            + bill.reads * self.read_units_per_million
            + bill.sqs as f64 * self.sqs_requests_per_million
    }
}

/// An engine whose every call is counted.
struct Metered {
    kit: Kit,
    meter: Meter,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    bill: Bill,
    /// How many jobs it is about.
    jobs: usize,
}

impl Metered {
    async fn new() -> Self {
        let sqs = servers::shared_sqs().expect("SQS runs");
        let options = AwsOptions {
            exact_retention: false,
            depth_fresh: AwsOptions::DEPTH_FRESH,
            queue: Some(format!("{}/000000000000/any", sqs.endpoint())),
            ..common::options()
        };
        common::new_store(options.clone()).await;
        let (meter, configs) = (Meter::default(), client_configs(&options).await);
        let plain = aws_sdk_sqs::Client::from_conf(configs.sqs.clone());
        let made = plain
            .create_queue()
            .queue_name(&options.table)
            .send()
            .await
            .expect("a queue can be made");
        let queue = made.queue_url.expect("it has a URL");
        let metered = configs.sqs.to_builder().interceptor(OnSqs(meter.clone())).build();
        let dynamodb = configs
            .dynamodb
            .to_builder()
            .interceptor(OnDynamoDb(meter.clone()))
            .build();
        let store = AwsStore::with_client(aws_sdk_dynamodb::Client::from_conf(dynamodb), options);
        let clock = Arc::new(TestClock::default());
        let engine = Engine::new(
            Arc::new(store),
            Arc::new(SqsHints::new(metered.clone(), queue.clone())),
            clock.clone(),
            Arc::new(SeededEntropy::new(7)),
            Settings {
                heartbeat: Settings::HEARTBEAT_MAX,
                ..Settings::default()
            },
        );
        let tenant = TenantName::default_tenant();
        Self {
            kit: Kit { engine, clock, tenant },
            meter,
            sqs: aws_sdk_sqs::Client::from_conf(metered),
            queue,
            rows: Vec::new(),
        }
    }

    /// Writes down what `work` costs, which is about `jobs` jobs.
    async fn row<T>(&mut self, what: &str, jobs: usize, work: impl Future<Output = T>) -> T {
        let before = self.meter.bill();
        let done = work.await;
        let bill = self.meter.bill() - &before;
        self.rows.push(Row {
            what: what.to_owned(),
            bill,
            jobs,
        });
        done
    }

    /// Takes every hint off the queue, as Lambda's poller does, and lets them be: the robots ask by themselves.
    async fn poll(&self) {
        let call = self
            .sqs
            .receive_message()
            .queue_url(&self.queue)
            .max_number_of_messages(10);
        let messages = call.send().await.expect("SQS answers").messages.unwrap_or_default();
        if messages.is_empty() {
            return;
        }
        let entries = messages.iter().enumerate().map(|(place, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry
                .set_receipt_handle(message.receipt_handle.clone())
                .build()
                .expect("it has an id and a handle")
        });
        let call = self.sqs.delete_message_batch().queue_url(&self.queue);
        call.set_entries(Some(entries.collect()))
            .send()
            .await
            .expect("SQS answers");
    }

    /// The sum of rows that are about equally many jobs.
    fn sum(&self, what: &str, parts: &[&str]) -> Row {
        let row = |part: &&str| {
            let row = self.rows.iter().find(|row| row.what == *part);
            row.unwrap_or_else(|| panic!("no row {part}"))
        };
        let rows: Vec<&Row> = parts.iter().map(row).collect();
        let mut sum = Row {
            what: what.to_owned(),
            bill: Bill::default(),
            jobs: rows[0].jobs,
        };
        for Row { bill, jobs, .. } in rows {
            assert_eq!(*jobs, sum.jobs, "what is summed is about equally many jobs");
            for (name, calls) in &bill.calls {
                *sum.bill.calls.entry(name).or_default() += calls;
            }
            sum.bill.reads += bill.reads;
            sum.bill.writes += bill.writes;
            sum.bill.robots += bill.robots;
            sum.bill.sqs += bill.sqs;
        }
        sum
    }
}

/// A job as most are: a payload of about 200 bytes, no result.
fn plain_job() -> Submission {
    let payload = r#"{"invoice":"INV-2026-004711","customer":"ACME Industries GmbH","amount":1249.50,"currency":"EUR","due":"2026-12-15","export":{"format":"pdf","to":"archive"},"requested_by":"accounting@example.com"}"#;
    Submission {
        payload: Some(payload.to_owned()),
        ..submission(|_| {})
    }
}

async fn submit(kit: &Kit, count: usize) -> Vec<JobId> {
    let jobs = std::iter::repeat_with(plain_job).take(count).collect();
    let answers = kit.submit_many(jobs).await;
    answers
        .into_iter()
        .map(|answer| answer.expect("the job is taken in").job.job.id)
        .collect()
}

/// Lets the count of waiting jobs and the robot's last heartbeat grow neither fresh nor old in between.
fn later(kit: &Kit) {
    kit.pass(Duration::from_millis(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_grows_dearer_than_the_table_says() {
    let mut metered = Metered::new().await;
    let kit = metered.kit.clone();
    let robot = kit.robot(1).await;
    warm_up(&metered, &robot).await;

    plain(&mut metered, &robot).await;
    let job = metered.sum(
        "**a plain job**",
        &["submit", "hint, received and deleted", "claim", "start", "finish"],
    );
    let whole = metered.sum(
        "**a plain job with 3 renewals**",
        &[
            "submit",
            "hint, received and deleted",
            "claim",
            "start",
            "renewal",
            "renewal",
            "renewal",
            "finish",
        ],
    );
    assert!(job.bill.writes - job.bill.robots <= JOB_WRITES_MAX, "{:?}", job.bill);
    assert!(job.bill.robots <= 1.0, "{:?}", job.bill);
    assert!(job.bill.sqs <= JOB_SQS_MAX, "{:?}", job.bill);
    let renewal = metered
        .rows
        .iter()
        .find(|row| row.what == "renewal")
        .expect("it was counted");
    assert!(renewal.bill.writes <= RENEWAL_WRITES_MAX, "{:?}", renewal.bill);
    metered.rows.push(job);
    metered.rows.push(whole);

    Box::pin(others(&mut metered, &robot)).await;
    for size in BATCHES {
        batch(&mut metered, size).await;
    }
    idle(&mut metered).await;

    let failed: u64 = metered.rows.iter().map(|row| row.bill.failed).sum();
    assert_eq!(failed, 0, "nothing fails here, so that no unit goes uncounted");
    let table = table(&metered.rows);
    readme(&table);
    expect_file!["../../../docs/cost.md"].assert_eq(&table);
}

/// What only the first calls of a process pay: its queues become known to it.
async fn warm_up(metered: &Metered, robot: &TestRobot) {
    submit(&metered.kit, 1).await;
    later(&metered.kit);
    let held = robot.begin().await;
    robot.succeed(&held).await;
    metered.poll().await;
    robot.sync(1, &[]).await;
}

async fn plain(metered: &mut Metered, robot: &TestRobot) {
    let kit = metered.kit.clone();
    metered.row("submit", 1, submit(&kit, 1)).await;
    let before = metered.meter.bill();
    metered.poll().await;
    let bill = metered.meter.bill() - &before;
    metered.rows.push(Row {
        what: "hint, received and deleted".to_owned(),
        bill,
        jobs: 1,
    });
    later(&kit);
    let held = metered.row("claim", 1, robot.take()).await;
    later(&kit);
    metered.row("start", 1, robot.renew(&held)).await;
    kit.pass(secs(15));
    metered.row("renewal", 1, robot.renew(&held)).await;
    metered.row("finish", 1, robot.succeed(&held)).await;
    later(&kit);
    robot.sync(1, &[]).await;
}

async fn others(metered: &mut Metered, robot: &TestRobot) {
    let kit = metered.kit.clone();
    submit(&kit, 1).await;
    later(&kit);
    let held = robot.begin().await;
    metered
        .row(
            "finish with a result of 100 bytes",
            1,
            finish_with_result(robot, &held, 100),
        )
        .await;
    later(&kit);
    robot.sync(1, &[]).await;

    let large = Submission {
        payload: Some(format!("\"{}\"", noise(10_000))),
        ..submission(|_| {})
    };
    metered
        .row(
            "submit with a payload of 10 KB that does not shrink",
            1,
            kit.submit(large),
        )
        .await;
    later(&kit);
    let held = robot.begin().await;
    metered
        .row("log chunk of 1 KB", 1, robot.log(&held, 0, &noise(1_000)))
        .await
        .expect("it is taken");
    metered
        .row(
            "checkpoint of 1 KB",
            1,
            robot.checkpoint(&held, "at", &format!("\"{}\"", noise(1_000))),
        )
        .await
        .expect("it is taken");
    metered
        .row(
            "failure that is tried again, with its delayed hint",
            1,
            robot.fail(&held),
        )
        .await;
    later(&kit);
    robot.sync(1, &[]).await;
    kit.pass(secs(3_600));
    metered
        .row("sweep that makes the retry ready, with its hint", 1, kit.sweep())
        .await;
    let held = robot.begin().await;
    robot.succeed(&held).await;
    later(&kit);
    robot.sync(1, &[]).await;

    let job = submit(&kit, 1).await[0];
    metered
        .row("cancel of a waiting job", 1, kit.cancel(job))
        .await
        .expect("it is cancelled");
    metered.row("look at a job", 1, kit.job(job)).await;
    metered
        .row(
            "list of 10 jobs of 10 states",
            1,
            kit.engine.jobs(&kit.tenant, &<_>::default(), None, 10),
        )
        .await
        .expect("it is listed");
    metered
        .row("stats", 1, kit.engine.stats(&kit.tenant))
        .await
        .expect("they are counted");
    metered
        .row("dispatch that finds nothing", 1, kit.engine.dispatch())
        .await
        .expect("it looks");
    metered.row("sweep that finds nothing", 1, kit.sweep()).await;
}

async fn finish_with_result(robot: &TestRobot, held: &Held, bytes: usize) {
    let result = format!("\"{}\"", noise(bytes));
    robot
        .finish(held, Outcome::Succeeded, Some(&result))
        .await
        .expect("the report is taken");
}

/// `size` jobs by as few calls as there may be.
async fn batch(metered: &mut Metered, size: usize) {
    let kit = metered.kit.clone();
    let slots = u32::try_from(size).expect("is small");
    let mut new = new_robot();
    new.max_jobs = slots;
    let robot = kit.robot_like(new).await;
    robot.sync(0, &[]).await;
    let whats = [
        format!("submit, {size} in one call"),
        format!("claim, {size} by one robot"),
        format!("start, {size} in one sync"),
        format!("finish, {size} in one call"),
    ];
    let [submitting, claiming, starting, finishing] = whats.each_ref().map(String::as_str);
    metered.row(submitting, size, submit(&kit, size)).await;
    later(&kit);
    let held = metered.row(claiming, size, robot.ask(slots)).await;
    assert_eq!(held.len(), size);
    let working: Vec<&Held> = held.iter().collect();
    later(&kit);
    metered.row(starting, size, robot.sync(0, &working)).await;
    kit.pass(secs(15));
    metered
        .row(&format!("renewal, {size} in one sync"), size, robot.sync(0, &working))
        .await;
    let reports: Vec<_> = held
        .iter()
        .map(|held| (held.job, report(held, Outcome::Succeeded, None)))
        .collect();
    let finish = kit.engine.finish_many(&kit.tenant, &robot.id, reports);
    let finished = metered.row(finishing, size, finish).await;
    assert!(finished.expect("they are taken").iter().all(Result::is_ok));
    let parts = [submitting, claiming, starting, finishing];
    let job = metered.sum(&format!("**a plain job, {size} at once**"), &parts);
    metered.rows.push(job);
}

/// An hour in which nothing happens.
async fn idle(metered: &mut Metered) {
    let kit = metered.kit.clone();
    let robot = kit.robot(1).await;
    robot.sync(1, &[]).await;
    let interval = kit.engine.settings().idle_sync;
    let syncs = 3_600 / u32::try_from(interval.as_secs()).expect("is short");
    let hour = async {
        for _ in 0..syncs {
            kit.pass(interval);
            robot.sync(1, &[]).await;
        }
    };
    metered.row(&format!("{IDLE_ROBOT} ({syncs} syncs)"), 1, hour).await;
    let hour = async {
        for _ in 0..60 {
            kit.pass(secs(60));
            kit.sweep().await;
            kit.engine.dispatch().await.expect("it looks");
        }
    };
    metered
        .row("an idle system's hour (60 sweeps, 60 dispatches)", 1, hour)
        .await;
}

/// Holds the README to the main rows of the table, and to what it says of Postgres.
fn readme(table: &str) {
    const BEGIN: &str = "<!-- cost: begin -->\n";
    const END: &str = "<!-- cost: end -->";
    const MAIN: [&str; 10] = [
        "what",
        "---",
        "submit",
        "claim",
        "start",
        "renewal",
        "finish",
        "a plain job",
        IDLE_ROBOT,
        "an idle system's hour",
    ];
    let is_main = |line: &&str| {
        let first = line.strip_prefix("| ").or_else(|| line.strip_prefix('|'));
        first.is_some_and(|first| MAIN.iter().any(|main| first.trim_start_matches("**").starts_with(main)))
    };
    let rows: Vec<&str> = table
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(is_main)
        .collect();
    let postgres = table
        .split("## When Postgres is cheaper\n\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let expected = format!("{}\n\n{}\n", rows.join("\n"), postgres.expect("the table says when"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let text = std::fs::read_to_string(path).expect("there is a README");
    let (before, rest) = text.split_once(BEGIN).expect("the README has a place for the table");
    let (block, after) = rest.split_once(END).expect("the README has a place for the table");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{expected}{END}{after}")).expect("the README can be written");
    } else {
        assert_eq!(block, expected, "the README's table; UPDATE_EXPECT=1 writes it anew");
    }
}

/// Text that no packing makes smaller.
fn noise(bytes: usize) -> String {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let character = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + u8::try_from((state >> 33) % 56).expect("is small"))
    };
    std::iter::repeat_with(character).take(bytes).collect()
}

fn table(rows: &[Row]) -> String {
    let prices: Prices = serde_json::from_str(include_str!("prices.json")).expect("the file of prices can be read");
    let mut text = include_str!("cost-head.md").replace("{prices}", &prices.source);
    text.push_str("| what | DynamoDB calls | read units | write units | of the robot's record | SQS requests | $ per million |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for Row { what, bill, jobs } in rows {
        let share = *jobs as f64;
        let cost = prices.million(bill);
        let per_job = if *jobs > 1 {
            format!("{what}: a job of it")
        } else {
            what.clone()
        };
        let number = |value: f64| {
            let text = format!("{value:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        writeln!(
            text,
            "| {per_job} | {} | {} | {} | {} | {} | {:.2} |",
            number(bill.dynamodb() as f64 / share),
            number(bill.reads / share),
            number((bill.writes - bill.robots) / share),
            number(bill.robots / share),
            number(bill.sqs as f64 / share),
            cost / share
        )
        .expect("text can be written");
    }
    let job = rows.iter().find(|row| row.what == PLAIN).expect("it was counted");
    let (job, month) = (prices.million(&job.bill), prices.postgres_month);
    let robot = rows.iter().find(|row| row.what.starts_with(IDLE_ROBOT));
    let robot = &robot.expect("it was counted").bill;
    let foot = include_str!("cost-foot.md")
        .replace(
            "{fleet_calls}",
            &format!("{:.0}", robot.dynamodb() as f64 * FLEET / SECONDS_AN_HOUR),
        )
        .replace(
            "{fleet_dollars}",
            &format!(
                "{:.2}",
                prices.million(robot) / 1e6 * FLEET * SECONDS_A_MONTH / SECONDS_AN_HOUR
            ),
        )
        .replace("{postgres_month}", &format!("{month:.2}"))
        .replace("{postgres_what}", &prices.postgres_what)
        .replace("{job_dollars}", &format!("{job:.2}"))
        .replace("{break_even}", &format!("{:.1}", month / job))
        .replace(
            "{break_even_rate}",
            &format!("{:.1}", month / job * 1e6 / SECONDS_A_MONTH),
        );
    text + &foot
}
