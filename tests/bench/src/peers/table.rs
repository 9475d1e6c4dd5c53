//! The report as tables.

use std::fmt::Write as _;

use comfy_table::Table;

use super::contestant::{Fence, Keeps};
use super::report::{Report, Standing, Taking};
use crate::figures::Spread;

const MICROS_A_MILLI: f64 = 1_000.0;

/// The whole report as text: a table of who takes part, then one a measurement.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    let settings = report.postgres.iter().map(|it| format!("{} {}", it.name, it.value));
    let settings: Vec<String> = settings.collect();
    let (cores, system) = (report.machine.cores, report.machine.system);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{cores} cores, {system}; rounds: {}; {}",
        report.rounds,
        settings.join(", ")
    );
    let _ = writeln!(text, "{}", contestants(report));
    let mut measured: Vec<&str> = report.results.iter().map(|it| it.measurement.as_str()).collect();
    measured.dedup();
    for name in measured {
        let standings: Vec<&Standing> = report.results.iter().filter(|it| it.measurement == name).collect();
        let _ = writeln!(text, "\n{name}\n{}", measurement(&standings));
        for standing in standings {
            let told = standing.without.as_ref().unwrap_or(&standing.did);
            let _ = writeln!(text, "  {}: {told}", standing.contestant);
        }
    }
    text
}

fn contestants(report: &Report) -> Table {
    let mut table = new(&["contestant", "version", "finished jobs", "a finish names", ""]);
    for taking in &report.contestants {
        let Taking {
            name, version, missing, ..
        } = taking;
        table.add_row([
            (*name).to_owned(),
            version.unwrap_or_default().to_owned(),
            keeps(taking.keeps).to_owned(),
            fence(taking.fence).to_owned(),
            missing
                .as_ref()
                .map(|why| format!("missing: {why}"))
                .unwrap_or_default(),
        ]);
    }
    table
}

fn measurement(standings: &[&Standing]) -> Table {
    let mut table = new(&[
        "contestant",
        "jobs/s",
        "spread",
        "p50 ms",
        "p99 ms",
        "× best peer that keeps",
        "× raw",
        "WAL bytes a job",
        "rows died a job",
        "dead at the end",
        "",
    ]);
    for it in standings {
        let of_time = it.group.is_of_time();
        let spread = it.figure().map(|it| if of_time { millis(it) } else { it });
        let digits = if of_time { 2 } else { 0 };
        table.add_row([
            it.contestant.to_owned(),
            median(it.rate, 0),
            spread
                .map(|it| format!("{:.digits$}–{:.digits$}", it.min, it.max))
                .unwrap_or_default(),
            median(it.p50_us.map(millis), 2),
            median(it.p99_us.map(millis), 2),
            plain(it.of_best_keeping_peer, 2),
            plain(it.of_raw, 2),
            plain(it.wal_bytes_per_job, 0),
            plain(it.rows_died_per_job, 2),
            plain(it.rows_dead_at_end, 0),
            remark(it),
        ]);
    }
    table
}

/// What only some measurements have.
fn remark(standing: &Standing) -> String {
    let of_steady = standing.of_steady.map(|it| format!("at the end × {it:.2} of steady"));
    let of_least = standing
        .of_least_backlog
        .map(|it| format!("p99 × {it:.2} of the first backlog"));
    let polls = (standing.poll_us > 0).then(|| format!("polls each {} µs", standing.poll_us));
    of_steady.or(of_least).or(polls).unwrap_or_default()
}

fn millis(spread: Spread) -> Spread {
    Spread {
        min: spread.min / MICROS_A_MILLI,
        median: spread.median / MICROS_A_MILLI,
        max: spread.max / MICROS_A_MILLI,
    }
}

fn median(spread: Option<Spread>, digits: usize) -> String {
    plain(spread.map(|it| it.median), digits)
}

fn plain(figure: Option<f64>, digits: usize) -> String {
    figure.map(|it| format!("{it:.digits$}")).unwrap_or_default()
}

fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_header(header.to_vec());
    table
}

const fn keeps(keeps: Keeps) -> &'static str {
    match keeps {
        Keeps::Job => "stay",
        Keeps::Line => "leave a line",
        Keeps::Nothing => "go",
    }
}

const fn fence(fence: Fence) -> &'static str {
    match fence {
        Fence::Attempt => "the attempt",
        Fence::Worker => "the worker",
        Fence::None => "the job",
    }
}
