//! What one claim costs while more and more jobs are ready.

use std::time::Instant;

use crate::{
    On,
    engines::Ground,
    figures::{Report, percentile},
    lifecycle::progress,
    work::{self, Worker},
};

/// How many jobs one call of the preparation submits.
const LOAD_BATCH: usize = 1_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    on: On,
    /// The backlogs to measure at, rising
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    ready: Vec<usize>,
    /// How many claims are timed at each backlog
    #[arg(long, default_value_t = 500)]
    claims: usize,
}

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Report> {
    let ground = Ground::new(&options.on)?;
    let columns = [
        "store",
        "ready",
        "claim p50 ms",
        "claim p99 ms",
        "p50 × least",
        "p99 × least",
    ];
    let mut report = Report::new("One claim (a sync that is given one job) by jobs ready", &columns);
    let steps: usize = options.ready.last().copied().unwrap_or(0) / LOAD_BATCH;
    for store in &options.on.store {
        let engine = ground.engine(*store).await?;
        let bar = progress(steps);
        bar.set_message(store.name());
        let mut worker = Worker::register(&engine, 1).await?;
        let mut loaded = 0;
        let mut least: Option<(f64, f64)> = None;
        for ready in &options.ready {
            while loaded < *ready {
                work::submit(&engine, LOAD_BATCH, LOAD_BATCH).await?;
                loaded += LOAD_BATCH;
                bar.inc(1);
            }
            let mut times = Vec::with_capacity(options.claims);
            for _ in 0..options.claims {
                let begun = Instant::now();
                let assigned = worker.claim(1).await?;
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
                anyhow::ensure!(assigned.len() == 1, "a claim gave {} jobs", assigned.len());
                worker.finish(&assigned).await?;
                work::submit(&engine, 1, 1).await?;
            }
            times.sort_by(f64::total_cmp);
            let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
            let (p50_least, p99_least) = *least.get_or_insert((p50, p99));
            report.row(vec![
                store.name().to_owned(),
                ready.to_string(),
                format!("{p50:.3}"),
                format!("{p99:.3}"),
                format!("{:.2}", p50 / p50_least),
                format!("{:.2}", p99 / p99_least),
            ]);
        }
        bar.finish_and_clear();
    }
    Ok(report)
}
