//! Settings from the environment. Every mistake is told at once, by the name of its variable.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use crate::emf::Deployment;

/// Where everything is kept: `sqlite:PATH`, `sqlite::memory:`, `postgres://…` or `sqs://TABLE?queue=URL`.
///
/// On Amazon RDS without a password: `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full&auth=iam`, which shows a token
/// signed with the credentials in the environment; `region` names another region than `AWS_REGION`. `session=role`, which
/// `auth=iam` implies, leaves the limits of sessions to the role, for poolers that refuse start-up options: `remuda store
/// migrate` sets them. `pooler=transaction` says that the address is that of a pooler in transaction mode, like `PgBouncer`,
/// which need not keep apart what its clients prepare; migrations need the database's own address.
pub const STORE: &str = "REMUDA_STORE";
/// How many days a finished job is kept, at least 7.
pub const RETENTION_DAYS: &str = "REMUDA_RETENTION_DAYS";
/// How many ready jobs there may be before submits are refused.
pub const BACKLOG_MAX: &str = "REMUDA_BACKLOG_MAX";
/// How many connections to the store are opened at most.
pub const CONNECTIONS_MAX: &str = "REMUDA_CONNECTIONS_MAX";
/// When an idle robot with nothing in sight syncs next, in seconds.
pub const IDLE_SYNC_SECONDS: &str = "REMUDA_IDLE_SYNC_SECONDS";
/// What is logged, like `info` or `info,queue=debug`.
pub const LOG: &str = "REMUDA_LOG";
/// How it is logged: `json` or `text`.
pub const LOG_FORMAT: &str = "REMUDA_LOG_FORMAT";

/// The name of the deployment: when it is set, metrics are written to the standard output in `CloudWatch`'s embedded metric
/// format, with it as their dimension `Deployment`.
pub const METRICS: &str = "REMUDA_METRICS";

/// The variable that tells that this is a Lambda function.
const LAMBDA: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The store of a machine where nothing is set.
const LOCAL_STORE: &str = "sqlite:remuda.db";

/// Idempotency keys are kept as long as their jobs, and at least 7 days.
const RETENTION_DAYS_MIN: u32 = 7;
const RETENTION_DAYS_MAX: u32 = 3_650;
const RETENTION_DAYS_DEFAULT: u32 = 30;

/// A Lambda function answers one call at a time.
const CONNECTIONS_ON_LAMBDA: u32 = 2;
const CONNECTIONS_ELSEWHERE: u32 = 8;
const CONNECTIONS_ALLOWED: u32 = 200;

/// On AWS each sync is a call that is paid for; a local server has somebody who waits for the first job.
const IDLE_SYNC_ON_LAMBDA: u32 = 30;
const IDLE_SYNC_ELSEWHERE: u32 = 2;
const IDLE_SYNC_ALLOWED: u32 = 60;

/// What may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where everything is kept.
    pub store: StoreUrl,
    /// How long a finished job is kept.
    pub retention: Duration,
    /// How many ready jobs there may be before submits are refused.
    pub backlog_max: u64,
    /// How many connections to the store are opened at most.
    pub connections_max: u32,
    /// When an idle robot with nothing in sight syncs next.
    pub idle_sync: Duration,
    /// Whose metrics are written to the standard output; `None` writes none.
    pub metrics: Option<Deployment>,
    /// What is logged.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
}

/// Where everything is kept. A password in it is printed neither by `Debug` nor by `Display`.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A `SQLite` file.
    Sqlite(PathBuf),
    /// `SQLite` in memory: gone with the process.
    SqliteMemory,
    /// A Postgres database.
    Postgres(String),
    /// A `DynamoDB` table, with an SQS queue for hints.
    Sqs(String),
}

/// How is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Every mistake in the environment, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment cannot be used:\n  {}", .0.join("\n  "))]
pub struct BadEnvironment(pub Vec<String>);

impl Settings {
    /// The settings of this process.
    pub fn from_env() -> Result<Self, BadEnvironment> {
        Self::from_variables(|name| {
            let value = std::env::var_os(name)?;
            // What is no UTF-8 fits no rule below.
            Some(value.into_string().unwrap_or_else(|_| "\u{fffd}".to_owned()))
        })
    }

    /// The settings that `variable` gives by name. A variable that is set to nothing is not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadEnvironment> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let on_lambda = get(LAMBDA).is_some();
        let mut mistakes = Vec::new();
        let store = keep(&mut mistakes, store(get(STORE), on_lambda, get));
        let days = number(
            get(RETENTION_DAYS),
            RETENTION_DAYS,
            RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX,
        );
        let days = keep(&mut mistakes, days).flatten().unwrap_or(RETENTION_DAYS_DEFAULT);
        let backlog_max = keep(&mut mistakes, number(get(BACKLOG_MAX), BACKLOG_MAX, 1..=u64::MAX));
        let connections = number(get(CONNECTIONS_MAX), CONNECTIONS_MAX, 1..=CONNECTIONS_ALLOWED);
        let connections_max = keep(&mut mistakes, connections).flatten();
        let idle_sync = keep(
            &mut mistakes,
            number(get(IDLE_SYNC_SECONDS), IDLE_SYNC_SECONDS, 1..=IDLE_SYNC_ALLOWED),
        );
        let log_format = keep(&mut mistakes, log_format(get(LOG_FORMAT).as_deref(), on_lambda));
        let log = keep(&mut mistakes, log(get(LOG)));
        let metrics = keep(&mut mistakes, deployment(get(METRICS)));
        match (store, log_format, log) {
            (Some(store), Some(log_format), Some(log)) if mistakes.is_empty() => Ok(Self {
                store,
                retention: Duration::from_hours(u64::from(days) * 24),
                backlog_max: backlog_max.flatten().unwrap_or(queue::Settings::default().backlog_max),
                connections_max: connections_max.unwrap_or(if on_lambda {
                    CONNECTIONS_ON_LAMBDA
                } else {
                    CONNECTIONS_ELSEWHERE
                }),
                idle_sync: Duration::from_secs(u64::from(idle_sync.flatten().unwrap_or(if on_lambda {
                    IDLE_SYNC_ON_LAMBDA
                } else {
                    IDLE_SYNC_ELSEWHERE
                }))),
                metrics: metrics.flatten(),
                log,
                log_format,
            }),
            _ => Err(BadEnvironment(mistakes)),
        }
    }
}

fn keep<T>(mistakes: &mut Vec<String>, read: Result<T, String>) -> Option<T> {
    read.map_err(|mistake| mistakes.push(mistake)).ok()
}

fn store(
    value: Option<String>,
    on_lambda: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<StoreUrl, String> {
    let named = |error: String| format!("{STORE} {error}");
    match value {
        Some(url) => {
            let store = url.parse().map_err(named)?;
            if let StoreUrl::Postgres(address) = &store {
                crate::store::check_postgres(address, variable).map_err(named)?;
            }
            Ok(store)
        }
        None if on_lambda => Err(format!("{STORE} is not set; name a store, like postgres://…")),
        None => LOCAL_STORE.parse(),
    }
}

fn number<T: FromStr + PartialOrd + fmt::Display>(
    value: Option<String>,
    name: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<Option<T>, String> {
    let Some(text) = value else { return Ok(None) };
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    let (least, most) = range.into_inner();
    number
        .map(Some)
        .ok_or_else(|| format!("{name} must be an integer from {least} to {most}"))
}

fn log_format(value: Option<&str>, on_lambda: bool) -> Result<LogFormat, String> {
    match value.map(str::trim) {
        Some("json") => Ok(LogFormat::Json),
        Some("text") => Ok(LogFormat::Text),
        Some(_) => Err(format!("{LOG_FORMAT} must be json or text")),
        None if on_lambda => Ok(LogFormat::Json),
        None => Ok(LogFormat::Text),
    }
}

fn log(value: Option<String>) -> Result<String, String> {
    let text = value.unwrap_or_else(|| "info".to_owned());
    // The parser takes a level without a target, or the other way round, for one that is empty.
    let is_cut = text
        .split(',')
        .any(|part| part.trim().starts_with('=') || part.trim().ends_with('='));
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) if !is_cut => Ok(text),
        _ => Err(format!(
            "{LOG} must be a level, like info, or levels by target, like info,queue=debug"
        )),
    }
}

fn deployment(value: Option<String>) -> Result<Option<Deployment>, String> {
    let read = value.map(|name| Deployment::parse(name.trim())).transpose();
    read.map_err(|error| format!("{METRICS} {error}"))
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.split_once(':') {
            Some(("sqlite", ":memory:")) => Ok(Self::SqliteMemory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) if is_server(rest) => Ok(Self::Postgres(text.to_owned())),
            Some(("sqs", _)) => crate::store::checked_sqs(text).map(Self::Sqs),
            // The text is not repeated: there may be a password in it.
            _ => Err("must be sqlite:PATH, sqlite::memory:, postgres://… or sqs://TABLE?queue=URL".to_owned()),
        }
    }
}

fn is_server(rest: &str) -> bool {
    rest.strip_prefix("//").is_some_and(|server| !server.is_empty())
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Self::SqliteMemory => out.write_str("sqlite::memory:"),
            Self::Postgres(url) => out.write_str(&without_secrets(url)),
            // It holds no secret: one with a user or a password is refused.
            Self::Sqs(url) => out.write_str(url),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Scheme, host, port and path: a password may stand before the host or among the parameters.
fn without_secrets(url: &str) -> String {
    url::Url::parse(url).map_or_else(
        |_| "postgres://…".to_owned(),
        |url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("postgres://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, BadEnvironment> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn with_nothing_set_a_laptop_keeps_a_file() {
        let settings = read(&[]).expect("defaults");
        assert_eq!(settings.store, StoreUrl::Sqlite("remuda.db".into()));
        assert_eq!(settings.retention, Duration::from_hours(30 * 24));
        assert_eq!(settings.log_format, LogFormat::Text);
    }

    #[test]
    fn with_nothing_set_a_function_does_not_start() {
        let BadEnvironment(mistakes) = read(&[(LAMBDA, "submit")]).expect_err("no store");
        assert!(mistakes[0].starts_with(STORE), "{mistakes:?}");
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let BadEnvironment(mistakes) = read(&[
            (STORE, "mysql://root:secret@h/x"),
            (RETENTION_DAYS, "6"),
            (BACKLOG_MAX, "many"),
            (CONNECTIONS_MAX, "0"),
            (IDLE_SYNC_SECONDS, "soon"),
            (LOG, "=,=,"),
            (METRICS, "Prod!"),
            (LOG_FORMAT, "xml"),
        ])
        .expect_err("mistakes");
        let names = [
            STORE,
            RETENTION_DAYS,
            BACKLOG_MAX,
            CONNECTIONS_MAX,
            IDLE_SYNC_SECONDS,
            LOG_FORMAT,
            LOG,
            METRICS,
        ];
        assert_eq!(mistakes.len(), names.len(), "{mistakes:?}");
        for (mistake, name) in mistakes.iter().zip(names) {
            assert!(mistake.starts_with(name), "{mistake}");
            assert!(!mistake.contains("secret"), "{mistake}");
        }
    }

    #[test]
    fn a_filter_of_logs_is_whole() {
        for good in ["info", "info,queue=debug", "queue=debug, app=off"] {
            assert!(super::log(Some(good.to_owned())).is_ok(), "{good}");
        }
        for bad in ["=,=,", "=info", "queue=", "queue=loud", "info,=debug"] {
            assert!(super::log(Some(bad.to_owned())).is_err(), "{bad}");
        }
    }

    #[test]
    fn stores_are_told_apart() {
        for (text, store) in [
            ("sqlite::memory:", Some(StoreUrl::SqliteMemory)),
            ("sqlite:a/b.db", Some(StoreUrl::Sqlite("a/b.db".into()))),
            ("postgres://h/x", Some(StoreUrl::Postgres("postgres://h/x".to_owned()))),
            (
                "postgresql://h/x",
                Some(StoreUrl::Postgres("postgresql://h/x".to_owned())),
            ),
            (
                "sqs://table?queue=http://h/q",
                Some(StoreUrl::Sqs("sqs://table?queue=http://h/q".to_owned())),
            ),
            ("sqs://table?queue=q", None),
            ("sqs://me:secret@table", None),
            ("sqlite:", None),
            ("postgres:", None),
            ("remuda.db", None),
        ] {
            assert_eq!(text.parse().ok(), store, "{text}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let settings = read(&[(STORE, "postgres://me:hunter2@db:5433/x?password=hunter2")]).expect("a store");
        let broken = StoreUrl::Postgres("postgres://me:hunter2@[/x".to_owned());
        let printed = format!("{settings:?} {} {broken:?} {broken}", settings.store);
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn what_iam_lacks_is_told_at_start() {
        let url = "postgres://me@db/x?sslmode=verify-full&auth=iam";
        for (url, word) in [
            (url.to_owned(), "AWS_REGION"),
            (format!("{url}&region=eu-central-1"), "AWS_ACCESS_KEY_ID"),
            (url.replace("me@", "me:hunter2@"), "password"),
            (url.replace("verify-full", "require"), "verify-full"),
        ] {
            let BadEnvironment(mistakes) = read(&[(STORE, &url), (LOG_FORMAT, "xml")]).expect_err("no login");
            assert_eq!(mistakes.len(), 2, "{mistakes:?}");
            let told = &mistakes[0];
            assert!(told.starts_with(STORE) && told.contains(word), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        let keys = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_REGION", "eu-central-1"),
        ];
        let settings = read(&[&keys[..], &[(STORE, url)]].concat()).expect("a login");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
