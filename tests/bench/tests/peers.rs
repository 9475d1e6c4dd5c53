//! The comparison, small: Remuda and SQL by hand, which need nothing to be installed.

use std::process::{Command, Stdio};

use serde_json::Value;

/// Each measurement that a run makes which asks for these backlogs and these batches.
const MEASUREMENTS: [&str; 10] = [
    "submit singly",
    "submit in 1,000s",
    "drain, 1 worker, batches of 100",
    "drain, 2 workers, batches of 100",
    "one by one, 10 at a time",
    "steady state",
    "submit to start",
    "one claim of 100 ready",
    "one claim of 300 ready",
    "with a transaction held open",
];

const SMALL: [&str; 14] = [
    "--rounds",
    "1",
    "--jobs",
    "200",
    "--batches",
    "100",
    "--seconds",
    "0.5",
    "--ready",
    "100,300",
    "--claims",
    "10",
    "--held-minutes",
    "0.01",
];

#[test]
fn a_small_comparison_reports_every_case_of_everybody() {
    let server = servers::shared().expect("Postgres is there");
    let folder = tempfile::tempdir().expect("a folder");
    let chart = folder.path().join("chart.svg");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    bench.args(["peers", "--json", "--only", "raw,remuda"]).args(SMALL);
    bench.args(["--postgres-url", &server.url("postgres")]);
    bench.arg("--svg").arg(&chart);
    let output = bench.stdin(Stdio::null()).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    for contestant in ["raw", "remuda"] {
        for name in MEASUREMENTS {
            check(standing(&report, name, contestant));
        }
    }
    let claims = standing(&report, "one claim of 300 ready", "remuda");
    assert!(claims["of_least_backlog"].as_f64() > Some(0.0), "{claims}");
    let held = standing(&report, "with a transaction held open", "raw");
    assert!(held["of_steady"].is_number(), "{held}");
    let drained = standing(&report, "drain, 2 workers, batches of 100", "remuda");
    assert!(drained["of_raw"].as_f64() > Some(0.0), "{drained}");
    // Two row versions die of each row: when it is claimed and when it is finished.
    let drained = standing(&report, "drain, 1 worker, batches of 100", "raw");
    assert_eq!(drained["rows_died_per_job"].as_f64(), Some(2.0), "{drained}");
    let drawn = std::fs::read_to_string(&chart).expect("the chart is drawn");
    assert!(drawn.contains("submit singly (jobs/s)") && drawn.contains(">remuda</text>"));
}

fn standing<'a>(report: &'a Value, name: &str, contestant: &str) -> &'a Value {
    let results = report["results"].as_array().expect("there are results");
    let found = results
        .iter()
        .find(|it| it["measurement"] == name && it["contestant"] == contestant);
    found.unwrap_or_else(|| panic!("nothing is told of {name} by {contestant}"))
}

/// Every standing has a figure of each round.
fn check(standing: &Value) {
    assert_eq!(standing["without"], Value::Null, "{standing}");
    assert_eq!(standing["rounds"].as_array().map(Vec::len), Some(1), "{standing}");
    let has = |name: &str| standing[name]["median"].is_number();
    assert!(has("rate") || has("p50_us"), "{standing}");
    // Of the steady state, more was written than was counted.
    let all_counted = !["steady", "held"].contains(&standing["group"].as_str().expect("it is of a group"));
    assert_eq!(
        standing["wal_bytes_per_job"].as_f64() > Some(0.0),
        all_counted,
        "{standing}"
    );
}
