//! `remuda stats`: the tenant at a glance.

use crate::context::Context;
use crate::failure::Failure;
use crate::render;

/// Shows store, robots and queues.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let answer = context.get("/v1/stats", &[]).await?;
    context.show(&answer, |stats, _| render::stats(context.output.style(), &stats))
}
