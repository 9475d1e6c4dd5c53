//! What AWS does between the queue, the schedules and the functions.

use std::time::Duration;

use jiff::Timestamp;
use remuda_client::CallError;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::events;
use super::functions::Functions;
use super::queues::{Message, Queues};
use crate::failure::Failure;

/// The functions that schedules tick.
const TICKED: [&str; 2] = ["dispatch", "timeout-sweep"];

/// How long to wait before something that is not there is tried again.
const AWAY: Duration = Duration::from_secs(1);

/// Reads the queue of hints, ticks the schedules, and invokes functions.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) functions: Functions,
    pub(super) queues: Queues,
    /// How often the schedules tick.
    pub(super) tick: Duration,
}

impl Driver {
    /// Waits until all functions answer; they may have to be started, or built. Until then no hint is read: one that finds
    /// nobody would come too often, and go to the dead letters.
    pub(super) async fn wait_for_functions(&self) {
        let mut was_said = false;
        while let Err(error) = self.functions.answer().await {
            if !was_said {
                info!("Waiting for the functions: {error}");
                was_said = true;
            }
            sleep(AWAY).await;
        }
    }

    /// Goes on until it is dropped.
    pub(super) async fn drive(&self) -> Result<(), Failure> {
        tokio::join!(self.read_hints(), self.tick_schedules());
        Ok(())
    }

    async fn read_hints(&self) {
        let mut was_well = true;
        loop {
            match self.queues.receive().await {
                Ok(messages) => {
                    was_well = true;
                    self.hand_over(&messages).await;
                }
                Err(error) => {
                    // Said once, not each second.
                    if was_well {
                        warn!("Cannot read hints: {error}");
                        was_well = false;
                    }
                    sleep(AWAY).await;
                }
            }
        }
    }

    /// Invokes `dispatch` with these messages and deletes what it handled; the others come again.
    async fn hand_over(&self, messages: &[Message]) {
        if messages.is_empty() {
            return;
        }
        let event = events::of_messages(messages, &self.queues.arn);
        let answer = match self.functions.invoke("dispatch", &event).await {
            Ok(answer) => answer,
            Err(error) => return warn!("dispatch failed on {} hints, which come again: {error}", messages.len()),
        };
        let handled = events::handled(messages, &answer);
        let failed = messages.len() - handled.len();
        match self.queues.delete(&handled).await {
            Ok(()) if failed == 0 => info!("dispatch handled {} hints", handled.len()),
            Ok(()) => warn!(
                "dispatch handled {} hints; {failed} failed and come again",
                handled.len()
            ),
            Err(error) => warn!("Cannot delete {} hints, which come again: {error}", handled.len()),
        }
    }

    async fn tick_schedules(&self) {
        let mut every = interval(self.tick);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let [one, other] = TICKED.map(|name| self.invoke_by_schedule(name));
            for (name, done) in TICKED.into_iter().zip(<[_; 2]>::from(tokio::join!(one, other))) {
                match done {
                    Ok(answer) => info!("{name} on schedule: {answer}"),
                    Err(error) => warn!("{name} failed on schedule: {error}"),
                }
            }
        }
    }

    async fn invoke_by_schedule(&self, name: &str) -> Result<serde_json::Value, CallError> {
        let event = events::of_schedule(&format!("remuda-{name}"), rand::random(), Timestamp::now());
        self.functions.invoke(name, &event).await
    }
}
