//! Where a store on Postgres lies, and how it is logged in to.

use std::str::FromStr;

use aws_credential_types::Credentials;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;

use crate::iam::Iam;

/// The parameters that are this crate's; all others are those of any Postgres client.
const OURS: [&str; 4] = ["auth", "pooler", "region", "session"];

/// How sqlx lets the mode of TLS be named.
const SSL_MODE: [&str; 2] = ["sslmode", "ssl-mode"];

/// Why a text is not the address of a store on Postgres. No part of the text is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

/// An address, read. It is printed nowhere: there may be a password in it.
pub(crate) struct Address {
    /// Everything that does not change from one connection to the next.
    pub(crate) options: PgConnectOptions,
    /// Who signs the password of each connection; `None` when it is in the address, or there is none.
    pub(crate) iam: Option<Iam>,
    /// Whether the role bears the session's settings, so that none is sent at the start of a connection.
    pub(crate) session_by_role: bool,
    /// Whether it leads to a pooler that may give each transaction another session.
    pub(crate) pooled_by_transaction: bool,
}

/// Tells what is wrong with the address `url` of a store; with `auth=iam`, also what is missing among the variables.
pub fn check_address(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<(), BadAddress> {
    Address::read(url, variable).map(drop)
}

impl Address {
    /// Reads `url`; what AWS needs beside it is given by `variable`.
    pub(crate) fn read(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadAddress> {
        let url = Url::parse(url).map_err(|error| BadAddress(format!("it is no URL: {error}")))?;
        let parameter = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let session_by_role = is("session", "role", parameter("session"))?;
        let by_iam = is("auth", "iam", parameter("auth"))?;
        let pooled_by_transaction = is("pooler", "transaction", parameter("pooler"))?;
        let options = options(&url)?;
        let iam = by_iam.then(|| iam(&url, &options, parameter("region"), variable));
        Ok(Self {
            // Where IAM is asked there is a proxy, or may be one tomorrow, that takes no settings at the start.
            session_by_role: session_by_role || by_iam,
            pooled_by_transaction,
            iam: iam.transpose()?,
            options,
        })
    }
}

/// Whether the parameter is there; the only thing it can be set to is `only`.
fn is(name: &str, only: &str, value: Option<String>) -> Result<bool, BadAddress> {
    match value {
        None => Ok(false),
        Some(value) if value == only => Ok(true),
        Some(_) => Err(BadAddress(format!("`{name}` can only be `{only}`"))),
    }
}

fn options(url: &Url) -> Result<PgConnectOptions, BadAddress> {
    let mut plain = url.clone();
    let theirs: Vec<_> = url.query_pairs().filter(|(key, _)| !OURS.contains(&&**key)).collect();
    // sqlx would quote what it does not know, which may be a password in the wrong place.
    let modes = theirs.iter().filter(|(key, _)| SSL_MODE.contains(&&**key));
    if modes
        .map(|(_, mode)| mode.parse::<PgSslMode>())
        .any(|mode| mode.is_err())
    {
        let modes = "disable, allow, prefer, require, verify-ca or verify-full";
        return Err(BadAddress(format!("`sslmode` can only be {modes}")));
    }
    plain.set_query(None);
    if !theirs.is_empty() {
        plain.query_pairs_mut().extend_pairs(theirs);
    }
    let options = PgConnectOptions::from_str(plain.as_str()).map_err(|error| BadAddress(error.to_string()))?;
    Ok(options.application_name("remuda").disable_statement_logging())
}

/// Who signs, after everything was found that must not be so with it.
fn iam(
    url: &Url,
    options: &PgConnectOptions,
    region: Option<String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Iam, BadAddress> {
    let wrong = |what: &str| Err(BadAddress(format!("with `auth=iam` {what}")));
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    if url.password().is_some() || has("password") {
        return wrong("there is no password: each connection is given a token of its own");
    }
    if url.username().is_empty() && !has("user") {
        return wrong("a user must be named, like postgres://USER@HOST/DATABASE");
    }
    if !url.has_host() || options.get_socket().is_some() {
        return wrong("a host must be named, like postgres://USER@HOST/DATABASE");
    }
    if !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return wrong("`sslmode` must be `verify-full`, so that a token is shown to nobody else");
    }
    let region = region
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"));
    let Some(region) = region.filter(|region| is_region(region)) else {
        return wrong("a region must be named, by `region` or by AWS_REGION, like eu-central-1");
    };
    let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return wrong("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set");
    };
    Ok(Iam {
        host: options.get_host().to_owned(),
        port: options.get_port(),
        user: options.get_username().to_owned(),
        region,
        credentials: Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"),
    })
}

fn is_region(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "postgres://remuda@db.example:6543/jobs?sslmode=verify-full&auth=iam";

    fn aws(name: &str) -> Option<String> {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY" => "hunter2",
            "AWS_SESSION_TOKEN" => "hunter3",
            "AWS_REGION" => "eu-central-1",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn read(url: &str) -> Result<Address, BadAddress> {
        Address::read(url, aws)
    }

    #[test]
    fn an_address_says_who_signs_for_what() {
        let iam = read(GOOD).expect("reads").iam.expect("signs");
        assert_eq!(
            (&*iam.host, iam.port, &*iam.user, &*iam.region),
            ("db.example", 6543, "remuda", "eu-central-1")
        );
        let elsewhere = read(&format!("{GOOD}&region=us-east-1")).expect("reads");
        assert_eq!(elsewhere.iam.expect("signs").region, "us-east-1");
        let older = Address::read(GOOD, |name| {
            aws(if name == "AWS_DEFAULT_REGION" {
                "AWS_REGION"
            } else {
                name
            })
            .filter(|_| name != "AWS_REGION")
        });
        assert_eq!(older.expect("reads").iam.expect("signs").region, "eu-central-1");
    }

    #[test]
    fn a_plain_address_needs_nothing_of_aws() {
        for (url, by_role) in [
            ("postgres://me:secret@h/x", false),
            ("postgres://me:secret@h/x?session=role", true),
        ] {
            let address = Address::read(url, |_| None).expect("reads");
            assert_eq!(
                (address.iam.is_some(), address.session_by_role),
                (false, by_role),
                "{url}"
            );
        }
        assert!(read(GOOD).expect("reads").session_by_role);
    }

    #[test]
    fn a_pooler_is_there_when_the_address_says_so() {
        for (url, is_there) in [
            ("postgres://h/x", false),
            ("postgres://h/x?pooler=transaction", true),
            (&format!("{GOOD}&pooler=transaction"), true),
        ] {
            assert_eq!(read(url).expect("reads").pooled_by_transaction, is_there, "{url}");
        }
    }

    #[test]
    fn what_must_not_be_is_told_and_no_secret_with_it() {
        for (url, word) in [
            ("postgres://me:hunter2@[/x", "URL"),
            ("postgres://h/x?auth=hunter2", "auth"),
            ("postgres://h/x?session=hunter2", "session"),
            ("postgres://h/x?pooler=hunter2", "pooler"),
            ("postgres://h/x?sslmode=hunter2", "verify-ca"),
            ("postgres://h/x?ssl-mode=hunter2", "verify-ca"),
            (&GOOD.replace("remuda@", "remuda:hunter2@"), "password"),
            (&format!("{GOOD}&password=hunter2"), "password"),
            (&GOOD.replace("remuda@", ""), "user"),
            (&GOOD.replace("db.example:6543", ""), "URL"),
            (&format!("{GOOD}&host=/run/hunter2"), "host"),
            (&GOOD.replace("verify-full", "require"), "verify-full"),
            (&GOOD.replace("verify-full", "verify-ca"), "verify-full"),
            (&GOOD.replace("sslmode=verify-full&", ""), "verify-full"),
            (&format!("{GOOD}&region=hunter2%20"), "region"),
        ] {
            let Err(error) = read(url) else {
                panic!("{url} was taken")
            };
            assert!(error.to_string().contains(word), "{url}: {error}");
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_beside_it_is_told() {
        for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            let error = check_address(GOOD, |name| aws(name).filter(|_| name != missing)).expect_err(missing);
            assert!(error.to_string().contains(missing), "{error}");
        }
        assert_eq!(check_address(GOOD, aws), Ok(()));
    }
}
