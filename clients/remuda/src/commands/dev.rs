//! `remuda dev`: all functions in one process behind one port.
//!
//! It serves the same routers as the Lambda functions and ticks the same dispatch and sweep, so that what works here is
//! what is deployed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use app::{App, OpenStore, telemetry};
use axum::Router;
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::admin_key;
use crate::cli::Global;
use crate::failure::Failure;
use crate::local::{StoreOption, block_on, of_store};
use crate::output::Output;

/// How often dispatch and sweep run.
const TICK: Duration = Duration::from_secs(1);

/// How long requests that are under way may take once the server is told to stop.
const STOP_MAX: Duration = Duration::from_secs(10);

/// How and where to serve.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    store: StoreOption,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Write the admin key to this file, which only you can read; a new key is made where the file is not there yet
    #[arg(long, value_name = "PATH")]
    admin_key_file: Option<PathBuf>,
}

/// Serves until it is told to stop.
pub(crate) fn run(dev: &Dev, global: &Global) -> Result<(), Failure> {
    let output = Output::of_this_process(global.json, global.quiet);
    block_on(serve(dev, output))
}

async fn serve(dev: &Dev, output: Output) -> Result<(), Failure> {
    let settings = dev.store.settings()?;
    telemetry::start(&settings);
    let (store, app) = dev.store.open().await?;
    for step in store.migrate().await.map_err(of_store)? {
        info!("Applied migration {step}");
    }
    let listener = listen(dev).await?;
    if let Some(key) = admin_key::make_if_wanted(&app, dev.admin_key_file.as_deref()).await? {
        output.line(&format!("admin key: {}", key.reveal()))?;
    }
    let address = listener.local_addr().map_err(cannot("tell the address"))?;
    let (stop, stopping) = watch::channel(());
    let ticking = tick(app.clone(), stopping.clone());
    let serving = tokio::spawn({
        let server = axum::serve(listener, router(&app)).with_graceful_shutdown(told_to_stop(stopping));
        async move { server.await }
    });
    output.line(&format!("listening on http://{address}"))?;
    wait_for_signal().await?;
    info!("Stopping");
    // Both ends see the channel close.
    drop(stop);
    if tokio::time::timeout(STOP_MAX, serving).await.is_err() {
        warn!("Requests that took longer than {STOP_MAX:?} were cut off");
    }
    let _ = ticking.await;
    close(&store).await;
    Ok(())
}

/// The routes of all functions, as each of them serves its own.
fn router(app: &App) -> Router {
    let (submit, _) = submit::router(app.clone());
    let (callback, _) = robot_callback::router(app.clone());
    let (control, _) = control::router(app.clone());
    app::http::finish(submit.merge(callback).merge(control), app)
}

async fn listen(dev: &Dev) -> Result<TcpListener, Failure> {
    TcpListener::bind((dev.host, dev.port)).await.map_err(|source| {
        Failure::Usage(format!(
            "cannot listen on {}:{}: {source}; choose another with --port",
            dev.host, dev.port
        ))
    })
}

/// Runs dispatch and sweep each second until it is told to stop.
fn tick(app: App, mut stopping: watch::Receiver<()>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_well = true;
        loop {
            tokio::select! {
                _ = every.tick() => {}
                _ = stopping.changed() => return,
            }
            let done = async {
                timeout_sweep::handle(&app).await?;
                dispatch::handle(&app, json!({})).await
            };
            match done.await {
                Ok(_) => was_well = true,
                // Said once, not each second.
                Err(error) if was_well => {
                    warn!("Cannot sweep and dispatch: {error}");
                    was_well = false;
                }
                Err(_) => {}
            }
        }
    })
}

async fn told_to_stop(mut stopping: watch::Receiver<()>) {
    // An error says that the sender is gone, which is the sign.
    let _ = stopping.changed().await;
}

/// Waits until this process is told to end.
pub(super) async fn wait_for_signal() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("listen for signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("listen for signals"))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn close(store: &OpenStore) {
    if tokio::time::timeout(STOP_MAX, store.close()).await.is_err() {
        warn!("The store did not close in time; what was answered is kept all the same");
    }
}

fn cannot(task: &'static str) -> impl Fn(std::io::Error) -> Failure {
    move |source| Failure::System { task, source }
}
