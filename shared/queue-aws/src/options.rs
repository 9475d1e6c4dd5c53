//! Where a store on AWS lies, and what may be chosen about it.

use std::time::Duration;

use url::Url;

/// Where a store lies and how it behaves: `sqs://TABLE?queue=URL`, and what may be set beside.
///
/// | parameter | meaning |
/// |---|---|
/// | `queue` | the URL of the SQS queue for hints; without it nothing is hinted, and the schedules find the work |
/// | `retention` | `exact`: finished jobs are purged by the sweep, for one more write unit a job; otherwise by DynamoDB's time to live, which may come days late |
/// | `dynamodb` | the endpoint of another DynamoDB, like that of DynamoDB Local |
///
/// Region, credentials and endpoints come from the SDK's default chain where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsOptions {
    /// The table's name.
    pub table: String,
    /// The URL of the queue for hints.
    pub queue: Option<String>,
    /// Whether the sweep purges every finished job, and not only those with blobs beside them.
    pub exact_retention: bool,
    /// The endpoint of a DynamoDB that is not the region's own.
    pub dynamodb: Option<String>,
    /// How long a call and all its tries may take before the store is said to be out of reach.
    pub patience: Duration,
    /// For how long a count of all ready records is good, for all processes together.
    pub depth_fresh: Duration,
}

/// Why a text is not the address of a store on AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a store on AWS is written sqs://TABLE?queue=https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE")]
pub struct BadAddress(String);

/// What DynamoDB allows in the name of a table.
const TABLE_BYTES: std::ops::RangeInclusive<usize> = 3..=255;

impl AwsOptions {
    /// How long a call may take unless it is said otherwise: a caller over HTTP is to hear `503`, not a gateway's timeout.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// For how long a count of all ready records is good unless it is said otherwise.
    pub const DEPTH_FRESH: Duration = Duration::from_secs(10);

    /// The store on `table`, with no queue for hints and the default of everything else.
    pub fn on_table(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            queue: None,
            exact_retention: false,
            dynamodb: None,
            patience: Self::PATIENCE,
            depth_fresh: Self::DEPTH_FRESH,
        }
    }

    /// Reads the address of a store.
    pub fn parse(address: &str) -> Result<Self, BadAddress> {
        let bad = |what: &str| BadAddress(what.to_owned());
        let url = Url::parse(address).map_err(|_| bad("it cannot be read"))?;
        let table = url.host_str().unwrap_or_default();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if url.scheme() != "sqs" || !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return Err(bad("it is not of that form, and holds no user, password or port"));
        }
        if !TABLE_BYTES.contains(&table.len()) || !table.bytes().all(named) {
            return Err(bad("a table's name has 3 to 255 letters, digits, '_', '.' or '-'"));
        }
        if !matches!(url.path(), "" | "/") {
            return Err(bad("nothing follows the table's name but parameters"));
        }
        let mut options = Self::on_table(table);
        for (name, value) in url.query_pairs() {
            match &*name {
                "queue" => {
                    options.queue = Some(web_address(&value).ok_or_else(|| bad("`queue` must be the URL of a queue"))?);
                }
                "dynamodb" => {
                    options.dynamodb = Some(web_address(&value).ok_or_else(|| bad("`dynamodb` must be a URL"))?);
                }
                "retention" if value == "exact" => options.exact_retention = true,
                "retention" => return Err(bad("`retention` can only be `exact`")),
                _ => return Err(bad("its parameters are `queue`, `retention` and `dynamodb`")),
            }
        }
        Ok(options)
    }

    /// The endpoint of an SQS that is not the region's own: the one that the queue's URL names.
    pub(crate) fn sqs(&self) -> Option<String> {
        let url = Url::parse(self.queue.as_deref()?).ok()?;
        let host = url.host_str()?;
        (!host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn"))
            .then(|| url.origin().ascii_serialization())
    }
}

fn web_address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_table_queue_and_endpoints() {
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/hints";
        let plain = AwsOptions::parse(&format!("sqs://Remuda_1?queue={queue}")).expect("reads");
        assert_eq!(
            (plain.table.as_str(), plain.queue.as_deref()),
            ("Remuda_1", Some(queue))
        );
        assert_eq!((plain.sqs(), plain.exact_retention), (None, false));

        let local = "sqs://remuda?queue=http%3A%2F%2F127.0.0.1%3A4566%2F000000000000%2Fhints&dynamodb=http://127.0.0.1:8000&retention=exact";
        let local = AwsOptions::parse(local).expect("reads");
        assert_eq!(local.sqs().as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(local.dynamodb.as_deref(), Some("http://127.0.0.1:8000"));
        assert!(local.exact_retention);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in [
            "sqs:",
            "sqs://",
            "sqs://ab",
            "sqs://a table",
            "sqs://table/more",
            "sqs://me:secret@table",
            "sqs://table:80",
            "sqs://table?queue=hints",
            "sqs://table?queue=",
            "sqs://table?retention=1",
            "sqs://table?colour=red",
            "postgres://table",
        ] {
            let error = AwsOptions::parse(address).expect_err(address);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
