//! Every scenario, every point of it, both ways to come back, on one store.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use futures::FutureExt as _;
use queue_conformance::points::{Onward, Point, Points};

use crate::{
    child::{self, Killed},
    place::{Ground, Open, Place},
    recovery::{Return, recover},
    scenario::{Before, Scenario, elapsed, process, through},
    scenarios,
};

/// The chance of the process that fills the store.
const FILLS_SEED: u64 = 1;

/// The chance of the process that makes the call and is not killed.
const DRY_SEED: u64 = 2;

/// What came of the crashes on one store.
pub struct Matrix {
    ground: Ground,
    rows: Vec<Row>,
    took: Duration,
}

/// What came of the crashes of one scenario.
struct Row {
    operation: &'static str,
    points: usize,
    crashes: usize,
    faults: Vec<String>,
}

impl Matrix {
    /// Everything that was not as it had to be, as sentences that name the scenario, the point and the store.
    pub fn faults(&self) -> Vec<&str> {
        self.rows
            .iter()
            .flat_map(|row| &row.faults)
            .map(String::as_str)
            .collect()
    }

    /// How many processes were killed.
    pub fn crashes(&self) -> usize {
        self.rows.iter().map(|row| row.crashes).sum()
    }
}

impl fmt::Display for Matrix {
    /// A line for each operation, then the faults.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_style(ASCII_MARKDOWN)
            .set_header(["operation", "ways to call it", "points", "killed", "came right"]);
        let mut operations: Vec<&str> = self.rows.iter().map(|row| row.operation).collect();
        operations.dedup();
        for operation in operations.iter().chain([&"all"]) {
            let rows = || {
                self.rows
                    .iter()
                    .filter(|row| row.operation == *operation || *operation == "all")
            };
            let sum = |of: fn(&Row) -> usize| rows().map(of).sum::<usize>();
            let wrong = sum(|row| row.faults.len());
            table.add_row([
                (*operation).to_owned(),
                rows().count().to_string(),
                sum(|row| row.points).to_string(),
                sum(|row| row.crashes).to_string(),
                if wrong == 0 {
                    "all".to_owned()
                } else {
                    format!("{wrong} did not")
                },
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{}, in {:.0?}:\n{table}", self.ground.name(), self.took)?;
        self.faults().iter().try_for_each(|fault| writeln!(out, "{fault}"))
    }
}

/// Kills `program` at every point of every scenario whose name `is_wanted`, on `ground`.
pub async fn run(ground: Ground, program: &Path, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<Matrix> {
    let began = Instant::now();
    let mut place = ground.place().await?;
    let mut rows = Vec::new();
    for scenario in scenarios::all().iter().filter(|scenario| is_wanted(&scenario.name())) {
        rows.push(crash_everywhere(&mut *place, ground, program, scenario).await?);
    }
    let took = began.elapsed();
    Ok(Matrix { ground, rows, took })
}

async fn crash_everywhere(
    place: &mut dyn Place,
    ground: Ground,
    program: &Path,
    scenario: &Scenario,
) -> anyhow::Result<Row> {
    let filled = fill(place, scenario).await?;
    let points = points_of(place, scenario, &filled, Onlooker::default()).await?;
    let mut row = Row {
        operation: scenario.operation,
        points: points.len(),
        crashes: 0,
        faults: Vec::new(),
    };
    for point in points {
        for back in Return::ALL {
            let killed = Killed {
                address: place.put_back().await?,
                scenario: scenario.name(),
                point: point.number,
                elapsed_micros: u64::try_from(filled.elapsed.as_micros())?,
            };
            let faults = match child::kill(program, &killed).await? {
                Ok(()) => come_back(&killed.address, scenario, &filled, back).await?,
                Err(fault) => vec![fault],
            };
            row.crashes += 1;
            let told = |fault: String| {
                let (name, store) = (scenario.name(), ground.name());
                format!("{name}, killed at {point}, {back:?}, on {store}: {fault}")
            };
            row.faults.extend(faults.into_iter().map(told));
        }
    }
    Ok(row)
}

/// What a scenario begins with.
pub struct Filled {
    before: Before,
    elapsed: Duration,
}

/// Fills `place` as the scenario has it, and has it remember that.
pub async fn fill(place: &mut dyn Place, scenario: &Scenario) -> anyhow::Result<Filled> {
    let open = Open::at(&place.empty().await?).await?;
    let kit = process(open.store(), FILLS_SEED, Duration::ZERO);
    scenario.prepare(&kit).await;
    let filled = Filled {
        before: Before::of(&kit).await,
        elapsed: elapsed(&kit),
    };
    drop(kit);
    open.close().await;
    place.remember().await?;
    Ok(filled)
}

/// Looks on at each point.
pub type Onlooker = Option<Arc<dyn Fn(&Point) + Send + Sync>>;

/// The points that the scenario passes when nothing happens to it.
pub async fn points_of(
    place: &mut dyn Place,
    scenario: &Scenario,
    filled: &Filled,
    onlooker: Onlooker,
) -> anyhow::Result<Vec<Point>> {
    let open = Open::at(&place.put_back().await?).await?;
    let points = Arc::new(Points::new(open.store(), move |point| {
        if let Some(look) = &onlooker {
            look(point);
        }
        Onward::Goes
    }));
    let kit = through(&process(open.store(), DRY_SEED, filled.elapsed), &points, DRY_SEED);
    scenario.act(&kit, &filled.before).await?;
    open.close().await;
    Ok(points.passed())
}

/// Goes on after a crash; a panic on the way is a fault like any other.
async fn come_back(address: &str, scenario: &Scenario, filled: &Filled, back: Return) -> anyhow::Result<Vec<String>> {
    let open = Open::at(address).await?;
    let recovery = recover(open.store(), scenario, &filled.before, filled.elapsed, back);
    let faults = AssertUnwindSafe(recovery).catch_unwind().await;
    open.close().await;
    Ok(faults.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        vec![said.unwrap_or_default()]
    }))
}
