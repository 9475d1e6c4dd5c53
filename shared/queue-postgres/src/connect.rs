//! What a process knows of a database, and how it comes to be connected.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use queue::store::StoreError;
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    PostgresStore,
    address::Address,
    floors::Floors,
    pool::{ACQUIRE_TIMEOUT, Connecting, Sessions},
    session,
};

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

/// The connections, and what a process knows of what goes on in the database. What is secret in it is printed nowhere.
pub(crate) struct Connections {
    pub(crate) sessions: Sessions,
    session_by_role: bool,
    /// What begins each transaction; `None` where a session is ours for as long as the connection lasts.
    opening: Option<Arc<str>>,
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
        let connecting = Connecting {
            direct,
            iam,
            by_options: !session_by_role && !pooled_by_transaction,
        };
        Self {
            sessions: Sessions::new(connecting, options.max_connections),
            session_by_role,
            opening: pooled_by_transaction.then(|| opening(session_by_role)),
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

    /// A pool of one connection that has none of the bounds of the others, to be closed after its work.
    pub(crate) fn unbounded(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.sessions.connecting().direct_at(SystemTime::now()))
    }

    /// Whether the role bears the session's settings.
    pub(crate) fn session_by_role(&self) -> bool {
        self.session_by_role
    }

    /// What begins each transaction; `None` where a session is ours for as long as the connection lasts.
    pub(crate) fn opening(&self) -> Option<&Arc<str>> {
        self.opening.as_ref()
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
            .field("iam", &self.sessions.connecting().iam)
            .field("session_by_role", &self.session_by_role)
            .field("opening", &self.opening)
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

    /// Closes the connections once what is under way is done.
    pub async fn close(&self) {
        self.connections.sessions.close().await;
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use sqlx::ConnectOptions;

    use super::*;

    /// The password of a connection that is made at `now`.
    fn password(connections: &Connections, now: SystemTime) -> String {
        let url = connections.sessions.connecting().pooled_at(now).to_url_lossy();
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
    async fn each_connection_has_a_token_of_its_own_time() {
        let connections = connections("postgres://remuda@db.example/jobs?sslmode=verify-full&auth=iam");
        let begun = SystemTime::now();
        let first = password(&connections, begun);
        assert!(first.contains("X-Amz-Expires"), "{first}");
        // A function that slept for a day.
        let later = begun + Duration::from_hours(24);
        assert_ne!(password(&connections, later), first);
    }

    #[tokio::test]
    async fn with_iam_no_settings_are_sent_and_without_it_all_are() {
        let now = SystemTime::now();
        let by_role = connections("postgres://remuda@db.example/jobs?sslmode=verify-full&auth=iam");
        assert_eq!(by_role.sessions.connecting().pooled_at(now).get_options(), None);
        let plain = connections("postgres://remuda@db.example/jobs");
        let options = plain.sessions.connecting().pooled_at(now);
        let sent = options.get_options().expect("options");
        assert!(sent.contains("statement_timeout=30s"), "{sent}");
        assert_eq!(plain.sessions.connecting().direct_at(now).get_options(), None);
    }

    #[tokio::test]
    async fn before_a_pooler_each_transaction_brings_its_settings_unless_the_role_has_them() {
        let by_transaction = connections("postgres://remuda@db.example/jobs?pooler=transaction");
        let options = by_transaction.sessions.connecting().pooled_at(SystemTime::now());
        assert_eq!(options.get_options(), None);
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
            let secret = password(&connections, SystemTime::now());
            let printed = format!("{connections:?}");
            for secret in [&*secret, "hunter2", "X-Amz"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
    }
}
