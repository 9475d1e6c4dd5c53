//! The pool, and what every connection promises the server.

use std::{str::FromStr, time::Duration};

use queue::store::StoreError;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{PostgresStore, errors::unavailable};

/// How long a call waits for a connection. Below any API's own patience, so that a caller is told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// What bounds every statement, every wait for a lock and every transaction left open, so that one stuck caller does not
/// hold back the rest or the vacuum. Sent as start-up options: a pooler that refuses those must set them for the role
/// (`alter role … set statement_timeout = …`) and be told to ignore the start-up parameter `options`.
const SESSION: [(&str, &str); 5] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Compiling a statement takes longer than any of ours runs.
    ("jit", "off"),
    // The tables grow from nothing faster than their statistics: a plan that was kept from when they were small reads
    // them whole. Planning anew each time costs a fraction of a millisecond.
    ("plan_cache_mode", "force_custom_plan"),
];

/// How the store uses Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How many connections it opens at the most: 1 or 2 in a Lambda, some more in a server.
    pub max_connections: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { max_connections: 8 }
    }
}

impl PostgresStore {
    /// A store at `url`. Nothing is connected until the first call, and a server that is away is tried again by each.
    #[expect(clippy::unused_async, reason = "the pool needs a runtime to be made in")]
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let direct = PgConnectOptions::from_str(url)
            .map_err(unavailable)?
            .application_name("remuda")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(true)
            .connect_lazy_with(direct.clone().options(SESSION));
        Ok(Self { pool, direct })
    }

    /// Closes the pool once what is under way is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
