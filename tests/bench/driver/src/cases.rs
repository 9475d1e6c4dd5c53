//! The cases, the same for every contestant.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::stop::Stopper;
use crate::{Call, Case, Figures, Latency, Payload, Peer, Seen, Stop, Way};

/// How many jobs one call of the preparation, and of the steady state, submits.
const LOAD_BATCH: usize = 1_000;

/// How many jobs may wait in the steady state before no more are submitted.
const WAITING_MAX: u64 = 5_000;

/// Into how many parts the steady state is cut.
const PARTS: u32 = 10;

/// How long the steady state runs from its first job before it is measured, at most.
const WARM_UP_MAX: Duration = Duration::from_secs(2);

/// How often it is asked whether something changed where nothing tells of it.
const TICK: Duration = Duration::from_millis(2);

/// How long what has begun may take to be finished.
const FINISH_MAX: Duration = Duration::from_mins(1);

/// Runs one call against a peer.
pub async fn run<P: Peer>(peer: Arc<P>, call: &Call) -> anyhow::Result<Figures> {
    let batches = Way::Batches {
        batch: call.batch,
        workers: call.workers,
    };
    match call.case {
        Case::Setup => {
            peer.set_up().await?;
            Ok(Figures::default())
        }
        Case::Preload => submit_batches(&*peer, call.jobs, LOAD_BATCH).await,
        Case::Submit => submit_singly(&*peer, call.jobs).await,
        Case::SubmitBatch => submit_batches(&*peer, call.jobs, call.batch).await,
        Case::Drain => drain(peer, batches, call).await,
        Case::DrainOne => drain(peer, Way::OneByOne { at_once: call.workers }, call).await,
        Case::Steady => steady(peer, batches, call).await,
        Case::Latency => latency(peer, call).await,
        Case::Claim => claim(&*peer, call.jobs).await,
    }
}

async fn submit_singly(peer: &impl Peer, jobs: u64) -> anyhow::Result<Figures> {
    let mut times = Vec::new();
    let begun = Instant::now();
    for _ in 0..jobs {
        let payload = Payload::timeless();
        let called = Instant::now();
        peer.submit(payload).await?;
        times.push(micros(called.elapsed()));
    }
    Ok(Figures {
        latency: Latency::of(times),
        did: "one client, one job a call".to_owned(),
        ..Figures::of(jobs, begun.elapsed())
    })
}

async fn submit_batches(peer: &impl Peer, jobs: u64, batch: usize) -> anyhow::Result<Figures> {
    let begun = Instant::now();
    let mut left = jobs;
    while left > 0 {
        let size = left.min(batch as u64);
        peer.submit_many(Payload::many(usize::try_from(size)?)).await?;
        left -= size;
    }
    Ok(Figures {
        did: format!("one client, {batch} jobs a call"),
        ..Figures::of(jobs, begun.elapsed())
    })
}

/// Workers that run beside what measures them.
struct Workers {
    seen: Arc<Seen>,
    stopper: Stopper,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Workers {
    fn start<P: Peer>(peer: &Arc<P>, way: Way, wanted: u64) -> Self {
        let seen = Arc::new(Seen::wanting(wanted));
        let (stopper, stop) = Stop::new();
        let (peer, counted) = (Arc::clone(peer), Arc::clone(&seen));
        let task = tokio::spawn(async move { peer.work(way, counted, stop).await });
        Self { seen, stopper, task }
    }

    /// Waits until all wanted jobs have begun, or the time is over; an error if work ended by itself.
    async fn all_begin(&mut self, time: Duration) -> anyhow::Result<bool> {
        tokio::select! {
            reached = timeout(time, self.seen.all()) => Ok(reached.is_ok()),
            ended = &mut self.task => {
                ended??;
                anyhow::bail!("the workers ended before they were asked to");
            }
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stopper.ask();
        timeout(FINISH_MAX, self.task).await??
    }
}

async fn drain<P: Peer>(peer: Arc<P>, way: Way, call: &Call) -> anyhow::Result<Figures> {
    if let Some(why) = peer.skips(way) {
        return Ok(Figures::skipped(why));
    }
    let begun = Instant::now();
    let mut workers = Workers::start(&peer, way, call.jobs);
    let whole = workers.all_begin(call.time()).await?;
    if whole {
        finished(&*peer).await?;
    }
    let (jobs, time) = (workers.seen.count(), begun.elapsed());
    workers.stop().await?;
    ensure!(
        !whole || jobs == call.jobs,
        "{jobs} jobs began, {} were there",
        call.jobs
    );
    let cut = if whole { "" } else { "; cut off by the time" };
    Ok(Figures {
        did: peer.does(way) + cut,
        ..Figures::of(jobs, time)
    })
}

async fn finished(peer: &impl Peer) -> anyhow::Result<()> {
    let asked = Instant::now();
    while peer.any_unfinished().await? {
        ensure!(asked.elapsed() < FINISH_MAX, "what began is not finished");
        sleep(TICK).await;
    }
    Ok(())
}

async fn steady<P: Peer>(peer: Arc<P>, way: Way, call: &Call) -> anyhow::Result<Figures> {
    if let Some(why) = peer.skips(way) {
        return Ok(Figures::skipped(why));
    }
    let mut workers = Workers::start(&peer, way, 1);
    let producer = tokio::spawn(produce(Arc::clone(&peer), Arc::clone(&workers.seen)));
    ensure!(workers.all_begin(FINISH_MAX).await?, "no job ever began");
    sleep(WARM_UP_MAX.min(call.time() / PARTS)).await;
    let (begun, before) = (Instant::now(), workers.seen.count());
    let mut rates = Vec::new();
    let (mut part_begun, mut part_before) = (begun, before);
    for _ in 0..PARTS {
        sleep(call.time() / PARTS).await;
        let (now, count) = (Instant::now(), workers.seen.count());
        rates.extend(Figures::of(count - part_before, now - part_begun).rate());
        (part_begun, part_before) = (now, count);
    }
    let figures = Figures::of(part_before - before, part_begun - begun);
    if producer.is_finished() {
        producer.await??;
    } else {
        producer.abort();
    }
    workers.stop().await?;
    Ok(Figures {
        rates,
        did: format!("one client submits {LOAD_BATCH} a call; {}", peer.does(way)),
        ..figures
    })
}

/// Submits as long as not too many wait, until it is aborted.
async fn produce<P: Peer>(peer: Arc<P>, seen: Arc<Seen>) -> anyhow::Result<()> {
    let mut submitted = 0;
    loop {
        if submitted - seen.count().min(submitted) < WAITING_MAX {
            peer.submit_many(Payload::many(LOAD_BATCH)).await?;
            submitted += LOAD_BATCH as u64;
        } else {
            sleep(TICK).await;
        }
    }
}

async fn latency<P: Peer>(peer: Arc<P>, call: &Call) -> anyhow::Result<Figures> {
    let total = (call.seconds * call.rate).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate times some seconds"
    )]
    let total = total as u64;
    let mut workers = Workers::start(&peer, Way::Prompt, total);
    let begun = Instant::now();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / call.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 0..total {
        ticks.tick().await;
        peer.submit(Payload::now()).await?;
    }
    let time = begun.elapsed();
    let whole = workers.all_begin(FINISH_MAX).await?;
    let mut waits = workers.seen.waits_us();
    workers.stop().await?;
    ensure!(whole, "{} of {total} jobs never began", total - waits.len() as u64);
    // The first tenth warms up connections and plans.
    waits.drain(..waits.len() / 10);
    Ok(Figures {
        latency: Latency::of(waits),
        poll_us: micros(peer.poll()),
        did: peer.does(Way::Prompt),
        ..Figures::of(total, time)
    })
}

async fn claim(peer: &impl Peer, claims: u64) -> anyhow::Result<Figures> {
    let begun = Instant::now();
    let mut times = Vec::new();
    for _ in 0..claims {
        match peer.timed_claim().await? {
            Some(time) => times.push(micros(time)),
            None => return Ok(Figures::skipped("no public call claims one job by itself")),
        }
        // As many are ready at the next claim as at this one.
        peer.submit(Payload::timeless()).await?;
    }
    Ok(Figures {
        latency: Latency::of(times),
        did: "one claim of one job, which is then finished, unmeasured".to_owned(),
        ..Figures::of(claims, begun.elapsed())
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
