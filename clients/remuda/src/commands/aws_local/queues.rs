//! The queue of hints and the one for its dead letters, at an SQS of this machine.

use std::collections::BTreeMap;
use std::time::Duration;

use remuda_client::{CallError, Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsLocal;
use crate::failure::Failure;

/// How many messages one call brings or deletes at most.
const BATCH: usize = 10;

/// How long SQS holds a call that waits for a message.
const WAIT_SECONDS: u32 = 20;

/// How long an answer may take, which is longer than a call is held.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What stands for a signature: an emulator wants to see one, and looks at none.
const SIGNATURE: &str =
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";

/// Both queues.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    /// The URL of the queue of hints.
    pub(super) hints: String,
    /// The URL of the queue of dead letters.
    pub(super) dead_letters: String,
    /// The name of the queue of hints in all of AWS.
    pub(super) arn: String,
}

/// A message as SQS gives it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    #[serde(rename = "MessageId")]
    pub(super) id: String,
    pub(super) receipt_handle: String,
    pub(super) body: String,
    #[serde(rename = "MD5OfBody")]
    pub(super) md5_of_body: String,
    /// What SQS says of it, by name.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(rename = "MD5OfMessageAttributes")]
    pub(super) md5_of_sent_beside: Option<String>,
    /// What its sender says beside the body, by name.
    #[serde(rename = "MessageAttributes", default)]
    pub(super) sent_beside: BTreeMap<String, Attribute>,
}

/// What a sender says beside the body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) data_type: String,
    pub(super) string_value: Option<String>,
    pub(super) binary_value: Option<String>,
}

impl Queues {
    /// Makes both if they are missing, and sets what is asked for.
    pub(super) async fn make(endpoint: &str, local: &AwsLocal) -> Result<Self, Failure> {
        let client = Client::new(endpoint, None)?;
        let dead_letters = create(&client, &format!("{}-dead-letters", local.queue)).await?;
        let hints = create(&client, &local.queue).await?;
        let redrive = json!({
            "deadLetterTargetArn": arn_of(&client, &dead_letters).await?,
            "maxReceiveCount": local.receives.to_string(),
        });
        let attributes = json!({
            "VisibilityTimeout": local.visibility.to_string(),
            "RedrivePolicy": redrive.to_string(),
        });
        let input = json!({ "QueueUrl": hints, "Attributes": attributes });
        call(&client, "SetQueueAttributes", &input).await?;
        Ok(Queues {
            arn: arn_of(&client, &hints).await?,
            client,
            hints,
            dead_letters,
        })
    }

    /// Up to ten messages of the queue of hints, as soon as there is any; none when there is none for a while.
    pub(super) async fn receive(&self) -> Result<Vec<Message>, CallError> {
        let input = json!({
            "QueueUrl": self.hints,
            "MaxNumberOfMessages": BATCH,
            "WaitTimeSeconds": WAIT_SECONDS,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let answer = call(&self.client, "ReceiveMessage", &input).await?;
        let messages = answer.get("Messages").cloned().unwrap_or_else(|| json!([]));
        // One that cannot be read is left, and goes the way of all that nobody handles.
        let messages = messages.as_array().cloned().unwrap_or_default();
        Ok(messages
            .into_iter()
            .filter_map(|message| serde_json::from_value(message).ok())
            .collect())
    }

    /// Deletes these messages, at most ten, from the queue of hints.
    pub(super) async fn delete(&self, messages: &[&Message]) -> Result<(), CallError> {
        if messages.is_empty() {
            return Ok(());
        }
        let entry = |(place, message): (usize, &&Message)| json!({ "Id": place.to_string(), "ReceiptHandle": message.receipt_handle });
        let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
        let input = json!({ "QueueUrl": self.hints, "Entries": entries });
        // One that is not deleted comes again, which is harmless.
        call(&self.client, "DeleteMessageBatch", &input).await.map(drop)
    }
}

/// The URL of the queue of this name, made if it is missing.
async fn create(client: &Client, name: &str) -> Result<String, Failure> {
    let answer = call(client, "CreateQueue", &json!({ "QueueName": name })).await?;
    text(&answer, "/QueueUrl")
}

async fn arn_of(client: &Client, url: &str) -> Result<String, Failure> {
    let input = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    text(
        &call(client, "GetQueueAttributes", &input).await?,
        "/Attributes/QueueArn",
    )
}

fn text(answer: &Value, pointer: &str) -> Result<String, Failure> {
    let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::Answer(format!("SQS says {answer}, without {pointer}")))
}

async fn call(client: &Client, operation: &str, input: &Value) -> Result<Value, CallError> {
    client
        .request(Method::POST, "/")
        .header("x-amz-target", &format!("AmazonSQS.{operation}"))
        .header("authorization", SIGNATURE)
        .bytes("application/x-amz-json-1.0", input.to_string())
        .timeout(ANSWER_MAX)
        .send()
        .await
}
