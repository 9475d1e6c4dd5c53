//! Events as AWS makes them, and what it reads from the answers.

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};

use super::queues::{Attribute, Message};

/// The account that emulators say they are.
const ACCOUNT: &str = "123456789012";

/// Where emulators say they are.
const REGION: &str = "us-east-1";

/// The event that a mapping of the queue with this ARN invokes its function with.
pub(super) fn of_messages(messages: &[Message], arn: &str) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| record(message, arn)).collect();
    json!({ "Records": records })
}

fn record(message: &Message, arn: &str) -> Value {
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": attributes(&message.sent_beside),
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(':').nth(3).unwrap_or(REGION),
    });
    if let Some(digest) = &message.md5_of_sent_beside {
        record["md5OfMessageAttributes"] = json!(digest);
    }
    record
}

fn attributes(attributes: &BTreeMap<String, Attribute>) -> Map<String, Value> {
    let shown = |(name, attribute): (&String, &Attribute)| {
        let mut shown = json!({ "dataType": attribute.data_type, "stringListValues": [], "binaryListValues": [] });
        if let Some(text) = &attribute.string_value {
            shown["stringValue"] = json!(text);
        }
        if let Some(bytes) = &attribute.binary_value {
            shown["binaryValue"] = json!(bytes);
        }
        (name.clone(), shown)
    };
    attributes.iter().map(shown).collect()
}

/// The messages that are to be deleted, by what the function answered to the event: all but those that it names.
///
/// As on AWS nothing said is nothing failed, and an answer that cannot be understood, or names a message that was not in the
/// event, fails them all.
pub(super) fn handled<'a>(messages: &'a [Message], answer: &Value) -> Vec<&'a Message> {
    let failures = match answer.get("batchItemFailures") {
        None if answer.is_null() || answer.as_object().is_some_and(Map::is_empty) => return messages.iter().collect(),
        Some(Value::Null) => return messages.iter().collect(),
        Some(Value::Array(failures)) => failures,
        _ => return Vec::new(),
    };
    let mut left: Vec<&Message> = messages.iter().collect();
    for failure in failures {
        let named = failure.get("itemIdentifier").and_then(Value::as_str);
        if !messages.iter().any(|message| named == Some(&message.id)) {
            return Vec::new();
        }
        left.retain(|message| named != Some(&message.id));
    }
    left
}

/// The event of a schedule that ticks at this moment, by the rule of this name; `id` is like a UUID.
pub(super) fn of_schedule(rule: &str, id: u128, at: Timestamp) -> Value {
    let second = at.round(Unit::Second).unwrap_or(at);
    json!({
        "version": "0",
        "id": uuid(id),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": second.to_string(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}")],
        "detail": {},
    })
}

fn uuid(number: u128) -> String {
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| &digits[part]).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as SQS gives it, with everything that it can have.
    fn message(id: &str) -> Message {
        serde_json::from_value(json!({
            "MessageId": id,
            "ReceiptHandle": "AQEB",
            "Body": r#"{"tenant":"default","queue":"default"}"#,
            "MD5OfBody": "d41d8",
            "MD5OfMessageAttributes": "e99a1",
            "Attributes": {
                "ApproximateReceiveCount": "2",
                "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "MessageGroupId": "default",
            },
            "MessageAttributes": { "traceparent": { "DataType": "String", "StringValue": "00-0af7-b7ad-01" } },
        }))
        .unwrap()
    }

    #[test]
    fn a_message_becomes_a_record_with_all_that_it_says() {
        let event = of_messages(&[message("m-1")], "arn:aws:sqs:eu-central-1:123456789012:hints");
        let expected = json!({ "Records": [{
            "messageId": "m-1",
            "receiptHandle": "AQEB",
            "body": r#"{"tenant":"default","queue":"default"}"#,
            "attributes": {
                "ApproximateReceiveCount": "2",
                "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "MessageGroupId": "default",
            },
            "messageAttributes": { "traceparent": {
                "stringValue": "00-0af7-b7ad-01", "stringListValues": [], "binaryListValues": [], "dataType": "String",
            } },
            "md5OfBody": "d41d8",
            "md5OfMessageAttributes": "e99a1",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:hints",
            "awsRegion": "eu-central-1",
        }] });
        assert_eq!(event, expected);
    }

    #[test]
    fn what_is_deleted_is_what_the_answer_leaves() {
        let messages = [message("m-1"), message("m-2"), message("m-3")];
        let failed = |id: Value| json!({ "batchItemFailures": [{ "itemIdentifier": id }] });
        for (answer, left) in [
            (json!(null), "m-1 m-2 m-3"),
            (json!({}), "m-1 m-2 m-3"),
            (json!({ "batchItemFailures": null }), "m-1 m-2 m-3"),
            (json!({ "batchItemFailures": [] }), "m-1 m-2 m-3"),
            (failed(json!("m-2")), "m-1 m-3"),
            (failed(json!("m-9")), ""),
            (failed(json!("")), ""),
            (failed(json!(null)), ""),
            (json!({ "batchItemFailures": [{ "id": "m-2" }] }), ""),
            (json!({ "failures": [] }), ""),
            (json!("done"), ""),
        ] {
            let ids: Vec<&str> = handled(&messages, &answer).iter().map(|it| &*it.id).collect();
            assert_eq!(ids.join(" "), left, "{answer}");
        }
    }

    #[test]
    fn a_schedule_ticks_as_the_sample_shows() {
        let sample = include_str!("../../../../../events/dispatch/schedule.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let at: Timestamp = "2026-11-21T12:00:00.25Z".parse().unwrap();
        let mut event = of_schedule("remuda-tick", 0x53dc_4d37_cffa_4f76_80c9_8b7d_4a4d_2eaa, at);
        event["region"] = sample["region"].clone();
        event["resources"] = sample["resources"].clone();
        assert_eq!(event, sample);
    }
}
