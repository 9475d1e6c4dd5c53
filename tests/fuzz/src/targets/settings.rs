//! The environment that a function or a server starts with.

use std::{collections::BTreeMap, str::FromStr as _, time::Duration};

use app::{
    Settings,
    settings::{self, BadEnvironment, StoreUrl},
};
use url::Url;

/// The variables that settings come from; every mistake names one of them.
const NAMES: &[&str] = &[
    settings::STORE,
    settings::RETENTION_DAYS,
    settings::BACKLOG_MAX,
    settings::CONNECTIONS_MAX,
    settings::IDLE_SYNC_SECONDS,
    settings::LOG,
    settings::LOG_FORMAT,
    settings::METRICS,
];

/// What stands for a secret in the inputs.
const SECRET: &str = "hunter2";

/// Variables, a line `NAME=VALUE` each: every mistake names its variable, nothing is beyond its bounds, and no password is
/// printed.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let read = Settings::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()));
    match read {
        Ok(settings) => hold(&settings),
        Err(BadEnvironment(mistakes)) => hold_mistakes(&mistakes),
    }
}

fn hold(settings: &Settings) {
    let days = |days: u64| Duration::from_hours(24 * days);
    assert!((days(7)..=days(3_650)).contains(&settings.retention), "{settings:?}");
    assert!((1..=200).contains(&settings.connections_max), "{settings:?}");
    assert!(settings.backlog_max > 0, "{settings:?}");
    let sync = Duration::from_secs(1)..=Duration::from_mins(1);
    assert!(sync.contains(&settings.idle_sync), "{settings:?}");
    let shown = settings.store.to_string();
    match &settings.store {
        StoreUrl::Postgres(url) => {
            // What is logged is no secret, whatever it is called.
            let others = Settings {
                log: String::new(),
                ..settings.clone()
            };
            hold_no_password(url, &format!("{others:?} {shown}"));
        }
        store => assert_eq!(StoreUrl::from_str(&shown).as_ref(), Ok(store)),
    }
}

/// Holds that a password that stands nowhere else in the address is not in `shown`.
fn hold_no_password(address: &str, shown: &str) {
    let Ok(url) = Url::parse(address) else {
        assert!(!shown.contains(SECRET), "{shown}");
        return;
    };
    // Where it stands in the name of the host or the database as well, it is no secret.
    let shown_anyway = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    let of_query = url.query_pairs().find(|(name, _)| name == "password");
    let secrets = url.password().map(str::to_owned).into_iter();
    for secret in secrets.chain(of_query.map(|(_, value)| value.into_owned())) {
        let is_secret = secret.contains(SECRET) && !shown_anyway.contains(SECRET);
        assert!(!is_secret || !shown.contains(&secret), "{shown}");
    }
}

fn hold_mistakes(mistakes: &[String]) {
    assert!(!mistakes.is_empty());
    for mistake in mistakes {
        let named = NAMES.iter().any(|name| mistake.starts_with(&format!("{name} ")));
        assert!(named, "{mistake}");
        assert!(!mistake.contains(SECRET), "{mistake}");
    }
}
