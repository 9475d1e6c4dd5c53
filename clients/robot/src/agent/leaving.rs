//! How the agent ends: after its work, or at once.

use std::time::{Duration, Instant};

use tracing::warn;

use super::{Agent, Leaving, until};
use crate::Ended;
use crate::stopper::StopOrder;

/// How long a robot that is to end, and on which nothing runs any more, tries to say the last that it has to say.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// How long commands that were told to stop are waited for; each is killed well before.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// How long the last word of a robot that stops at once may take.
const LAST_WORD_MAX: Duration = Duration::from_secs(3);

impl Agent {
    /// Begins to end: takes no more, gives back what has not started, finishes what runs.
    pub(super) fn leave(&mut self) {
        self.leaving = Some(Leaving {
            quiet_since: Instant::now(),
            telling: false,
            told: false,
        });
        let orders = self.book.stop();
        self.carry_out(orders);
        self.sync_at_once();
    }

    pub(super) fn may_leave(&self) -> bool {
        let Some(leaving) = self.leaving.as_ref().filter(|_| self.running.is_empty()) else {
            return false;
        };
        let all_said = self.book.is_empty() && self.workers.is_empty() && leaving.told;
        all_said || leaving.quiet_since.elapsed() >= LEAVE_PATIENCE
    }

    pub(super) fn leave_by(&self) -> Option<Instant> {
        self.leaving
            .as_ref()
            .filter(|_| self.running.is_empty())
            .map(|leaving| leaving.quiet_since + LEAVE_PATIENCE)
    }

    /// Kills what runs, and tells the server at once that it is not held any more.
    ///
    /// No attempt is reported as failed: it did not fail, its robot went away, and a new session that does not list it
    /// says just that, so the job's own rule for a lost robot decides.
    pub(super) async fn stop_at_once(mut self) -> Ended {
        self.stop_work(StopOrder::Kill).await;
        let last_word = self.tools.server.open_session(self.book.unreported());
        if !matches!(tokio::time::timeout(LAST_WORD_MAX, last_word).await, Ok(Ok(_))) {
            warn!("The server could not be told: it notices when the leases run out");
        }
        Ended::Stopped
    }

    pub(super) async fn stop_work(&mut self, order: StopOrder) {
        for orders in self.running.values() {
            // One that has just ended hears no more.
            let _ = orders.send(order);
        }
        let end = Instant::now() + STOP_PATIENCE;
        while !self.running.is_empty() {
            tokio::select! {
                Some(event) = self.events.recv() => self.hear(event),
                Some(ended) = self.workers.join_next_with_id() => self.reap(ended),
                () = until(Some(end)) => return warn!("Some commands could not be stopped"),
            }
        }
    }
}
