//! Hints as messages on a standard SQS queue.
//!
//! The tenant is the message group, so that one tenant's flood does not hold up another's hints (fair queues). What does
//! not go out is let go: state is truth, and the schedules look anyway.

use std::{
    collections::HashMap,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BatchResultErrorEntry, MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        SendMessageBatchRequestEntry,
    },
};
use domain::Timestamp;
use queue::hints::{Hint, HintMessage, Hints};
use tracing::warn;

/// How many messages one request takes.
const BATCH: usize = 10;

/// The longest delay that SQS knows.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// The variable in which Lambda tells the trace of the call that is handled.
const TRACE: &str = "_X_AMZN_TRACE_ID";

/// The attribute of a message that holds the W3C trace context of the job it is about.
const TRACEPARENT: &str = "traceparent";

/// Sends hints to one SQS queue. The client is made with the first one: most calls of most functions send none.
#[derive(Debug)]
pub struct SqsHints {
    client: OnceLock<Client>,
    config: Config,
    queue: String,
}

impl SqsHints {
    /// Hints that go to the queue with the URL `queue`.
    pub fn new(config: Config, queue: String) -> Self {
        Self {
            client: OnceLock::new(),
            config,
            queue,
        }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::from_conf(self.config.clone()))
    }

    async fn send(&self, hints: &[Hint], now: Timestamp) {
        let entries: Vec<SendMessageBatchRequestEntry> = hints
            .iter()
            .enumerate()
            .filter_map(|(place, hint)| entry(place, hint, now))
            .collect();
        if entries.is_empty() {
            return;
        }
        let sent = entries.len();
        match self
            .client()
            .send_message_batch()
            .queue_url(&self.queue)
            .set_entries(Some(entries))
            .send()
            .await
        {
            Ok(answer) if answer.failed().is_empty() => {}
            Ok(answer) => {
                let codes: Vec<&str> = answer.failed().iter().map(BatchResultErrorEntry::code).collect();
                warn!(
                    "{} of {sent} hints were not sent ({}); the schedule will look",
                    codes.len(),
                    codes.join(", ")
                );
            }
            Err(error) => warn!("{sent} hints were not sent ({}); the schedule will look", what(&error)),
        }
    }
}

#[async_trait]
impl Hints for SqsHints {
    async fn wake(&self, hints: &[Hint]) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        for batch in hints.chunks(BATCH) {
            self.send(batch, now).await;
        }
    }
}

/// The message of a hint; `None` when it would have to wait longer than SQS can.
fn entry(place: usize, hint: &Hint, now: Timestamp) -> Option<SendMessageBatchRequestEntry> {
    let wait = hint.not_before.map(|at| at.since(now)).unwrap_or_default();
    if wait > DELAY_MAX {
        return None;
    }
    // Up to the next second, so that what it hints at is due when it comes.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let entry = SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_group_id(hint.tenant.as_str())
        .message_body(serde_json::to_string(&HintMessage::from(hint)).expect("names are plain text"))
        .delay_seconds(i32::try_from(seconds).unwrap_or(0))
        .set_message_system_attributes(trace_header())
        .set_message_attributes(
            hint.traceparent
                .as_ref()
                .map(|trace| HashMap::from([(TRACEPARENT.to_owned(), attribute(trace))])),
        );
    Some(entry.build().expect("it has an id and a body"))
}

/// The trace of the call that is handled, so that what the hint sets off is seen as a part of it.
fn trace_header() -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
    let trace = std::env::var(TRACE).ok().filter(|trace| !trace.is_empty())?;
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(trace)
        .build()
        .ok()?;
    Some(HashMap::from([(
        MessageSystemAttributeNameForSends::AwsTraceHeader,
        value,
    )]))
}

fn attribute(text: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type("String").string_value(text);
    value.build().expect("it has a type")
}

fn what<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(_) => "SQS cannot be reached".to_owned(),
        _ => "the call failed".to_owned(),
    }
}
