//! How long a release build of each function takes, and how large it is.

use std::{path::Path, process::Command, time::Instant};

use anyhow::Context;

use crate::figures::Report;

const FUNCTIONS: [&str; 5] = ["submit", "dispatch", "timeout-sweep", "robot-callback", "control"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to build; a folder that is empty at first gives the time of a build from nothing
    #[arg(long, default_value = "target/bench-functions")]
    target_dir: String,
}

pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Release builds, one after the other in one folder",
        &["function", "build s", "size MB"],
    );
    for function in FUNCTIONS {
        let begun = Instant::now();
        let status = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
            .args([
                "build",
                "--release",
                "--quiet",
                "--package",
                function,
                "--target-dir",
                &options.target_dir,
            ])
            .status()
            .context("cannot start cargo")?;
        anyhow::ensure!(status.success(), "cargo build of {function} failed");
        let seconds = begun.elapsed().as_secs_f64();
        let binary = Path::new(&options.target_dir).join("release").join(function);
        let bytes = std::fs::metadata(&binary)
            .with_context(|| format!("there is no {}", binary.display()))?
            .len();
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let megabytes = bytes as f64 / 1e6;
        report.row(vec![
            function.to_owned(),
            format!("{seconds:.0}"),
            format!("{megabytes:.2}"),
        ]);
    }
    Ok(report)
}
