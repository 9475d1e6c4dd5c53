//! The two calls that keep a robot alive to the server, each repeated until it is answered.

use std::pin::Pin;
use std::time::{Duration, Instant};

use remuda_client::{CallError, Retry};
use tracing::{info, warn};

use crate::protocol::{Lease, SessionOpened, SyncAnswer, SyncRequest};
use crate::server::{Server, is_final};

/// The waits while the server is away; short, because leases run out meanwhile.
const WAITS: Retry = Retry {
    tries_max: u32::MAX,
    wait_first: Duration::from_millis(500),
    wait_max: Duration::from_secs(5),
};

/// The waits while the server is away and there is nothing to lose.
const IDLE_WAITS: Retry = Retry {
    wait_max: Duration::from_secs(15),
    ..WAITS
};

/// How long one try may take: a third of the shortest lease, within these.
const TRY_MIN: Duration = Duration::from_secs(2);
const TRY_MAX: Duration = Duration::from_secs(10);

/// How often a server that stays away is mentioned, in tries.
const MENTION_EVERY: u32 = 20;

/// A call under way.
pub(crate) type Call = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// What came of a call; an error is the server's considered refusal.
#[derive(Debug)]
pub(crate) enum Reply {
    Session {
        repeated: bool,
        result: Result<SessionOpened, CallError>,
    },
    Sync {
        first_sent: Instant,
        repeated: bool,
        result: Result<SyncAnswer, CallError>,
    },
}

/// Opens a session, as often as it takes. A repeat only opens a newer one, and the last one counts.
pub(crate) fn open_session(server: Server, holding: Vec<Lease>) -> Call {
    Box::pin(async move {
        let waits = if holding.is_empty() { IDLE_WAITS } else { WAITS };
        let mut absence = Absence::new(waits);
        loop {
            match server.open_session(holding.clone()).await {
                Err(error) if !is_final(&error) => absence.wait(&error).await,
                result => {
                    return Reply::Session {
                        repeated: absence.over(),
                        result,
                    };
                }
            }
        }
    })
}

/// Syncs, as often as it takes, with the same number and body each time: an answer that got lost is given again.
pub(crate) fn sync(server: Server, request: SyncRequest, shortest_lease: Option<Duration>) -> Call {
    Box::pin(async move {
        let first_sent = Instant::now();
        let timeout = shortest_lease.map_or(TRY_MAX, |lease| (lease / 3).clamp(TRY_MIN, TRY_MAX));
        let mut absence = Absence::new(if shortest_lease.is_none() { IDLE_WAITS } else { WAITS });
        loop {
            match server.sync(&request, timeout).await {
                Err(error) if !is_final(&error) => absence.wait(&error).await,
                result => {
                    return Reply::Sync {
                        first_sent,
                        repeated: absence.over(),
                        result,
                    };
                }
            }
        }
    })
}

/// A server's absence: waited through, and mentioned now and then instead of each time.
struct Absence {
    waits: Retry,
    failures: u32,
}

impl Absence {
    fn new(waits: Retry) -> Absence {
        Absence { waits, failures: 0 }
    }

    async fn wait(&mut self, error: &CallError) {
        if self.failures.is_multiple_of(MENTION_EVERY) {
            warn!("The server does not answer: {error}; trying again");
        }
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(
            self.waits
                .wait_after(self.failures, error.retry_after_seconds(), rand::random()),
        )
        .await;
    }

    /// Whether there was any.
    fn over(&self) -> bool {
        if self.failures > 0 {
            info!("The server answers again");
        }
        self.failures > 0
    }
}
