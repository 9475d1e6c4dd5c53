//! The pool, and with what its connections are made.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use queue::store::StoreError;
use sqlx::{
    Connection, Error, PgConnection, PgPool,
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    PostgresStore,
    address::Address,
    floors::Floors,
    iam::{Iam, USED_FOR},
    kept::{Kept, TRUSTED_FOR},
    session,
};

/// How long a call waits for a connection. Below any API's own patience, so that a caller is told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

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

/// A pool whose new connections always have a password that is good. What is in it is printed nowhere.
pub(crate) struct Connections {
    pool: PgPool,
    pub(crate) kept: Kept,
    /// How to connect apart from the pool, with none of its bounds and, with IAM, no password.
    direct: PgConnectOptions,
    session_by_role: bool,
    /// What begins each transaction; `None` where a session is ours for as long as the connection lasts.
    opening: Option<Arc<str>>,
    iam: Option<Iam>,
    /// When the pool's password was made; `None` before the first one.
    signed_at: Mutex<Option<SystemTime>>,
    /// When two claims were last offered the same.
    met_at: Mutex<Option<Instant>>,
    /// Where lanes begin.
    pub(crate) floors: Floors,
}

impl Connections {
    fn new(address: Address, options: PostgresOptions) -> Self {
        let Address {
            options: direct,
            iam,
            session_by_role,
            pooled_by_transaction,
        } = address;
        let opening = pooled_by_transaction.then(|| opening(session_by_role));
        let by_options = !session_by_role && !pooled_by_transaction;
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, was| Box::pin(is_alive(connection, was)))
            .connect_lazy_with(pooled(&direct, by_options));
        Self {
            pool,
            kept: Kept::new(options.max_connections, ACQUIRE_TIMEOUT),
            direct,
            session_by_role,
            opening,
            iam,
            signed_at: Mutex::default(),
            met_at: Mutex::default(),
            floors: Floors::default(),
        }
    }

    /// Takes down that two claims were offered the same now.
    pub(crate) fn claims_meet(&self) {
        *self.met_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether two claims were offered the same less than `time` ago.
    pub(crate) fn claims_met_within(&self, time: Duration) -> bool {
        let met_at = *self.met_at.lock().unwrap_or_else(PoisonError::into_inner);
        met_at.is_some_and(|at| at.elapsed() < time)
    }

    /// The pool, able to connect for the next minutes.
    ///
    /// The wall clock is looked at whenever a connection may be made, and nothing runs in between: a function is frozen
    /// between events, for longer than a token lives.
    pub(crate) fn pool(&self) -> &PgPool {
        self.pool_at(SystemTime::now())
    }

    fn pool_at(&self, now: SystemTime) -> &PgPool {
        if self.iam.is_some() {
            let mut signed_at = self.signed_at.lock().unwrap_or_else(PoisonError::into_inner);
            // A clock that was set back says nothing of a token's age.
            let is_good = signed_at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < USED_FOR));
            if !is_good {
                // With IAM the role bears the settings.
                let options = pooled(&self.direct, false);
                self.pool.set_connect_options(self.signed(options, now));
                *signed_at = Some(now);
            }
        }
        &self.pool
    }

    /// A pool of one connection that has none of the bounds of the others, to be closed after its work.
    pub(crate) fn unbounded(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.signed(self.direct.clone(), SystemTime::now()))
    }

    /// Whether the role bears the session's settings.
    pub(crate) fn session_by_role(&self) -> bool {
        self.session_by_role
    }

    /// What begins each transaction; `None` where a session is ours for as long as the connection lasts.
    pub(crate) fn opening(&self) -> Option<&Arc<str>> {
        self.opening.as_ref()
    }

    fn signed(&self, options: PgConnectOptions, now: SystemTime) -> PgConnectOptions {
        let Some(iam) = &self.iam else { return options };
        let token = iam.token(now).expect("an address that was read can be signed");
        options.password(&token)
    }
}

/// Whether a connection can be used. One that was in use a moment ago is taken to be: to ask costs as much as a call.
async fn is_alive(connection: &mut PgConnection, was: PoolConnectionMetadata) -> Result<bool, Error> {
    Ok(was.idle_for < TRUSTED_FOR || connection.ping().await.is_ok())
}

/// How the pool connects: with the session's settings as options, or with nothing that a pooler does not know.
fn pooled(direct: &PgConnectOptions, by_options: bool) -> PgConnectOptions {
    let direct = direct.clone();
    if by_options {
        direct.options(session::SETTINGS)
    } else {
        // A pooler knows the parameters that Postgres reports, and this is none of them. Since Postgres 12 it adds nothing.
        direct.extra_float_digits(None)
    }
}

/// How a transaction begins whose session is another one's a moment later.
fn opening(session_by_role: bool) -> Arc<str> {
    if session_by_role {
        "begin".into()
    } else {
        session::opening().into()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connections")
            .field("pool", &self.pool)
            .field("session_by_role", &self.session_by_role)
            .field("opening", &self.opening)
            .field("iam", &self.iam)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// A store at `url`. Nothing is connected until the first call, and a server that is away is tried again by each.
    ///
    /// Beside the parameters of any Postgres client there may be:
    ///
    /// | parameter | meaning |
    /// |---|---|
    /// | `auth=iam` | no password: each new connection shows a token of Amazon RDS's, signed with the credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; `sslmode` must be `verify-full` |
    /// | `region` | the region that such a token is for; otherwise `AWS_REGION` or `AWS_DEFAULT_REGION` |
    /// | `session=role` | the session's settings are not sent with each connection but given to the role by [`Self::migrate`], for poolers that refuse start-up options; `auth=iam` implies it |
    /// | `pooler=transaction` | the address is that of a pooler in transaction mode that does not keep apart what its clients prepare, like `PgBouncer` before 1.21: each call is a transaction that prepares nothing by name and sets its settings for itself; migrations are refused and need the database's own address |
    #[expect(clippy::unused_async, reason = "the pool needs a runtime to be made in")]
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let address = Address::read(url, |name| std::env::var(name).ok());
        let address = address.map_err(|error| StoreError::Unavailable(error.into()))?;
        let connections = Connections::new(address, options);
        Ok(Self {
            connections: connections.into(),
        })
    }

    /// Closes the pool once what is under way is done.
    pub async fn close(&self) {
        let closing = self.connections.pool.close();
        self.connections.kept.give_up();
        closing.await;
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use sqlx::ConnectOptions;

    use super::*;

    /// The password of the pool's next connection.
    fn password(pool: &PgPool) -> String {
        let url = pool.connect_options().to_url_lossy();
        let encoded = url.password().expect("a password");
        percent_decode_str(encoded).decode_utf8().expect("UTF-8").into_owned()
    }

    fn connections(url: &str) -> Connections {
        let address = Address::read(url, |name| {
            name.starts_with("AWS_").then(|| {
                if name == "AWS_REGION" {
                    "eu-central-1"
                } else {
                    "hunter2"
                }
                .to_owned()
            })
        });
        Connections::new(address.expect("an address"), PostgresOptions::default())
    }

    #[tokio::test]
    async fn a_token_is_made_anew_before_it_is_ten_minutes_old() {
        let connections = connections("postgres://remuda@db.example/jobs?sslmode=verify-full&auth=iam");
        let begun = SystemTime::now();
        let first = password(connections.pool_at(begun));
        assert!(first.contains("X-Amz-Expires"), "{first}");
        let almost = begun + USED_FOR - Duration::from_millis(1);
        assert_eq!(password(connections.pool_at(almost)), first);
        let second = password(connections.pool_at(begun + USED_FOR));
        assert_ne!(second, first);
        // A function that slept for a day, and a clock that was set back.
        let third = password(connections.pool_at(begun + Duration::from_hours(24)));
        assert_ne!(third, second);
        assert_eq!(password(connections.pool_at(begun)), first);
    }

    #[tokio::test]
    async fn with_iam_no_settings_are_sent_and_without_it_all_are() {
        let by_role = connections("postgres://remuda@db.example/jobs?sslmode=verify-full&auth=iam");
        assert_eq!(by_role.pool().connect_options().get_options(), None);
        let plain = connections("postgres://remuda@db.example/jobs");
        let options = plain.pool().connect_options();
        let sent = options.get_options().expect("options");
        assert!(sent.contains("statement_timeout=30s"), "{sent}");
        assert_eq!(plain.direct.get_options(), None);
    }

    #[tokio::test]
    async fn before_a_pooler_each_transaction_brings_its_settings_unless_the_role_has_them() {
        let by_transaction = connections("postgres://remuda@db.example/jobs?pooler=transaction");
        assert_eq!(by_transaction.pool().connect_options().get_options(), None);
        let opening = by_transaction.opening().expect("an opening");
        assert!(
            opening.starts_with("begin; set local statement_timeout = '30s'; set local "),
            "{opening}"
        );
        let by_role = connections("postgres://remuda@db.example/jobs?pooler=transaction&session=role");
        assert_eq!(by_role.opening().map(|opening| &**opening), Some("begin"));
        let direct = connections("postgres://remuda@db.example/jobs");
        assert_eq!(direct.opening(), None);
    }

    #[tokio::test]
    async fn neither_password_nor_token_is_printed() {
        for url in [
            "postgres://remuda@db.example/jobs?sslmode=verify-full&auth=iam",
            "postgres://remuda:hunter2@db.example/jobs",
        ] {
            let connections = connections(url);
            let secret = password(connections.pool());
            let printed = format!("{connections:?}");
            for secret in [&*secret, "hunter2", "X-Amz"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
    }
}
