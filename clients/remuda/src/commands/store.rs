//! `remuda store`: the schema of a store, and copies of stores.

use app::Migration;
use clap::{Args, Subcommand};
use serde_json::json;

use super::store_copy;
use crate::cli::Global;
use crate::failure::Failure;
use crate::local::{StoreOption, block_on, of_store};
use crate::output::Output;
use crate::render;

/// What can be done about a store.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Bring the schema up to this version; a second time does nothing
    Migrate(Migrate),
    /// Show which store it is, whether it answers, and which migrations it has
    Status(Status),
    /// Copy a whole store into an empty one of any kind, and compare the two
    ///
    /// Stop every server and function that uses the source first, and leave them stopped: what they write during the copy
    /// is not copied, and ends the command with an error as far as it is noticed. Start them on the target once this command
    /// has ended well. Robots and clients go on with the keys, leases and tokens they have.
    ///
    /// The source is only read. The schema of the target is made if it is missing. Stopped in the middle, the same command
    /// goes on where it was: until the end the target holds a marker that says of which source it is a copy, and how far
    /// it has come. A target that holds anything else is refused.
    ///
    /// In the end both sides are read again and compared, by count and checksum of each kind of record with its payloads,
    /// results, logs and checkpoints; a difference is an error that says what differs.
    Copy(store_copy::CopyStore),
}

/// Which store is to be brought up to date.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    store: StoreOption,
    /// Print the SQL of every migration and do nothing
    #[arg(long)]
    print: bool,
}

/// Which store is looked at.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    store: StoreOption,
}

/// Does what was asked about a store.
pub(crate) fn run(command: &Store, global: &Global) -> Result<(), Failure> {
    let output = Output::of_this_process(global.json, global.quiet);
    match command {
        Store::Migrate(migrate) if migrate.print => print(&migrate.store, output),
        Store::Migrate(migrate) => block_on(apply(&migrate.store, output)),
        Store::Status(status) => block_on(show(&status.store, output)),
        Store::Copy(copy) => block_on(store_copy::run(copy, output)),
    }
}

fn print(option: &StoreOption, output: Output) -> Result<(), Failure> {
    for (number, name, sql) in app::migration_sql(&option.settings()?.store) {
        output.line(&format!("-- {number:04} {name}\n{}", sql.trim_end()))?;
    }
    Ok(())
}

async fn apply(option: &StoreOption, output: Output) -> Result<(), Failure> {
    let (store, _) = option.open().await?;
    let applied = store.migrate().await.map_err(of_store)?;
    store.close().await;
    if output.is_json() {
        return output.line(&json!({ "applied": applied }).to_string());
    }
    for step in &applied {
        output.line(&format!("applied {step}"))?;
    }
    if applied.is_empty() {
        output.hint("the store is up to date");
    }
    Ok(())
}

async fn show(option: &StoreOption, output: Output) -> Result<(), Failure> {
    let (store, app) = option.open().await?;
    let migrations = store.migrations().await.map_err(of_store)?;
    let answers = app.engine.ping().await;
    let kind = app.engine.store().name();
    store.close().await;
    let pending = migrations.iter().filter(|step| step.applied_at.is_none()).count();
    let changed = migrations.iter().filter(|step| !step.intact).count();
    if output.is_json() {
        let status = if answers.is_ok() { "healthy" } else { "unavailable" };
        output.line(&json!({ "kind": kind, "status": status, "migrations": migrations }).to_string())?;
    } else {
        output.line(&render::plain_table(
            output.style(),
            &["STORE", "MIGRATION", "APPLIED"],
            migrations.iter().map(|step| step_row(kind, step)),
        ))?;
    }
    match answers {
        _ if changed > 0 => Err(Failure::unsuccessful(
            "a migration was applied with other content than this version has; use the version that applied it",
        )),
        _ if pending > 0 => {
            output.hint(&format!("{pending} migrations are pending: run 'remuda store migrate'"));
            Ok(())
        }
        Err(error) => Err(of_store(error)),
        Ok(()) => Ok(()),
    }
}

fn step_row(kind: &str, step: &Migration) -> Vec<String> {
    let applied = match &step.applied_at {
        Some(at) if step.intact => at.clone(),
        Some(at) => format!("{at}, with other content"),
        None => "pending".to_owned(),
    };
    vec![kind.to_owned(), format!("{:04} {}", step.number, step.name), applied]
}
