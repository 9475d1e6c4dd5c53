//! `remuda jobs bulk-cancel` and `bulk-retry`: every job that a filter meets.

use clap::Args;
use serde_json::json;

use crate::answers::BulkChange;
use crate::context::Context;
use crate::failure::Failure;
use crate::filter::JobFilter;
use crate::render::counted;

/// Which jobs, and whether in earnest.
#[derive(Debug, Args)]
pub(crate) struct BulkChangeArgs {
    #[command(flatten)]
    filter: JobFilter,
    /// Only say how many jobs the filter meets
    #[arg(long)]
    dry_run: bool,
}

/// Changes the jobs that the filter meets.
pub(crate) async fn run(change: &BulkChangeArgs, verb: &str, context: &Context) -> Result<(), Failure> {
    let filter = change.filter.to_body();
    if filter.is_empty() {
        return Err(Failure::Usage(format!(
            "{verb} needs a filter, such as --queue or --state; it never takes every job"
        )));
    }
    let body = json!({ "filter": filter, "dry_run": change.dry_run });
    let answer = context.post(&format!("/v1/jobs/{verb}"), &body).await?;
    context.show(&answer, |outcome, _| told(&outcome, change.dry_run))
}

fn told(outcome: &BulkChange, dry_run: bool) -> String {
    let matched = counted(outcome.matched, "job");
    if dry_run {
        format!("{matched} matched, nothing changed")
    } else {
        format!("{matched} matched, {} changed", outcome.changed)
    }
}
