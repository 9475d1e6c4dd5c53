//! Connections that go from call to call without a rest in the pool.
//!
//! sqlx asks each connection that comes back to its pool whether it still lives: one more exchange with the server for each
//! statement. Here one whose call went well is kept for the next call, and goes back to the pool when nobody wanted it for
//! a while; then the pool asks. A call that fails or is cut off gives its connection to the pool.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Error, PgPool, Postgres, pool::PoolConnection};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a connection that was in use is taken to be alive. If it is not, the next call on it fails, as it would have
/// if the server had gone away a moment later.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// For how long one is kept, however much it is wanted: the pool bounds the age of those that come back to it.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// What is kept of a pool's connections.
pub(crate) struct Kept {
    /// As many turns as the pool has connections: who has one waits for no connection that is kept.
    turns: Arc<Semaphore>,
    wait_max: Duration,
    resting: Mutex<Vec<Resting>>,
}

struct Resting {
    connection: PoolConnection<Postgres>,
    pooled_at: Instant,
    used_at: Instant,
}

/// A connection for one call or transaction, which goes back to the pool unless it is kept.
pub(crate) struct Taken {
    pub(crate) connection: PoolConnection<Postgres>,
    /// When the pool gave it.
    pooled_at: Instant,
    pub(crate) turn: OwnedSemaphorePermit,
}

impl Kept {
    /// For a pool of `connections_max`, whose callers wait no longer than `wait_max`.
    pub(crate) fn new(connections_max: u32, wait_max: Duration) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(connections_max as usize)),
            wait_max,
            resting: Mutex::default(),
        }
    }

    /// A connection that was used a moment ago, or one of `pool`.
    pub(crate) async fn take(&self, pool: &PgPool) -> Result<Taken, Error> {
        let taken = timeout(self.wait_max, self.take_at_last(pool)).await;
        taken.map_err(|_| Error::PoolTimedOut)?
    }

    async fn take_at_last(&self, pool: &PgPool) -> Result<Taken, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Error::PoolClosed)?;
        let now = Instant::now();
        if let Some(resting) = self.latest(now) {
            return Ok(Taken {
                connection: resting.connection,
                pooled_at: resting.pooled_at,
                turn,
            });
        }
        Ok(Taken {
            connection: pool.acquire().await?,
            pooled_at: now,
            turn,
        })
    }

    /// The one that was used last. If that was too long ago the others were used before, and all go to the pool.
    fn latest(&self, now: Instant) -> Option<Resting> {
        let latest = self.resting().pop()?;
        if now.duration_since(latest.used_at) < TRUSTED_FOR {
            return Some(latest);
        }
        self.give_up();
        None
    }

    /// Keeps the connection of a call that went well.
    pub(crate) fn keep(&self, taken: Taken, pool: &PgPool) {
        let now = Instant::now();
        if now.duration_since(taken.pooled_at) < KEPT_FOR && !pool.is_closed() {
            self.resting().push(Resting {
                connection: taken.connection,
                pooled_at: taken.pooled_at,
                used_at: now,
            });
        }
    }

    /// Gives all that are kept to the pool.
    pub(crate) fn give_up(&self) {
        let resting = std::mem::take(&mut *self.resting());
        drop(resting);
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Back to the pool they would go in a task, and there may be no runtime any more.
        for resting in self.resting().drain(..) {
            drop(resting.connection.leak());
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Kept")
            .field("resting", &self.resting().len())
            .finish_non_exhaustive()
    }
}
