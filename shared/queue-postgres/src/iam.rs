//! Passwords for Amazon RDS by IAM: short-lived tokens, signed here without a call to AWS.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningError, SigningSettings, sign},
    sign::v4,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// For how long a token lets its holder connect; RDS allows no more.
const VALID_FOR: Duration = Duration::from_mins(15);

/// What a token is signed in front of, and what it is not sent with.
const SCHEME: &str = "https://";

/// What AWS encodes in a query: everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs tokens, for whom and for what. No secret of it is printed.
pub(crate) struct Iam {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) region: String,
    pub(crate) credentials: Credentials,
}

impl Iam {
    /// The password of a connection that is made within 15 minutes of `now`.
    pub(crate) fn token(&self, now: SystemTime) -> Result<String, SigningError> {
        let mut settings = SigningSettings::default();
        settings.expires_in = Some(VALID_FOR);
        settings.signature_location = SignatureLocation::QueryParams;
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("rds-db")
            .time(now)
            .settings(settings)
            .build()
            .expect("every part is set")
            .into();
        let user = utf8_percent_encode(&self.user, ENCODED);
        let request = format!("{SCHEME}{}:{}/?Action=connect&DBUser={user}", self.host, self.port);
        let signable = SignableRequest::new("GET", &request, std::iter::empty(), SignableBody::Bytes(b""))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut token = request[SCHEME.len()..].to_owned();
        for (name, value) in instructions.params() {
            token.extend(["&", name, "="]);
            token.extend(utf8_percent_encode(value, ENCODED));
        }
        Ok(token)
    }
}

impl fmt::Debug for Iam {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "IAM login of {} to {}:{} in {}",
            self.user, self.host, self.port, self.region
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// 2026-11-05T07:08:09Z.
    const AT: Duration = Duration::from_secs(1_793_862_489);

    fn iam(session: Option<&str>) -> Iam {
        Iam {
            host: "remuda.proxy-abc123.eu-central-1.rds.amazonaws.com".to_owned(),
            port: 5432,
            user: "remuda".to_owned(),
            region: "eu-central-1".to_owned(),
            credentials: Credentials::new(
                "AKIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                session.map(str::to_owned),
                None,
                "test",
            ),
        }
    }

    /// The parts of a token in any order: only the signature sorts them.
    fn parts(token: &str) -> (&str, BTreeMap<&str, &str>) {
        let (address, query) = token.split_once('?').expect("a query");
        let pairs = query.split('&').map(|pair| pair.split_once('=').expect("a value"));
        (address, pairs.collect())
    }

    /// Made by `generate_db_auth_token` of botocore 1.43 at that moment.
    #[test]
    fn a_token_is_what_other_clients_of_aws_make() {
        let theirs = "remuda.proxy-abc123.eu-central-1.rds.amazonaws.com:5432/?Action=connect&DBUser=remuda\
            &X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261105%2Feu-central-1%2Frds-db%2Faws4_request\
            &X-Amz-Date=20261105T070809Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=ced8045e30ef3c7bdea55d2795e2503abeff08dd0afebee6e84e0ec86860b947";
        let ours = iam(None).token(SystemTime::UNIX_EPOCH + AT).expect("signs");
        assert_eq!(parts(&ours), parts(theirs));
    }

    /// As above.
    #[test]
    fn a_token_of_a_role_carries_its_session() {
        let theirs = "db.abc123.us-east-1.rds.amazonaws.com:6543/?Action=connect&DBUser=a%20user%40corp\
            &X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261105%2Fus-east-1%2Frds-db%2Faws4_request\
            &X-Amz-Date=20261105T070809Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
            &X-Amz-Security-Token=FwoGZXIvYXdzEJr%2F%2Fsession%2Btoken%3D%3D\
            &X-Amz-Signature=116531bed2ae054c78b0e45475cf3c45af5d8ac97d688a03aa412c83b11c4239";
        let role = Iam {
            host: "db.abc123.us-east-1.rds.amazonaws.com".to_owned(),
            port: 6543,
            user: "a user@corp".to_owned(),
            region: "us-east-1".to_owned(),
            credentials: Credentials::new(
                "ASIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                Some("FwoGZXIvYXdzEJr//session+token==".to_owned()),
                None,
                "test",
            ),
        };
        let ours = role.token(SystemTime::UNIX_EPOCH + AT).expect("signs");
        assert_eq!(parts(&ours), parts(theirs));
    }

    #[test]
    fn no_secret_is_printed() {
        let printed = format!("{:?}", iam(Some("session-token")));
        assert!(printed.contains("remuda"), "{printed}");
        for secret in ["wJalr", "session-token", "AKIA"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
