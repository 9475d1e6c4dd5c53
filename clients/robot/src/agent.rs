//! The robot's one loop: keeps the session, syncs, and carries out what the book decides.

mod leaving;
mod session;

use std::collections::HashMap;
use std::time::Instant;

use remuda_client::Retry;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

use crate::book::{Book, Order};
use crate::calls::{Call, Reply};
use crate::job::{self, Tools};
use crate::outbox::Entry;
use crate::protocol::{Assignment, Finish, JobKey, Lease};
use crate::report::application;
use crate::shutdown::{Shutdown, Wish};
use crate::stopper::StopOrder;
use crate::{Ended, RunError};

/// How many kept reports are listed to the server, which takes no longer lists; all are sent.
const NOTED_MAX: usize = 100;

/// What attempts tell the agent.
#[derive(Debug)]
pub(crate) enum Event {
    /// The work is over, and its report is on its way.
    Reporting(JobKey),
    /// The work was stopped for its run timeout.
    Overran(JobKey),
    /// Nothing is left to do about the attempt.
    Over(JobKey),
}

pub(crate) struct Agent {
    tools: Tools,
    book: Book,
    events: mpsc::UnboundedReceiver<Event>,
    workers: JoinSet<()>,
    /// Whose worker it is, for those that die.
    keys: HashMap<Id, JobKey>,
    /// How to stop what runs; an attempt is in here exactly as long as it may have a process.
    running: HashMap<JobKey, mpsc::UnboundedSender<StopOrder>>,
    session: Option<Session>,
    reopens: u32,
    next_call: Instant,
    /// Something happened that the next sync should tell without delay.
    sync_soon: bool,
    leaving: Option<Leaving>,
    rotation_told: bool,
}

struct Session {
    epoch: u64,
    seq: u64,
    /// A try of ours may have been lost on the way, and may still open a session that supersedes this one.
    doubtful: bool,
}

/// A robot on its way out.
struct Leaving {
    /// Since when nothing has run.
    quiet_since: Instant,
    /// The sync under way tells the server that this robot drains.
    telling: bool,
    told: bool,
}

impl Agent {
    pub(crate) fn new(tools: Tools, events: mpsc::UnboundedReceiver<Event>) -> Agent {
        Agent {
            book: Book::new(tools.settings.max_jobs),
            tools,
            events,
            workers: JoinSet::new(),
            keys: HashMap::new(),
            running: HashMap::new(),
            session: None,
            reopens: 0,
            next_call: Instant::now(),
            sync_soon: false,
            leaving: None,
            rotation_told: false,
        }
    }

    /// Works until told to end, or until the server has no more use for this robot.
    pub(crate) async fn live(mut self, kept: Vec<Entry>, mut shutdown: Shutdown) -> Result<Ended, RunError> {
        for (place, entry) in kept.into_iter().enumerate() {
            if place < NOTED_MAX {
                self.book.note_unreported(entry.lease(), Instant::now());
            }
            let tools = self.tools.clone();
            self.spawn(entry.lease().key, async move { tools.deliver(entry).await });
        }
        let mut call: Option<Call> = None;
        while !self.may_leave() {
            let leave_by = self.leave_by();
            tokio::select! {
                // Leases first: after a pause of this process nothing may go on under one that has run out.
                biased;
                () = until(self.book.next_due()) => {
                    let orders = self.book.pass(Instant::now());
                    self.carry_out(orders);
                }
                wish = shutdown.changed() => match wish {
                    Wish::Work => {}
                    Wish::Drain => self.leave(),
                    Wish::Stop => return Ok(self.stop_at_once().await),
                },
                Some(event) = self.events.recv() => self.hear(event),
                Some(ended) = self.workers.join_next_with_id() => self.reap(ended),
                reply = answer_of(&mut call), if call.is_some() => {
                    call = None;
                    if let Err(error) = self.answered(reply) {
                        self.stop_work(StopOrder::Abandon).await;
                        return Err(error);
                    }
                }
                () = until(Some(self.next_call)), if call.is_none() => call = Some(self.call()),
                () = until(leave_by) => {}
            }
        }
        if !self.book.is_empty() {
            warn!("The server could not be told everything: what is left is kept and told at the next start");
        }
        Ok(Ended::Drained)
    }

    fn carry_out(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Start(assignment) => self.start(*assignment),
                Order::Cancel { key, grace } => {
                    info!(job.id = %key.job_id, "Cancelling {key}");
                    self.order(
                        &key,
                        StopOrder::Cancel(grace.unwrap_or(self.tools.settings.cancel_grace)),
                    );
                }
                Order::Abandon { key } => {
                    warn!(job.id = %key.job_id, "The lease of {key} is lost: stopping its work");
                    self.order(&key, StopOrder::Abandon);
                }
                Order::ReportCancelled { lease } => self.report(&lease, Finish::cancelled(&lease.lease_token)),
                Order::ReportOverrun { lease } => {
                    let error = application("run_timeout", "the robot stopped the command at the job's run timeout");
                    self.report(&lease, Finish::failed(&lease.lease_token, error));
                }
                Order::Release { lease } => self.release(lease),
                Order::NewSession => {
                    self.session = None;
                    self.sync_at_once();
                }
            }
        }
    }

    fn start(&mut self, assignment: Assignment) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let key = assignment.key();
        self.running.insert(key.clone(), sender);
        self.spawn(key, job::work(self.tools.clone(), assignment, receiver));
    }

    fn order(&self, key: &JobKey, order: StopOrder) {
        if let Some(orders) = self.running.get(key) {
            // One that has just ended hears no more, and tells us so itself.
            let _ = orders.send(order);
        }
    }

    fn report(&mut self, lease: &Lease, finish: Finish) {
        let (tools, entry) = (self.tools.clone(), Entry::new(lease.key.clone(), finish));
        self.spawn(lease.key.clone(), async move { tools.report(entry).await });
    }

    fn release(&mut self, lease: Lease) {
        info!(job.id = %lease.key.job_id, "Giving back {}, unstarted", lease.key);
        let server = self.tools.server.clone();
        self.spawn(lease.key.clone(), async move {
            if let Err(error) = Retry::default().run(|| server.release(&lease)).await {
                warn!(job.id = %lease.key.job_id, "Cannot give back {}: {error}; it comes free with its lease", lease.key);
            }
        });
    }

    fn spawn(&mut self, key: JobKey, work: impl Future<Output = ()> + Send + 'static) {
        let worker = self.workers.spawn(work);
        self.keys.insert(worker.id(), key);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Reporting(key) => {
                self.book.reporting(&key);
                self.stopped(&key);
            }
            Event::Overran(key) => {
                self.book.overran(&key, Instant::now());
                self.stopped(&key);
                self.sync_at_once();
            }
            Event::Over(key) => {
                let order = self.book.forget(&key);
                self.stopped(&key);
                self.carry_out(order.into_iter().collect());
                self.sync_at_once();
            }
        }
    }

    fn stopped(&mut self, key: &JobKey) {
        if self.running.remove(key).is_some()
            && let Some(leaving) = &mut self.leaving
        {
            leaving.quiet_since = Instant::now();
        }
    }

    /// A worker that died of a defect must not hold a slot for ever; its lease runs out and the job goes on elsewhere.
    fn reap(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let key = self.keys.remove(&id);
        if let (Err(error), Some(key)) = (ended, key) {
            error!(job.id = %key.job_id, "The robot's work on {key} died: {error}");
            self.hear(Event::Over(key));
        }
    }

    fn sync_at_once(&mut self) {
        self.sync_soon = true;
        self.next_call = Instant::now();
    }
}

/// The reply to the call under way.
async fn answer_of(call: &mut Option<Call>) -> Reply {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}

/// Waits for the moment; for ever, if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
