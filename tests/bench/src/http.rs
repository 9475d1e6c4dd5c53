//! Jobs through `remuda dev`: over HTTP, with its keys, its checks and its JSON.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::future::try_join_all;
use remuda_client::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use servers::Remuda;

use crate::{
    On,
    engines::{Ground, StoreChoice},
    figures::{Report, Spread, percentile, rate},
    lifecycle::progress,
};

/// How many jobs a call of the preparation submits.
const LOAD_BATCH: usize = 1_000;
/// How many jobs wait for each robot and second of the time, for ten robots at the most: more than can be done.
const WAITING: usize = 1_000;
/// In how many parts of a second Linux tells the time of a process (`USER_HZ`, the same on every machine it runs on here).
const TICKS_A_SECOND: f64 = 100.0;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    on: On,
    /// How many robots work at a time
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    robots: Vec<usize>,
    /// How long each case is measured, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The program to measure; by default it is built beside this one
    #[arg(long)]
    program: Option<PathBuf>,
}

/// What one round of a case gave: jobs a second, times in milliseconds.
struct Figures {
    jobs: f64,
    sync: (f64, f64),
    finish: (f64, f64),
    /// Of the server's process, for each of the two calls of a job.
    cpu: f64,
}

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Report> {
    let program = options.program.clone().map_or_else(build, Ok)?;
    let ground = Ground::new(&options.on)?;
    let columns = [
        "store",
        "robots",
        "jobs/s",
        "spread",
        "sync p50 ms",
        "p99",
        "finish p50 ms",
        "p99",
        "server's CPU µs a call",
    ];
    let mut report = Report::new("Jobs through `remuda dev`, each a sync and a finish; medians", &columns);
    let bar = progress(options.on.store.len() * options.on.rounds * options.robots.len());
    let mut measured: Vec<Vec<Figures>> = Vec::new();
    let cases: Vec<(StoreChoice, usize)> = options
        .on
        .store
        .iter()
        .flat_map(|store| options.robots.iter().map(|robots| (*store, *robots)))
        .collect();
    measured.resize_with(cases.len(), Vec::new);
    for _ in 0..options.on.rounds {
        for ((store, robots), figures) in cases.iter().zip(&mut measured) {
            bar.set_message(format!("{}, {robots} robots", store.name()));
            let server = Remuda::start(&program, &address(&ground, *store)?)?;
            let case = || format!("{} with {robots} robots", store.name());
            let time = Duration::from_secs(options.seconds);
            figures.push(run(&server, *robots, time).await.with_context(case)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for ((store, robots), figures) in cases.iter().zip(&measured) {
        let median = |pick: fn(&Figures) -> f64| Spread::of(figures.iter().map(pick).collect());
        let jobs = median(|it| it.jobs);
        report.row(vec![
            store.name().to_owned(),
            robots.to_string(),
            format!("{:.0}", jobs.median),
            format!("{:.0}–{:.0}", jobs.min, jobs.max),
            format!("{:.2}", median(|it| it.sync.0).median),
            format!("{:.2}", median(|it| it.sync.1).median),
            format!("{:.2}", median(|it| it.finish.0).median),
            format!("{:.2}", median(|it| it.finish.1).median),
            format!("{:.0}", median(|it| it.cpu).median),
        ]);
    }
    Ok(report)
}

/// Builds `remuda` by the profile that this program was built by.
fn build() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program is in a folder")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => anyhow::bail!("this program is in a folder without a name"),
    };
    let target = folder.parent().context("the folder is in a target folder")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--package", "remuda", "--bin", "remuda", "--profile", profile]);
    let status = command
        .arg("--target-dir")
        .arg(target)
        .status()
        .context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "remuda cannot be built");
    Ok(folder.join("remuda"))
}

/// A new, empty store, as `remuda dev` is told of it.
fn address(ground: &Ground, store: StoreChoice) -> anyhow::Result<String> {
    let url = ground.url(store)?;
    Ok(match store {
        StoreChoice::Memory => "sqlite::memory:".to_owned(),
        StoreChoice::Sqlite => format!("sqlite:{url}"),
        StoreChoice::Postgres => url,
    })
}

async fn run(server: &Remuda, robots: usize, time: Duration) -> anyhow::Result<Figures> {
    let admin = Client::new(&server.url, Some(&server.admin))?;
    let job = json!({ "workflow": "no-op", "payload": { "text": "x".repeat(189) } });
    let jobs = json!({ "jobs": vec![job; LOAD_BATCH] });
    let waiting = WAITING * robots.min(10) * usize::try_from(time.as_secs())?;
    for _ in 0..waiting.div_ceil(LOAD_BATCH) {
        let _: Value = admin.post("/v1/jobs/bulk", &jobs).await?;
    }
    let fleet = try_join_all((0..robots).map(|_| Robot::register(&admin))).await?;
    let before = cpu_seconds(server.id())?;
    let begun = Instant::now();
    let working = fleet.into_iter().map(|robot| tokio::spawn(robot.work(begun + time)));
    let mut times = Times::default();
    for done in try_join_all(working).await? {
        times.extend(done?);
    }
    let took = begun.elapsed();
    let cpu = cpu_seconds(server.id())? - before;
    let done = times.finish.len();
    anyhow::ensure!(done > 0, "no job went through in {} s", took.as_secs());
    anyhow::ensure!(
        done < waiting,
        "all {waiting} jobs went through before {} s were over",
        time.as_secs()
    );
    let both = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        (percentile(&times, 0.5), percentile(&times, 0.99))
    };
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let calls = (times.sync.len() + done) as f64;
    Ok(Figures {
        jobs: rate(done, took),
        sync: both(times.sync),
        finish: both(times.finish),
        cpu: cpu * 1e6 / calls,
    })
}

/// How long calls took, in milliseconds.
#[derive(Default)]
struct Times {
    sync: Vec<f64>,
    finish: Vec<f64>,
}

impl Times {
    fn extend(&mut self, other: Self) {
        self.sync.extend(other.sync);
        self.finish.extend(other.finish);
    }
}

/// A robot that works as fast as it can, one job at a time.
struct Robot {
    client: Client,
    id: String,
    epoch: u64,
}

#[derive(Deserialize)]
struct Registered {
    robot_id: String,
    key: String,
}

#[derive(Deserialize)]
struct Session {
    epoch: u64,
}

#[derive(Deserialize)]
struct Synced {
    assign: Vec<Assigned>,
}

#[derive(Deserialize)]
struct Assigned {
    job_id: String,
    attempt: u64,
    lease_token: String,
}

impl Robot {
    async fn register(admin: &Client) -> anyhow::Result<Self> {
        let registered: Registered = admin.post("/v1/robots", &json!({ "name": "bench" })).await?;
        let client = admin.with_key(&registered.key);
        let path = format!("/v1/robots/{}/session", registered.robot_id);
        let session: Session = client.post(&path, &json!({})).await?;
        Ok(Self {
            client,
            id: registered.robot_id,
            epoch: session.epoch,
        })
    }

    /// Takes jobs through until `end`, or until none is left.
    async fn work(self, end: Instant) -> anyhow::Result<Times> {
        let mut times = Times::default();
        let path = format!("/v1/robots/{}/sync", self.id);
        for seq in 1_u64.. {
            let begun = Instant::now();
            if begun >= end {
                break;
            }
            let ask = json!({ "epoch": self.epoch, "seq": seq, "state": "idle", "free_slots": 1, "running": [] });
            let given: Synced = self.client.post(&path, &ask).await?;
            times.sync.push(begun.elapsed().as_secs_f64() * 1_000.0);
            for job in given.assign {
                let path = format!("/v1/jobs/{}/attempts/{}/finish", job.job_id, job.attempt);
                let report = json!({ "lease_token": job.lease_token, "outcome": "succeeded" });
                let begun = Instant::now();
                let _: Value = self.client.post(&path, &report).await?;
                times.finish.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        Ok(times)
    }
}

/// How long the processor has worked for a process, on every core.
fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let line = fs::read_to_string(&path).with_context(|| format!("cannot read {path}, which Linux has"))?;
    // The name of the program stands in brackets and may hold anything; behind it, user and system time are the 12th and
    // 13th word (proc(5)).
    let behind = line.rsplit_once(')').context("it has a name")?.1;
    let ticks: Vec<f64> = behind
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}
