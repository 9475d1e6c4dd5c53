//! Submitters: they order jobs one by one and in bulk, note what they were told, and ask again under the same key, at the next
//! server, when they were told nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use remuda_client::{CallError, Client, Method};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::{BulkAnswer, BulkResult, Told};
use crate::order::Order;
use crate::record::Event;
use crate::stage::Stage;

/// How many submit at the same time.
const SUBMITTERS: u64 = 4;

/// How long one waits for an answer before it asks the next server.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often one asks for the same thing, and how long it waits before it asks again.
const TRIES_MAX: usize = 200;
const AGAIN_MS: std::ops::Range<u64> = 50..400;

/// How often a submit is a bulk, and of how many.
const BULK_SHARE: f64 = 0.15;
const BULK_ORDERS: std::ops::Range<u64> = 2..12;

/// How long after its acknowledgement a job is cancelled.
const CANCEL_MS: std::ops::Range<u64> = 0..900;

/// All submitters at work.
pub(crate) struct Submitters {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Submitters {
    /// Has them submit so many jobs a second in all, the orders of this seed.
    pub(crate) fn start(stage: &Arc<Stage>, per_second: f64, seed: u64) -> Submitters {
        let (stop, stopped) = watch::channel(false);
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for place in 0..SUBMITTERS {
            let submitter = Submitter {
                stage: stage.clone(),
                next: next.clone(),
                seed,
                // A bulk counts as often as it has orders.
                pause: Duration::from_secs(SUBMITTERS).div_f64(per_second),
                turn: usize::try_from(place).unwrap_or_default(),
                chance: StdRng::seed_from_u64(seed ^ (place + 1)),
                stopped: stopped.clone(),
            };
            tasks.spawn(submitter.work());
        }
        Submitters { stop, tasks }
    }

    /// Has them end what they are at. What no server has answered by then stays unanswered.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a submitter panicked")?;
        }
        Ok(())
    }
}

struct Submitter {
    stage: Arc<Stage>,
    /// The number of the next order, of all submitters.
    next: Arc<AtomicU64>,
    seed: u64,
    /// The mean pause after each order.
    pause: Duration,
    /// Which server it asks.
    turn: usize,
    chance: StdRng,
    stopped: watch::Receiver<bool>,
}

impl Submitter {
    async fn work(mut self) {
        while !self.is_stopped() {
            let count = if self.chance.random_bool(BULK_SHARE) {
                self.chance.random_range(BULK_ORDERS)
            } else {
                1
            };
            let first = self.next.fetch_add(count, Ordering::Relaxed);
            let orders = (first..first + count).map(|number| Order::new(number, self.seed));
            self.bring(orders.collect()).await;
            let share = self.chance.random_range(0.5..1.5);
            self.wait(self.pause.mul_f64(share * bounded(count))).await;
        }
    }

    /// Submits the orders until each was answered; then does with them what else is to be done.
    async fn bring(&mut self, orders: Vec<Order>) {
        for (order, job) in self.submit(orders).await {
            if order.again {
                self.submit(vec![order.clone()]).await;
            }
            if order.cancel {
                let after = self.chance.random_range(CANCEL_MS);
                self.wait(Duration::from_millis(after)).await;
                self.cancel(&order, &job).await;
            }
        }
    }

    /// Submits until each was answered, and gives those that were acknowledged with their jobs' ids.
    async fn submit(&mut self, orders: Vec<Order>) -> Vec<(Order, String)> {
        let (mut open, mut taken) = (orders, Vec::new());
        for _ in 0..TRIES_MAX {
            for order in &open {
                let (order, server) = (order.number, self.place());
                self.stage.record.note(Event::Attempted { order, server });
            }
            let asked = match open.as_slice() {
                [order] => vec![self.ask(order).await],
                orders => self.ask_for_all(orders).await,
            };
            let answered = open.into_iter().zip(asked);
            open = Vec::new();
            for (order, answer) in answered {
                match self.noted(order.number, answer) {
                    Said::Job(job) => taken.push((order, job)),
                    Said::Nothing => open.push(order),
                    Said::No => {}
                }
            }
            if open.is_empty() || self.is_stopped() {
                break;
            }
            self.turn_to_next().await;
        }
        taken
    }

    async fn ask(&self, order: &Order) -> Answer {
        let call = self.client().request(Method::POST, "/v1/jobs");
        let call = call.header("Idempotency-Key", &order.key()).json(&order.body());
        match call.send_answer::<Told>().await {
            Ok(answer) => Answer::Job(answer.body.id, answer.status.as_u16()),
            Err(error) => Answer::from(&error),
        }
    }

    async fn ask_for_all(&self, orders: &[Order]) -> Vec<Answer> {
        let bodies: Vec<Value> = orders.iter().map(Order::bulk_body).collect();
        let asked: Result<BulkAnswer, CallError> =
            self.client().post("/v1/jobs/bulk", &json!({ "jobs": bodies })).await;
        match asked {
            Ok(mut answer) => {
                answer.results.sort_by_key(|result| result.index);
                let mut answers: Vec<Answer> = answer.results.into_iter().map(Answer::from).collect();
                let missing = || Answer::Refused("the bulk's answer leaves it out".to_owned());
                answers.resize_with(orders.len(), missing);
                answers
            }
            Err(error) => orders.iter().map(|_| Answer::from(&error)).collect(),
        }
    }

    /// Notes what was answered, and gives what it means.
    fn noted(&self, order: u64, answer: Answer) -> Said {
        let (event, said) = match answer {
            Answer::Job(job, status) => {
                let said = Said::Job(job.clone());
                (Event::Acknowledged { order, job, status }, said)
            }
            Answer::Unanswered(why) => (Event::Unanswered { order, why }, Said::Nothing),
            Answer::Refused(why) => (Event::Refused { order, why }, Said::No),
        };
        self.stage.record.note(event);
        said
    }

    /// Cancels the job; notes what it then is, unless it is over or nobody says.
    async fn cancel(&mut self, order: &Order, job: &str) {
        let path = format!("/v1/jobs/{}/cancel", remuda_client::segment(job));
        for _ in 0..TRIES_MAX {
            let asked: Result<Told, CallError> = self.client().post(&path, &json!({})).await;
            match asked {
                Ok(Told { state, .. }) => {
                    let order = order.number;
                    return self.stage.record.note(Event::Cancelled { order, state });
                }
                Err(error) if error.is_transient() && !self.is_stopped() => self.turn_to_next().await,
                Err(error) if error.is_transient() || error.code() == Some("job_finished") => return,
                Err(error) => {
                    let (order, why) = (order.number, format!("cancel: {error}"));
                    return self.stage.record.note(Event::Refused { order, why });
                }
            }
        }
    }

    fn place(&self) -> usize {
        self.turn % self.stage.cluster.clients.len()
    }

    fn client(&self) -> Client {
        self.stage.cluster.clients[self.place()].with_timeout(PATIENCE)
    }

    /// Turns to the next server, after a moment.
    async fn turn_to_next(&mut self) {
        self.turn += 1;
        let wait = self.chance.random_range(AGAIN_MS);
        self.wait(Duration::from_millis(wait)).await;
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits, but no longer than until it is told to stop.
    async fn wait(&self, time: Duration) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = sleep(time) => {}
            // An error says that nobody is left who would tell.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// What came back for one order.
enum Answer {
    Job(String, u16),
    Unanswered(String),
    Refused(String),
}

/// What an answer means for what is to be done next.
enum Said {
    Job(String),
    Nothing,
    No,
}

impl From<&CallError> for Answer {
    fn from(error: &CallError) -> Answer {
        if error.is_transient() {
            Answer::Unanswered(error.to_string())
        } else {
            Answer::Refused(error.to_string())
        }
    }
}

impl From<BulkResult> for Answer {
    fn from(result: BulkResult) -> Answer {
        let why = || format!("{} {}", result.status, result.error.clone().unwrap_or_default());
        match (result.status, &result.id) {
            (200 | 201, Some(id)) => Answer::Job(id.clone(), result.status),
            (429 | 502..=504, _) => Answer::Unanswered(why()),
            _ => Answer::Refused(why()),
        }
    }
}

/// So many, as a factor.
fn bounded(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
