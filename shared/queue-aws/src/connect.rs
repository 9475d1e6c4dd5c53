//! Clients: made once, from the SDK's default chain, and as patient as a caller over HTTP is.

use std::{collections::HashSet, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{
        Credentials,
        retry::{RetryPartition, TokenBucket},
    },
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use tokio::sync::Mutex;

use crate::{AwsOptions, AwsStore, SqsHints, gate::Gate};

/// How often a call is made before it is given up; the SDK waits longer each time, with jitter.
const TRIES_MAX: u32 = 14;
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_millis(600);

/// Of a call's patience, how many tries share it when none is answered.
const UNANSWERED_TRIES: u32 = 3;
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How long a hint is tried: whoever waits for an answer does not wait for a hint that may as well be lost.
const HINT_PATIENCE: Duration = Duration::from_millis(1_500);

/// What signs calls to an emulator, which looks at neither.
const LOCAL_ACCESS: &str = "local";
const LOCAL_REGION: &str = "us-east-1";

/// What the clients of a store are made of, to be changed before they are.
#[derive(Clone, Debug)]
pub struct ClientConfigs {
    /// For DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Config,
    /// For SQS.
    pub sqs: aws_sdk_sqs::Config,
}

/// A store where `options` say, and the hints that go with it, if they name a queue. Nothing is asked of AWS yet.
pub async fn connect(options: AwsOptions) -> (AwsStore, Option<SqsHints>) {
    let ClientConfigs { dynamodb, sqs } = client_configs(&options).await;
    let hints = options.queue.clone().map(|queue| SqsHints::new(sqs, queue));
    (AwsStore::with_client(Client::from_conf(dynamodb), options), hints)
}

/// What the clients of a store where `options` say are made of.
pub async fn client_configs(options: &AwsOptions) -> ClientConfigs {
    let shared = shared_config(options).await;
    let mut sqs = aws_sdk_sqs::config::Builder::from(&shared).timeout_config(timeouts(HINT_PATIENCE));
    if let Some(endpoint) = options.sqs() {
        sqs.set_endpoint_url(Some(endpoint));
    }
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&shared).retry_partition(retry_partition());
    if let Some(endpoint) = &options.dynamodb {
        dynamodb.set_endpoint_url(Some(endpoint.clone()));
    }
    ClientConfigs {
        dynamodb: dynamodb.build(),
        sqs: sqs.build(),
    }
}

impl AwsStore {
    /// A store that calls by `client`.
    pub fn with_client(client: Client, options: AwsOptions) -> Self {
        Self {
            client,
            table: options.table.as_str().into(),
            options: Arc::new(options),
            registered: Arc::new(Mutex::new(HashSet::new())),
            gate: Arc::new(Gate::default()),
        }
    }
}

/// What the clients of a store have in common.
async fn shared_config(options: &AwsOptions) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(TRIES_MAX)
        .with_initial_backoff(FIRST_WAIT)
        .with_max_backoff(LONGEST_WAIT);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts(options.patience))
        .retry_config(retries);
    if options.dynamodb.as_deref().is_some_and(is_loopback) && std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        loader = for_emulator(loader);
    }
    loader.load().await
}

/// One connector for every call. The SDK's own client makes one for each client of a service only to see whether it can, and
/// another at the first call, and each parses every certificate of the system: most of what a cold start takes.
fn http_client() -> SharedHttpClient {
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_MAX).build())
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// What keeps tries from piling up: with half of all calls throttled they still come through, with all of them they stop.
/// The SDK's own measure gives up some hundred calls after throttling began, however mild it is.
fn retry_partition() -> RetryPartition {
    let tokens = TokenBucket::builder()
        .throttling_retry_cost(1)
        .success_reward(1.0)
        .build();
    RetryPartition::custom("remuda").token_bucket(tokens).build()
}

fn timeouts(patience: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(patience / UNANSWERED_TRIES)
        .operation_timeout(patience)
        .build()
}

/// An emulator on this machine wants a signature, and does not look at it.
fn for_emulator(loader: ConfigLoader) -> ConfigLoader {
    loader
        .region(Region::from_static(LOCAL_REGION))
        .credentials_provider(Credentials::new(LOCAL_ACCESS, LOCAL_ACCESS, None, None, "emulator"))
}

fn is_loopback(endpoint: &str) -> bool {
    match url::Url::parse(endpoint).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
