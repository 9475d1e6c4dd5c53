//! Submit, claim and finish a second: singly and in batches, by one worker and by several.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use queue::Engine;

use crate::{
    On,
    engines::Ground,
    figures::{Report, Spread, rate},
    work::{self, Worker},
};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    on: On,
    /// How many jobs go through in batches; a tenth of that singly
    #[arg(long, default_value_t = 20_000)]
    jobs: usize,
    /// How many jobs a batch holds
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// How many workers there are beside the case of one
    #[arg(long, default_value_t = 8)]
    workers: usize,
}

/// One way to push jobs through.
#[derive(Clone, Copy)]
struct Case {
    batch: usize,
    workers: usize,
    jobs: usize,
}

/// What one round of a case gave, in jobs a second.
struct Rates {
    submit: f64,
    claim: f64,
    finish: f64,
    drain: f64,
}

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Report> {
    let ground = Ground::new(&options.on)?;
    let single = (options.jobs / 10).max(1);
    let cases = [
        (1, 1, single),
        (1, options.workers, single),
        (options.batch, 1, options.jobs),
        (options.batch, 2, options.jobs),
    ]
    .map(|(batch, workers, jobs)| Case {
        batch,
        workers,
        jobs: jobs / (batch * workers) * (batch * workers),
    });
    let columns = [
        "store",
        "batch",
        "workers",
        "submit/s",
        "claim/s",
        "finish/s",
        "claim+finish/s",
        "spread",
        "× singly",
    ];
    let mut report = Report::new("Jobs a second through the queue crate; medians", &columns);
    let bar = progress(options.on.store.len() * options.on.rounds * cases.len());
    for store in &options.on.store {
        // Rounds go over all cases in turn, so that a slow minute of the machine does not hit one case alone.
        let mut rates: Vec<Vec<Rates>> = cases.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.on.rounds {
            for (case, rates) in cases.iter().zip(&mut rates) {
                bar.set_message(format!("{}, batches of {}", store.name(), case.batch));
                let engine = ground.engine(*store).await?;
                rates.push(run(&engine, *case).await?);
                bar.inc(1);
            }
        }
        let medians = |pick: fn(&Rates) -> f64| -> Vec<Spread> {
            rates
                .iter()
                .map(|case| Spread::of(case.iter().map(pick).collect()))
                .collect()
        };
        let (submit, claim) = (medians(|rates| rates.submit), medians(|rates| rates.claim));
        let (finish, drain) = (medians(|rates| rates.finish), medians(|rates| rates.drain));
        for (place, case) in cases.iter().enumerate() {
            report.row(vec![
                store.name().to_owned(),
                case.batch.to_string(),
                case.workers.to_string(),
                format!("{:.0}", submit[place].median),
                format!("{:.0}", claim[place].median),
                format!("{:.0}", finish[place].median),
                format!("{:.0}", drain[place].median),
                format!("{:.0}–{:.0}", drain[place].min, drain[place].max),
                format!("{:.1}", drain[place].median / drain[0].median),
            ]);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

async fn run(engine: &Engine, case: Case) -> anyhow::Result<Rates> {
    let share = case.jobs / case.workers;
    let begun = Instant::now();
    futures::future::try_join_all((0..case.workers).map(|_| spawn_submit(engine.clone(), share, case.batch))).await?;
    let submit = rate(case.jobs, begun.elapsed());
    let begun = Instant::now();
    let drained = (0..case.workers).map(|_| spawn_drain(engine.clone(), share, case.batch));
    let times = futures::future::try_join_all(drained).await?;
    let drain = rate(case.jobs, begun.elapsed());
    let workers = u32::try_from(case.workers)?;
    let claiming: std::time::Duration = times.iter().map(|(claiming, _)| *claiming).sum();
    let finishing: std::time::Duration = times.iter().map(|(_, finishing)| *finishing).sum();
    Ok(Rates {
        submit,
        claim: rate(case.jobs, claiming / workers),
        finish: rate(case.jobs, finishing / workers),
        drain,
    })
}

async fn spawn_submit(engine: Engine, jobs: usize, batch: usize) -> anyhow::Result<()> {
    tokio::spawn(async move { work::submit(&engine, jobs, batch).await }).await?
}

/// Takes `jobs` jobs through; gives the time spent on claims and on finishes.
async fn spawn_drain(
    engine: Engine,
    jobs: usize,
    batch: usize,
) -> anyhow::Result<(std::time::Duration, std::time::Duration)> {
    tokio::spawn(async move {
        let slots = u32::try_from(batch)?;
        let mut worker = Worker::register(&engine, slots).await?;
        let (mut claiming, mut finishing) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        let mut left = jobs;
        while left > 0 {
            let begun = Instant::now();
            let assigned = worker.claim(slots.min(u32::try_from(left)?)).await?;
            claiming += begun.elapsed();
            let begun = Instant::now();
            worker.finish(&assigned).await?;
            finishing += begun.elapsed();
            left -= assigned.len();
        }
        Ok((claiming, finishing))
    })
    .await?
}

pub(crate) fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps as u64).with_style(style)
}
