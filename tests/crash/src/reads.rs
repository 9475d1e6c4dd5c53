//! Every operation that only reads, called once on a store with something to read.

use domain::job::StateName;
use futures::future::LocalBoxFuture;
use queue::{JobFilter, Refusal};
use queue_conformance::kit::Kit;

use crate::scenario::Before;

/// A call of an operation that reads.
type Read = for<'a> fn(&'a Kit, &'a Before) -> LocalBoxFuture<'a, Result<(), Refusal>>;

/// How much a page shows.
const PAGE: usize = 10;

macro_rules! reads {
    ($($operation:literal: |$kit:ident, $before:ident| $call:expr;)*) => {
        /// Their names, each with a call.
        pub const ALL: &[(&str, Read)] = &[
            $(($operation, |$kit, $before| Box::pin(async move {
                let _ = $before;
                $call.await?;
                Ok(())
            }))),*
        ];
    };
}

reads! {
    "job": |kit, before| kit.engine.job(&kit.tenant, before.jobs[0].id);
    "jobs": |kit, before| kit.engine.jobs(&kit.tenant, &JobFilter { state: Some(StateName::Running), ..JobFilter::default() }, None, PAGE);
    "history": |kit, before| kit.engine.history(&kit.tenant, before.jobs[0].id);
    "explain": |kit, before| kit.engine.explain(&kit.tenant, before.jobs[0].id);
    "log_length": |kit, before| kit.engine.log_length(&kit.tenant, before.jobs[0].id, None);
    "log_chunks": |kit, before| kit.engine.log_chunks(&kit.tenant, before.jobs[0].id, 1, 0, 1);
    "dead_letters": |kit, before| kit.engine.dead_letters(&kit.tenant, None, PAGE);
    "robot": |kit, before| kit.engine.robot(&kit.tenant, &before.robots[0].id);
    "robots": |kit, before| kit.engine.robots(&kit.tenant, None, PAGE);
    "queues": |kit, before| kit.engine.queues(&kit.tenant, None, PAGE);
    "find_key": |kit, before| kit.engine.find_key(&before.robots[0].key);
    "keys": |kit, before| kit.engine.keys(&kit.tenant, None, PAGE);
    "stats": |kit, before| kit.engine.stats(&kit.tenant);
    "depth": |kit, before| kit.engine.depth(1_000);
    "robots_online": |kit, before| kit.engine.robots_online();
    "oldest_ready_seconds": |kit, before| kit.engine.oldest_ready_seconds();
    "ping": |kit, before| kit.engine.ping();
}
