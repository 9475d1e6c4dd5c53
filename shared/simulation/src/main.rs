//! Runs seeds of the simulation, says what was tried, and makes a failing one small.

mod report;

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use simulation::{
    plan::{Plan, Trouble},
    run::{self, Outcome},
    shrink::shrink,
};

use self::report::Report;

/// How many failing seeds are told of before the rest is left.
const FAILURES_MAX: usize = 5;

/// Simulates tenants, servers and fleets by a virtual clock while things go wrong, and holds every write against the rules.
#[derive(Parser)]
#[command(name = "simulation", version)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    start: u64,
    /// How many run at a time; each has a thread.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Run this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens in it, a line each.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Leave a failing seed as it is.
    #[arg(long)]
    no_shrink: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: PlanArguments,
}

/// What a plan has otherwise than its seed says, as a failing seed prints it.
#[derive(clap::Args)]
#[group(requires = "seed")]
struct PlanArguments {
    /// How many jobs each client submits.
    #[arg(long, requires = "seed")]
    jobs: Option<u64>,
    /// How many robots each tenant has.
    #[arg(long, requires = "seed")]
    robots: Option<u64>,
    /// How many tenants there are.
    #[arg(long, requires = "seed")]
    tenants: Option<u64>,
    /// How many queues each tenant uses.
    #[arg(long, requires = "seed")]
    queues: Option<u64>,
    /// How many processes the server has.
    #[arg(long, requires = "seed")]
    servers: Option<u64>,
    /// For how long things go wrong.
    #[arg(long, requires = "seed")]
    busy_minutes: Option<u64>,
    /// How often the fleet is off for days.
    #[arg(long, requires = "seed")]
    holidays: Option<u64>,
    /// What goes wrong, by name, or `none`.
    #[arg(long, requires = "seed", value_delimiter = ',', value_parser = trouble)]
    troubles: Option<Vec<Option<Trouble>>>,
}

fn trouble(name: &str) -> Result<Option<Trouble>, String> {
    if name == "none" {
        return Ok(None);
    }
    let names = || Trouble::all().map(Trouble::name).collect::<Vec<_>>().join(", ");
    Trouble::parse(name)
        .map(Some)
        .ok_or_else(|| format!("there is no such trouble; there are {}", names()))
}

impl PlanArguments {
    fn apply(self, mut plan: Plan) -> Plan {
        plan.jobs = self.jobs.unwrap_or(plan.jobs);
        plan.robots = self.robots.unwrap_or(plan.robots).max(1);
        plan.tenants = self.tenants.unwrap_or(plan.tenants).max(1);
        plan.queues = self.queues.unwrap_or(plan.queues).max(1);
        plan.servers = self.servers.unwrap_or(plan.servers).max(1);
        plan.busy_minutes = self.busy_minutes.unwrap_or(plan.busy_minutes).max(1);
        plan.holidays = self.holidays.unwrap_or(plan.holidays);
        plan.troubles = self
            .troubles
            .map_or(plan.troubles, |troubles| troubles.into_iter().flatten().collect());
        plan
    }
}

fn main() -> ExitCode {
    // A panic in a run is a violation that is told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(arguments, seed),
        None => many(&arguments),
    }
}

fn one(arguments: Arguments, seed: u64) -> ExitCode {
    let plan = arguments.plan.apply(Plan::of(seed));
    let begun_at = Instant::now();
    let outcome = run::run(&plan, arguments.trace);
    outcome.trace.iter().for_each(|line| println!("{line}"));
    let failed = !outcome.violations.is_empty();
    if failed {
        tell_failure(&plan, &outcome, arguments.no_shrink);
    }
    let report = Report::of([outcome], begun_at.elapsed());
    print!("{}", report.printed(arguments.json));
    ExitCode::from(u8::from(failed))
}

fn many(arguments: &Arguments) -> ExitCode {
    let begun_at = Instant::now();
    let bar = bar(arguments.seeds);
    let report = Mutex::new(Report::default());
    let failing: Mutex<BTreeMap<u64, Outcome>> = Mutex::default();
    let next = AtomicU64::new(arguments.start);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.start + arguments.seeds {
                        return;
                    }
                    let outcome = run::run(&Plan::of(seed), false);
                    if !outcome.violations.is_empty() {
                        let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
                        failing.insert(seed, outcome.clone());
                        if failing.len() >= FAILURES_MAX {
                            next.store(arguments.start + arguments.seeds, Ordering::Relaxed);
                        }
                    }
                    report.lock().unwrap_or_else(PoisonError::into_inner).add(outcome);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let failing = failing.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (place, (seed, outcome)) in failing.iter().enumerate() {
        // Making one small takes a while; the first is enough to begin with.
        tell_failure(&Plan::of(*seed), outcome, arguments.no_shrink || place > 0);
    }
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.took(begun_at.elapsed());
    print!("{}", report.printed(arguments.json));
    ExitCode::from(u8::from(!failing.is_empty()))
}

fn bar(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    let bar = ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn tell_failure(plan: &Plan, outcome: &Outcome, as_it_is: bool) {
    eprintln!("seed {} failed:", plan.seed);
    outcome
        .violations
        .iter()
        .for_each(|violation| eprintln!("  {violation}"));
    if as_it_is {
        return;
    }
    let bar = ProgressBar::new_spinner();
    let small = shrink(plan, |candidate| {
        bar.set_message(format!("making it smaller: {candidate}"));
        bar.tick();
    });
    bar.finish_and_clear();
    let again = run::run(&small, false);
    eprintln!("the smallest plan that fails so:");
    again.violations.iter().for_each(|violation| eprintln!("  {violation}"));
    eprintln!("see it happen: cargo run --release -p simulation -- {small} --trace");
}
