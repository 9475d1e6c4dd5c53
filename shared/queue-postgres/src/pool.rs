//! The pool of connections.
//!
//! It is deadpool's and not sqlx's own, which asks each connection that comes back whether it still lives: one more exchange
//! with the server for each statement. Here only one that was not taken for a while is asked, when it is. What was done on a
//! connection and did not come to its end, because it failed or its caller was cut off, may still be under way: such a
//! connection is closed once the server has answered, and keeps its place until then, so that no more statements run than
//! there may be connections.

use std::time::{Duration, SystemTime};

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult,
};
use sqlx::{
    ConnectOptions, Connection, Error, PgConnection,
    postgres::{PgConnectOptions, PgDatabaseError},
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{iam::Iam, session};

/// How long a call waits for a connection. Below any API's own patience, so that a caller is told.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long after it was taken last a connection is held to be alive. If it is not, the next call on it fails, as it would have
/// if the server had gone away a moment later.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long one that was taken before that has to answer, before another is tried.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long what did not come to its end may take to: longer than any statement may.
const END_MAX: Duration = Duration::from_mins(1);

/// When a connection is replaced, so that none stays for ever with a server that others have left.
const AGE_MAX: Duration = Duration::from_mins(30);

/// When a connection that nobody wants is closed, and how often it is looked for such.
const REST_MAX: Duration = Duration::from_mins(10);
const REST_LOOK: Duration = Duration::from_mins(1);

/// How long it is waited before the first and before any later try to connect to a server that is about to start.
const TRY_AGAIN_FIRST: Duration = Duration::from_millis(10);
const TRY_AGAIN_MAX: Duration = Duration::from_millis(500);

/// What a server answers that is starting or shutting down, and one that has no place left.
const CANNOT_CONNECT_NOW: &str = "57P03";
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Connections to one address.
pub(crate) struct Sessions {
    pool: Pool<Connecting>,
}

/// With what connections are made.
pub(crate) struct Connecting {
    /// How to connect apart from the pool, with none of its bounds and, with IAM, no password.
    pub(crate) direct: PgConnectOptions,
    pub(crate) iam: Option<Iam>,
    /// Whether a connection brings the session's settings.
    pub(crate) by_options: bool,
}

impl Connecting {
    /// How a connection of the pool is made at `now`: with the session's settings, or with nothing that a pooler before the
    /// server does not know.
    pub(crate) fn pooled_at(&self, now: SystemTime) -> PgConnectOptions {
        let direct = self.direct_at(now);
        if self.by_options {
            direct.options(session::SETTINGS)
        } else {
            // A pooler knows the parameters that Postgres reports, and this is none of them. Since Postgres 12 it adds nothing.
            direct.extra_float_digits(None)
        }
    }

    /// How a connection apart from the pool is made at `now`. The wall clock is looked at for each: a function is frozen
    /// between events, for longer than a token lives.
    pub(crate) fn direct_at(&self, now: SystemTime) -> PgConnectOptions {
        let Some(iam) = &self.iam else {
            return self.direct.clone();
        };
        let token = iam.token(now).expect("an address that was read can be signed");
        self.direct.clone().password(&token)
    }
}

impl Manager for Connecting {
    type Type = PgConnection;
    type Error = Error;

    async fn create(&self) -> Result<PgConnection, Error> {
        let mut again_in = TRY_AGAIN_FIRST;
        loop {
            match self.pooled_at(SystemTime::now()).connect().await {
                Err(error) if is_passing(&error) => sleep(again_in).await,
                done => return done,
            }
            again_in = TRY_AGAIN_MAX.min(again_in * 2);
        }
    }

    async fn recycle(&self, connection: &mut PgConnection, metrics: &Metrics) -> RecycleResult<Error> {
        if metrics.age() >= AGE_MAX {
            return Err(RecycleError::message("it is old"));
        }
        if metrics.last_used() >= TRUSTED_FOR {
            let answered = timeout(ANSWER_MAX, connection.ping()).await;
            answered.map_err(|_| RecycleError::message("it does not answer"))??;
        }
        Ok(())
    }
}

/// Whether a server that refuses to be connected to may take us a moment later.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Error::Database(error) => {
            let code = error.downcast_ref::<PgDatabaseError>().code();
            code == CANNOT_CONNECT_NOW || code == TOO_MANY_CONNECTIONS
        }
        _ => false,
    }
}

impl Sessions {
    /// At most `max` connections, none of which is made before it is needed. Needs a runtime.
    pub(crate) fn new(connecting: Connecting, max: u32) -> Self {
        let config = PoolConfig {
            // Those that are not needed come to rest.
            queue_mode: QueueMode::Lifo,
            ..PoolConfig::new(max as usize)
        };
        let pool = Pool::builder(connecting).config(config).build();
        let pool = pool.expect("it has no time limits, which alone need a runtime of its own");
        tokio::spawn(close_resting(pool.clone()));
        Self { pool }
    }

    pub(crate) fn connecting(&self) -> &Connecting {
        self.pool.manager()
    }

    /// A connection for one call or transaction.
    pub(crate) async fn take(&self) -> Result<Taken, Error> {
        let object = timeout(ACQUIRE_TIMEOUT, self.pool.get()).await;
        match object.map_err(|_| Error::PoolTimedOut)? {
            Ok(object) => Ok(Taken { object: Some(object) }),
            Err(PoolError::Backend(error)) => Err(error),
            Err(_) => Err(Error::PoolClosed),
        }
    }

    /// Takes no calls any more, and closes each connection once what is under way on it is done.
    pub(crate) async fn close(&self) {
        let resting = || self.pool.retain(|_, _| false).removed;
        let mut closing = resting();
        self.pool.close();
        loop {
            closing.extend(resting());
            for connection in closing.drain(..) {
                connection.close().await.ok();
            }
            // The pool tells nobody when the last one came back, or was made for a call that had begun.
            let left = self.pool.status();
            if left.size == 0 && left.waiting == 0 {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Closes the connections of `pool` that nobody wants, for as long as there is anybody who could.
async fn close_resting(pool: Pool<Connecting>) {
    let weak = pool.weak();
    drop(pool);
    loop {
        sleep(REST_LOOK).await;
        let Some(pool) = weak.upgrade() else { return };
        for connection in pool.retain(|_, metrics| metrics.last_used() < REST_MAX).removed {
            connection.close().await.ok();
        }
    }
}

/// A connection of the pool.
pub(crate) struct Taken {
    /// None once it is back.
    object: Option<Object<Connecting>>,
}

impl Taken {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.object.as_mut().expect("it is there until it is given back")
    }

    /// Gives it to the next caller: all that was done on it came to its end, and no transaction is open.
    pub(crate) fn give_back(mut self) {
        drop(self.object.take());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let spoiled = Spoiled(Some(object));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(spoiled.close());
        }
    }
}

/// A connection that nobody may use again, wherever it is dropped.
struct Spoiled(Option<Object<Connecting>>);

impl Spoiled {
    /// Closes it once the server has answered, which rolls back what was not made.
    async fn close(mut self) {
        let Some(object) = &mut self.0 else { return };
        if let Ok(Ok(())) = timeout(END_MAX, object.ping()).await
            && let Some(connection) = self.0.take().map(Object::take)
        {
            timeout(ANSWER_MAX, connection.close()).await.ok();
        }
    }
}

impl Drop for Spoiled {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}
