//! Names and ids, right by construction.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not the name it was meant to be; its message is meant for the person who wrote the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub &'static str);

/// What a queue, a label or a tenant may be called: `[a-z0-9][a-z0-9._-]{0,62}`.
const SLUG_RULE: &str = "must be 1 to 63 characters of a-z, 0-9, '.', '_' and '-', and begin with a letter or a digit";

const SLUG_CHARS_MAX: usize = 63;

fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= SLUG_CHARS_MAX
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether `text` has 1 to `chars_max` characters, none of them control characters.
fn is_plain(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl $name {
            /// Takes `text` if it keeps the rule of this type.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                Self::try_from(text.to_owned())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(BadName($rule)) }
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// The name of a queue.
    QueueName, is_slug, SLUG_RULE
);
text_type!(
    /// The name of a tenant.
    TenantName, is_slug, SLUG_RULE
);
text_type!(
    /// The name of a label.
    LabelName, is_slug, SLUG_RULE
);
text_type!(
    /// The name of a checkpoint.
    CheckpointName, is_slug, SLUG_RULE
);
text_type!(
    /// What a workflow is called: 1 to 200 characters, none of them control characters.
    WorkflowName, |text| is_plain(text, 200), "must be 1 to 200 characters, none of them control characters"
);
text_type!(
    /// Short text such as a version, a capability or an environment: 1 to 100 characters, no control characters.
    Word, |text| is_plain(text, 100), "must be 1 to 100 characters, none of them control characters"
);
text_type!(
    /// The id of a robot: `rob_` and 1 to 40 letters or digits.
    RobotId, |text| is_prefixed_id(text, "rob_"), "must be a robot's id, like rob_4f…"
);
text_type!(
    /// The id of an API key: `key_` and 1 to 40 letters or digits.
    KeyId, |text| is_prefixed_id(text, "key_"), "must be a key's id, like key_4f…"
);
text_type!(
    /// The secret that names one lease of one job; whoever shows it holds, or held, that lease.
    LeaseToken, |text| is_plain(text, 100), "must be 1 to 100 characters"
);

fn is_prefixed_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| (1..=40).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

impl QueueName {
    /// The queue of a job that names none.
    pub fn default_queue() -> Self {
        Self("default".to_owned())
    }
}

impl TenantName {
    /// The tenant that is there from the start.
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }
}

/// The id of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// Reads a UUID in its usual hyphenated form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        // The other spellings of a UUID would give one job several addresses.
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok().map(Self))
            .flatten()
    }

    /// The text form in bytes that need no allocation.
    pub fn to_text(self) -> String {
        self.0.hyphenated().to_string()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_is_a_slug() {
        for good in ["a", "default", "0", "a.b_c-d", &"q".repeat(63)] {
            assert!(QueueName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", ".a", "a b", "ä", "a/b", &"q".repeat(64)] {
            assert!(QueueName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_workflow_is_any_text_without_control_characters() {
        assert!(WorkflowName::parse("Rechnung ☂ export").is_ok());
        assert!(WorkflowName::parse(&"ü".repeat(200)).is_ok());
        for bad in ["", "a\u{0}b", "a\nb", &"u".repeat(201)] {
            assert!(WorkflowName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_job_has_one_address() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(JobId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for bad in [
            "",
            "x",
            "01890a5dac96774bbcceb302099a8057",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
        ] {
            assert_eq!(JobId::parse(bad), None, "{bad}");
        }
    }
}
