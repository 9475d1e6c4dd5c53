//! What a plan costs as robots and ready jobs grow, and what one robot's sync costs as others are online.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Instant,
};

use anyhow::Context;
use domain::{
    Job, JobId, JobSpec, KeyId, QueueName, Robot, RobotId, Strategy, Timestamp, Word, WorkflowName, plan::plan,
    robot::Mode,
};

use crate::{
    On,
    engines::Ground,
    figures::{Report, Spread, percentile},
    lifecycle::progress,
    work::{self, Worker},
};

/// How many words there are for what a robot can do.
const WORDS: u64 = 20;
/// How many of them a robot has.
const WORDS_OF_A_ROBOT: u64 = 5;
/// How many jobs a robot may hold.
const SLOTS: u32 = 4;
/// How many robots come online at a time while a fleet is made.
const AT_A_TIME: usize = 16;

#[derive(clap::Args)]
pub(crate) struct PlanOptions {
    /// How many robots with four free slots each
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000")]
    robots: Vec<u64>,
    /// How many ready jobs
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    jobs: Vec<u64>,
    /// How often everything is measured; the median is shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[derive(clap::Args)]
pub(crate) struct FleetOptions {
    #[command(flatten)]
    on: On,
    /// How many robots are online, rising
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000")]
    robots: Vec<usize>,
    /// How many syncs are timed at each size
    #[arg(long, default_value_t = 500)]
    syncs: usize,
}

/// Times the matching alone: no store, no clock.
pub(crate) fn measure_plans(options: &PlanOptions) -> anyhow::Result<Report> {
    let columns = [
        "robots",
        "ready jobs",
        "free slots",
        "kinds of job",
        "matched",
        "plan ms",
        "spread",
        "ns a match × log₂ robots",
    ];
    let mut report = Report::new("One plan over mixed capabilities; medians", &columns);
    let bar = progress(options.robots.len() * options.jobs.len() * options.rounds);
    for robots in &options.robots {
        let fleet: Vec<Robot> = (0..*robots).map(robot).collect::<anyhow::Result<_>>()?;
        let fleet: Vec<&Robot> = fleet.iter().collect();
        for jobs in &options.jobs {
            let waiting: Vec<Job> = (0..*jobs).map(job).collect::<anyhow::Result<_>>()?;
            let waiting: Vec<&Job> = waiting.iter().collect();
            let mut times = Vec::new();
            let mut matched = 0;
            for round in 0..options.rounds {
                let begun = Instant::now();
                matched = plan(&waiting, &fleet, |_| Strategy::default(), round as u64).len();
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
                bar.inc(1);
            }
            let times = Spread::of(times);
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let steps = matched as f64 * (*robots as f64).log2();
            report.row(vec![
                robots.to_string(),
                jobs.to_string(),
                (robots * u64::from(SLOTS)).to_string(),
                kinds(&waiting).to_string(),
                matched.to_string(),
                format!("{:.2}", times.median),
                format!("{:.2}–{:.2}", times.min, times.max),
                format!("{:.0}", times.median * 1e6 / steps),
            ]);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

fn kinds(jobs: &[&Job]) -> usize {
    let kinds: HashSet<_> = jobs.iter().map(|job| &job.spec.requires.capabilities).collect();
    kinds.len()
}

/// The `place`-th of some numbers that look random, and are the same in each run.
fn scattered(place: u64) -> u64 {
    let word = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (word ^ (word >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33
}

fn words(from: u64, count: u64) -> anyhow::Result<BTreeSet<Word>> {
    let word = |place: u64| Word::parse(&format!("word-{}", scattered(from * 64 + place) % WORDS));
    Ok((0..count).map(word).collect::<Result<_, _>>()?)
}

/// A robot with some of the words, all of whose slots are free.
fn robot(place: u64) -> anyhow::Result<Robot> {
    Ok(Robot {
        id: RobotId::parse(&format!("rob_{place:032x}"))?,
        tenant: work::tenant(),
        key: KeyId::parse("key_bench")?,
        name: format!("robot {place}"),
        queues: vec![QueueName::default_queue()],
        capabilities: words(place, WORDS_OF_A_ROBOT)?,
        environment: None,
        max_jobs: SLOTS,
        version: None,
        labels: BTreeMap::new(),
        created_at: Timestamp::default(),
        drain: false,
        epoch: 1,
        seq: Some(1),
        mode: Mode::Idle,
        free_slots: SLOTS,
        seen_at: Some(Timestamp::default()),
        next_sync_at: None,
        assigned_at: None,
        recent: Vec::new(),
        holds: Vec::new(),
        answered: Vec::new(),
    })
}

/// A ready job that requires none, one or two of the words.
fn job(place: u64) -> anyhow::Result<Job> {
    let mut spec = JobSpec::new(WorkflowName::parse("no-op")?);
    spec.requires.capabilities = words(place + 1_000_000, scattered(place) % 3)?;
    let id = JobId::parse(&format!("00000000-0000-7000-8000-{place:012x}")).context("it is a UUID")?;
    Ok(Job::new(
        id,
        work::tenant(),
        spec,
        None,
        work::client(),
        Timestamp::default(),
    ))
}

/// Times the sync of one robot that takes a job, and of one that finds none, while a fleet is online.
pub(crate) async fn measure_fleet(options: &FleetOptions) -> anyhow::Result<Report> {
    let ground = Ground::new(&options.on)?;
    let columns = [
        "store",
        "robots online",
        "sync with a job p50 ms",
        "× least",
        "sync without p50 ms",
        "× least",
    ];
    let mut report = Report::new("One robot's sync by robots online", &columns);
    for store in &options.on.store {
        let engine = ground.engine(*store).await?;
        let bar = progress(options.robots.last().copied().unwrap_or(0));
        bar.set_message(store.name());
        let mut worker = Worker::register(&engine, 1).await?;
        let mut online = 1;
        let mut least: Option<(f64, f64)> = None;
        for robots in &options.robots {
            while online < *robots {
                let more = AT_A_TIME.min(robots - online);
                futures::future::try_join_all((0..more).map(|_| come_online(&engine))).await?;
                online += more;
                bar.inc(more as u64);
            }
            let (mut with, mut without) = (Vec::new(), Vec::new());
            for _ in 0..options.syncs {
                let begun = Instant::now();
                anyhow::ensure!(worker.claim(1).await?.is_empty(), "nothing is ready");
                without.push(begun.elapsed().as_secs_f64() * 1_000.0);
                work::submit(&engine, 1, 1).await?;
                let begun = Instant::now();
                let assigned = worker.claim(1).await?;
                with.push(begun.elapsed().as_secs_f64() * 1_000.0);
                anyhow::ensure!(assigned.len() == 1, "a claim gave {} jobs", assigned.len());
                worker.finish(&assigned).await?;
            }
            let median = |mut times: Vec<f64>| {
                times.sort_by(f64::total_cmp);
                percentile(&times, 0.5)
            };
            let (with, without) = (median(with), median(without));
            let (with_least, without_least) = *least.get_or_insert((with, without));
            report.row(vec![
                store.name().to_owned(),
                robots.to_string(),
                format!("{with:.3}"),
                format!("{:.2}", with / with_least),
                format!("{without:.3}"),
                format!("{:.2}", without / without_least),
            ]);
        }
        bar.finish_and_clear();
    }
    Ok(report)
}

/// A robot that is heard of once, and has no room.
async fn come_online(engine: &queue::Engine) -> anyhow::Result<()> {
    let mut worker = Worker::register(engine, 1).await?;
    anyhow::ensure!(worker.claim(0).await?.is_empty(), "it has no room");
    Ok(())
}
