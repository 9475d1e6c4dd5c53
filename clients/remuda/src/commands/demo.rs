//! `remuda demo`: the whole of it on this machine, with robots that are killed, and an audit of what became of every job.
//!
//! A server and six robots as processes of their own work on the jobs of a sample; two robots are killed in the middle of
//! a job. What the robots did in the world outside is compared with what the server's histories say.

mod audit;
mod chaos;
mod child;
mod evidence;
mod figures;
mod fleet;
mod folder;
mod guard;
mod report;
mod server;
mod stage;
mod story;
mod submission;
mod view;
mod watch;
mod workload;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{Output, tell};
use stage::Stage;

/// How the demo is to be run.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The store to run on, in a tenant of its own; a temporary file if none is named
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// How many jobs, from 60 to 1000
    #[arg(long, value_name = "N", default_value_t = workload::SAMPLE_JOBS, value_parser = clap::value_parser!(u16).range(60..=1000))]
    jobs: u16,
    /// Keep the folder with the store, the settings and the logs, and say where it is
    #[arg(long)]
    keep: bool,
    /// Choose the order of the jobs and the robots to kill as a run with this seed did
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Runs the demo; fails unless everything held.
pub(crate) fn run(demo: &Demo, global: &Global) -> Result<(), Failure> {
    let output = Output::of_this_process(global.json, global.quiet);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System {
            task: "start the runtime",
            source,
        })?
        .block_on(perform(demo, output))
}

/// Plays, shows the summary, and clears away whatever is left, also after ctrl-c.
async fn perform(demo: &Demo, output: Output) -> Result<(), Failure> {
    let mut stage = Stage::build()?;
    let played = tokio::select! {
        played = stage.play(demo, output) => played,
        told = told_to_end() => Err(told),
    };
    let played = played.map_err(|failure| stage.explain(failure));
    // The summary takes the place of the view.
    stage.close_view();
    let shown = played.and_then(|summary| report::show(&summary, output));
    let broken = shown.as_ref().is_err_and(is_worth_a_look);
    let kept = stage.clear_away(demo.keep || broken).await;
    match (shown, kept) {
        (Err(failure), Some(path)) if broken => Err(Failure::unsuccessful(format!(
            "{failure}\n  the logs are kept in {}",
            path.display()
        ))),
        (shown, Some(path)) => {
            tell(&format!("everything is kept in {}", path.display()));
            shown
        }
        (shown, None) => shown,
    }
}

/// Whether something went wrong that the logs may explain: neither ctrl-c nor a reader that stops early.
fn is_worth_a_look(failure: &Failure) -> bool {
    !matches!(failure, Failure::Interrupted(_) | Failure::Output(_))
}

/// Waits until somebody ends the demo.
async fn told_to_end() -> Failure {
    let heard = async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        Ok(())
    };
    match heard.await {
        Ok(()) => Failure::Interrupted("the demo was stopped before its end".to_owned()),
        Err(source) => Failure::System {
            task: "listen for signals",
            source,
        },
    }
}
