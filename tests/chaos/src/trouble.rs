//! Puts the faults of a plan in, each at its moment, and notes when each is over.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fault::{Fault, Kind, Target};
use crate::record::Event;
use crate::stage::{Stage, blocking};
use crate::store::Store;

/// Puts them in, and waits for the last to be over; takes at least `span`.
pub(crate) async fn make(stage: &Arc<Stage>, plan: &[Fault], span: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut under_way = JoinSet::new();
    for fault in plan {
        sleep_until(begun + fault.begins).await;
        under_way.spawn(inflict(stage.clone(), *fault));
    }
    sleep_until(begun + span).await;
    while let Some(over) = under_way.join_next().await {
        over.context("a fault panicked")??;
    }
    Ok(())
}

async fn inflict(stage: Arc<Stage>, fault: Fault) -> anyhow::Result<()> {
    stage.record.note(Event::FaultBegan {
        fault: fault.number,
        kind: fault.kind,
        target: name(&stage, fault.target),
    });
    let hit = act(&stage, fault).await;
    hit.with_context(|| format!("{} {}", fault.kind.name(), name(&stage, fault.target)))?;
    stage.record.note(Event::FaultEnded { fault: fault.number });
    Ok(())
}

async fn act(stage: &Stage, fault: Fault) -> anyhow::Result<()> {
    let post = match fault.target {
        Target::Server(place) => Some(&stage.cluster.posts[place]),
        Target::Robot(place) => Some(&stage.fleet.posts[place]),
        Target::Front | Target::Store | Target::Hints => None,
    };
    match (fault.kind, post) {
        (Kind::ServerKilled | Kind::RobotKilled, Some(post)) => post.kill(fault.lasts).await?,
        (Kind::ServerPaused | Kind::RobotPaused, Some(post)) => post.pause(fault.lasts).await,
        (Kind::StoreStopped, _) => away(stage, fault.lasts, Store::stop, Store::start_again).await?,
        (Kind::StorePaused, _) => away(stage, fault.lasts, Store::pause, Store::resume).await?,
        (Kind::HintsStopped, _) => away(stage, fault.lasts, Store::stop_hints, Store::start_hints_again).await?,
        _ => stage.front.cut(),
    }
    Ok(())
}

/// An order to the store.
type Do = fn(&Store) -> anyhow::Result<()>;

async fn away(stage: &Stage, time: Duration, begin: Do, end: Do) -> anyhow::Result<()> {
    let store = stage.store.clone();
    blocking(move || begin(&store)).await?;
    sleep(time).await;
    let store = stage.store.clone();
    blocking(move || end(&store)).await
}

fn name(stage: &Stage, target: Target) -> String {
    match target {
        Target::Server(place) => stage.cluster.posts[place].name.clone(),
        Target::Robot(place) => stage.fleet.posts[place].name.clone(),
        Target::Front => "front".to_owned(),
        Target::Store => "store".to_owned(),
        Target::Hints => "hints".to_owned(),
    }
}
