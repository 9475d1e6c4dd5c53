//! Real chaos, short: enough for nearly every kind of fault once.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chaos::{Outcome, Programs, Settings, StoreKind};

/// Names a folder in which somebody has just built all programs.
const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// For how long faults are put in; the last one still takes its time.
const SPAN: Duration = Duration::from_secs(24);
const ROBOTS: usize = 4;
const SEED: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_on_sqlite() {
    holds_on(StoreKind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_on_postgres() {
    holds_on(StoreKind::Postgres).await;
}

async fn holds_on(store: StoreKind) {
    let settings = Settings {
        store,
        span: SPAN,
        seed: SEED,
        robots: ROBOTS,
        history: None,
        programs: programs(),
    };
    let Outcome { report, kept } = chaos::run(&settings).await.expect("the run is carried through");
    println!("{report}");
    assert!(report.is_sound(), "{report}\neverything is kept in {kept:?}");
    // Not because nothing happened. Whether a robot at work was hit is a matter of chance.
    assert!(report.faults.len() >= 4, "{report}");
    let succeeded = report.endings.get("succeeded").copied().unwrap_or_default();
    assert!(succeeded > 20 && report.effects >= succeeded, "{report}");
}

fn programs() -> Programs {
    let work = PathBuf::from(env!("CARGO_BIN_EXE_chaos-work"));
    let folder = match env::var_os(PROGRAMS) {
        Some(folder) => folder.into(),
        None => built(&work),
    };
    Programs {
        work,
        ..Programs::in_folder(&folder).expect("they are built")
    }
}

/// Builds what this package does not build itself, into the folder where that is.
fn built(work: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let build = [
        "build",
        "--quiet",
        "--package",
        "remuda",
        "--package",
        "remuda-robot",
        "--bins",
    ];
    let status = servers::cargo(&root).args(build).status().expect("cargo runs");
    assert!(status.success(), "the programs are built");
    work.parent().expect("a program lies in a folder").to_owned()
}
