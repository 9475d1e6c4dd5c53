//! Hints as SQS brings them at its worst, and schedules as `EventBridge` fires them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use queue::hints::{Hint, Hints};

use crate::{
    holidays::Holidays,
    plan::Mishap,
    scheduler::{Group, Handle},
    server::Servers,
    tally::Mishaps,
};

/// How late a late hint is, in seconds, at most.
const LATE_SECONDS_MAX: u64 = 120;

/// How often dispatch and sweep look by themselves.
const TICK: Duration = Duration::from_mins(1);

/// How often they look on days on which nothing happens: the schedule is a minute there too, but whole days of minutes in
/// which nothing is due show nothing.
const TICK_OFF: Duration = Duration::from_hours(2);

/// The longest a message can be delayed.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// Where hints go in.
pub(crate) struct Mailbox(UnboundedSender<Vec<Hint>>);

impl Mailbox {
    /// A mailbox, and where its hints come out.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Vec<Hint>>) {
        let (sender, receiver) = unbounded();
        (Self(sender), receiver)
    }
}

#[async_trait]
impl Hints for Mailbox {
    async fn wake(&self, hints: &[Hint]) {
        // Nobody reads any more once a run is over.
        let _ = self.0.unbounded_send(hints.to_vec());
    }
}

/// Brings hints to the servers, as well or as badly as `mishaps` will.
pub(crate) async fn deliver(
    mut hints: UnboundedReceiver<Vec<Hint>>,
    handle: Handle,
    servers: Arc<Servers>,
    mishaps: Arc<Mishaps>,
) {
    while let Some(batch) = hints.next().await {
        for hint in batch {
            if mishaps.happens(Mishap::HintLost) {
                continue;
            }
            let copies = 1 + usize::from(mishaps.happens(Mishap::HintDoubled));
            for _ in 0..copies {
                let due = hint.not_before.map_or(Duration::ZERO, |at| at.since(handle.now()));
                let late = if mishaps.happens(Mishap::HintDelayed) {
                    handle.seconds(1..LATE_SECONDS_MAX)
                } else {
                    Duration::ZERO
                };
                bring(hint.clone(), due.min(DELAY_MAX) + late, &handle, &servers);
            }
        }
    }
}

fn bring(hint: Hint, after: Duration, handle: &Handle, servers: &Arc<Servers>) {
    let (servers, waiting) = (Arc::clone(servers), handle.clone());
    handle.spawn(Group::WORLD, || "hint".to_owned(), async move {
        if after > Duration::ZERO {
            waiting.sleep(after).await;
        }
        let is_timer = hint.not_before.is_some();
        let (tenant, queue) = (hint.tenant, hint.queue);
        drop(servers.begin(&|| format!("hint {queue}"), &|engine| {
            let (tenant, queue) = (tenant.clone(), queue.clone());
            Box::pin(async move {
                // As the function does it; what fails is left to the schedule.
                if is_timer && engine.sweep().await.is_err() {
                    return;
                }
                let _ = engine.dispatch_queue(&tenant, &queue).await;
            })
        }));
    });
}

/// Fires dispatch and sweep each minute, without waiting for them; while the fleet is off, once in a while.
pub(crate) async fn tick(handle: Handle, servers: Arc<Servers>, mishaps: Arc<Mishaps>, holidays: Arc<Holidays>) {
    loop {
        let off = holidays.left(handle.now());
        handle.sleep(if off > TICK { off.min(TICK_OFF) } else { TICK }).await;
        if mishaps.happens(Mishap::TickMissed) {
            continue;
        }
        let copies = 1 + usize::from(mishaps.happens(Mishap::TickDoubled));
        for _ in 0..copies {
            fire(&servers);
        }
    }
}

/// Has the servers sweep and dispatch once.
pub(crate) fn fire(servers: &Servers) {
    drop(servers.begin(&|| "sweep".to_owned(), &|engine| {
        Box::pin(async move {
            let _ = engine.sweep().await;
        })
    }));
    drop(servers.begin(&|| "dispatch".to_owned(), &|engine| {
        Box::pin(async move {
            let _ = engine.dispatch().await;
        })
    }));
}
