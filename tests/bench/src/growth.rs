//! What each operation costs as the rows that are kept grow.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::JobId;
use queue::{Engine, operations::JobFilter};

use crate::{
    On,
    engines::{Ground, StoreChoice, engine},
    figures::{Report, percentile},
    fill::{Filler, last_ready},
    lifecycle::progress,
    work::{self, Worker},
};

/// How many jobs one page of a list shows.
const PAGE: usize = 50;
/// How many rows are copied by one statement.
const CHUNK: u64 = 100_000;
/// How long the calls of one operation are repeated at the most.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    on: On,
    /// How many jobs are kept, rising; one of ten is ready, the others have succeeded
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    rows: Vec<u64>,
    /// How often each operation is timed at each size
    #[arg(long, default_value_t = 200)]
    calls: usize,
}

/// The operations, in the order of their columns.
const OPERATIONS: [&str; 8] = [
    "submit",
    "claim",
    "finish",
    "sync",
    "sweep",
    "list",
    "list ready",
    "explain",
];

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Report> {
    let ground = Ground::new(&options.on)?;
    let mut columns = vec!["store", "rows", "figure"];
    columns.extend(OPERATIONS);
    let mut report = Report::new("One call of each operation by jobs kept, in ms", &columns);
    for store in options.on.store.iter().filter(|store| **store != StoreChoice::Memory) {
        let url = ground.url(*store)?;
        let engine = engine(ground.open(*store, &url).await?);
        let mut worker = Worker::register(&engine, 1).await?;
        let filler = Filler::new(&url, &engine, &mut worker).await?;
        let bar = progress(usize::try_from(options.rows.last().copied().unwrap_or(0))?);
        bar.set_message(store.name());
        let mut kept = 0;
        for rows in &options.rows {
            while kept < *rows {
                let next = (kept + CHUNK).min(*rows);
                filler.fill(kept + 1, next).await?;
                bar.inc(next - kept);
                kept = next;
            }
            filler.settle().await?;
            let times = operations(&engine, &mut worker, last_ready(kept)?, options.calls).await?;
            for (figure, share) in [("p50", 0.5), ("p99", 0.99)] {
                let mut row = vec![store.name().to_owned(), rows.to_string(), figure.to_owned()];
                row.extend(times.iter().map(|times| format!("{:.2}", percentile(times, share))));
                report.row(row);
            }
        }
        bar.finish_and_clear();
    }
    Ok(report)
}

/// The times of each operation in milliseconds, sorted.
async fn operations(engine: &Engine, worker: &mut Worker, ready: JobId, calls: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    let tenant = work::tenant();
    let (mut submits, mut claims, mut finishes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..calls {
        submits.push(timed(work::submit(engine, 1, 1)).await?.0);
        let (time, assigned) = timed(worker.claim(1)).await?;
        anyhow::ensure!(assigned.len() == 1, "a claim gave {} jobs", assigned.len());
        claims.push(time);
        finishes.push(timed(worker.finish(&assigned)).await?.0);
    }
    let mut syncs = Vec::new();
    for _ in 0..calls {
        syncs.push(timed(worker.claim(0)).await?.0);
    }
    let all = JobFilter::default();
    let waiting = JobFilter {
        state: Some(domain::job::StateName::Ready),
        ..JobFilter::default()
    };
    let mut times = vec![
        submits,
        claims,
        finishes,
        syncs,
        repeated(calls, async || Ok(engine.sweep().await.map(drop)?)).await?,
        repeated(calls, async || {
            Ok(engine.jobs(&tenant, &all, None, PAGE).await.map(drop)?)
        })
        .await?,
        repeated(calls, async || {
            Ok(engine.jobs(&tenant, &waiting, None, PAGE).await.map(drop)?)
        })
        .await?,
        repeated(calls, async || Ok(engine.explain(&tenant, ready).await.map(drop)?)).await?,
    ];
    times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    Ok(times)
}

/// How many milliseconds each of `calls` calls took, or of those for which the patience lasts.
async fn repeated(calls: usize, call: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < calls && (times.is_empty() || begun.elapsed() < PATIENCE) {
        times.push(timed(call()).await?.0);
    }
    Ok(times)
}

/// How many milliseconds it took, and what it gave.
async fn timed<T>(call: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<(f64, T)> {
    let begun = Instant::now();
    let given = call.await.context("a call failed")?;
    Ok((begun.elapsed().as_secs_f64() * 1_000.0, given))
}
