//! What a test can rely on: an SQS that does as AWS's in what Remuda uses, and that can be away or slow.

use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use servers::{Service, Sqs, shared_sqs};

/// Less than the longest poll, and far more than an answer takes.
const SOON: Duration = Duration::from_secs(10);

/// A queue and the calls on it.
struct Queue<'a> {
    service: &'a Service,
    url: Value,
}

impl<'a> Queue<'a> {
    /// A queue that no other test has, in this run or an earlier one on the same server.
    fn create(service: &'a Service, name: &str, attributes: &Value) -> Queue<'a> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
        let name = format!("{name}-{}-{}", process::id(), since.as_micros());
        let input = json!({ "QueueName": name, "Attributes": attributes });
        let url = call(service, "CreateQueue", &input)["QueueUrl"].clone();
        Queue { service, url }
    }

    fn call(&self, operation: &str, mut input: Value) -> Value {
        input["QueueUrl"] = self.url.clone();
        call(self.service, operation, &input)
    }

    fn send(&self, body: &str, delay_seconds: u32) {
        self.call(
            "SendMessage",
            json!({ "MessageBody": body, "DelaySeconds": delay_seconds }),
        );
    }

    /// What is there when anything is, at most ten messages.
    fn receive(&self, wait_seconds: u32, visibility_seconds: u32) -> Vec<Value> {
        let input = json!({
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": wait_seconds,
            "VisibilityTimeout": visibility_seconds,
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.call("ReceiveMessage", input);
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> String {
        let input = json!({ "AttributeNames": [name] });
        let answer = self.call("GetQueueAttributes", input);
        answer["Attributes"][name].as_str().unwrap_or_default().to_owned()
    }

    fn counts(&self) -> [String; 3] {
        ["", "NotVisible", "Delayed"].map(|it| self.attribute(&format!("ApproximateNumberOfMessages{it}")))
    }
}

fn call(service: &Service, operation: &str, input: &Value) -> Value {
    let answer = service.call(operation, &input.to_string()).expect("answers");
    if answer.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&answer).expect("is JSON")
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|it| it["Body"].as_str()).collect()
}

#[test]
fn a_batch_keeps_the_group_and_the_trace_of_each_message() {
    let queue = Queue::create(shared_sqs().expect("starts"), "batch", &json!({}));
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let entry = |id: &str| {
        json!({
            "Id": id, "MessageBody": id, "MessageGroupId": "tenant",
            "MessageSystemAttributes": { "AWSTraceHeader": { "DataType": "String", "StringValue": trace } },
        })
    };
    let sent = queue.call("SendMessageBatch", json!({ "Entries": [entry("a"), entry("b")] }));
    assert_eq!(sent["Successful"].as_array().map(Vec::len), Some(2), "{sent}");

    let messages = queue.receive(20, 30);
    assert_eq!(bodies(&messages), ["a", "b"]);
    for message in &messages {
        assert_eq!(message["Attributes"]["MessageGroupId"], "tenant");
        assert_eq!(message["Attributes"]["AWSTraceHeader"], trace);
        assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
    }
    assert_eq!(queue.counts(), ["0", "2", "0"]);

    let entry = |it: &Value| json!({ "Id": it["Body"], "ReceiptHandle": it["ReceiptHandle"] });
    let entries: Vec<_> = messages.iter().map(entry).collect();
    let deleted = queue.call("DeleteMessageBatch", json!({ "Entries": entries }));
    assert_eq!(deleted["Successful"].as_array().map(Vec::len), Some(2), "{deleted}");
    assert_eq!(queue.counts(), ["0", "0", "0"]);
}

#[test]
fn a_long_poll_ends_as_soon_as_there_is_a_message() {
    let queue = Queue::create(shared_sqs().expect("starts"), "poll", &json!({}));
    queue.send("there", 0);
    queue.send("later", 1);
    let begun = Instant::now();
    assert_eq!(bodies(&queue.receive(20, 30)), ["there"]);
    assert_eq!(queue.counts(), ["0", "1", "1"]);
    assert_eq!(bodies(&queue.receive(20, 30)), ["later"]);
    assert!(begun.elapsed() < SOON, "waited {:?}", begun.elapsed());
    assert!(queue.receive(0, 30).is_empty());
}

#[test]
fn a_message_that_is_not_deleted_comes_again_and_then_to_the_dead_letters() {
    let service = shared_sqs().expect("starts");
    let dead = Queue::create(service, "redrive-dead", &json!({}));
    let policy = json!({ "deadLetterTargetArn": dead.attribute("QueueArn"), "maxReceiveCount": "2" });
    let attributes = json!({ "RedrivePolicy": policy.to_string() });
    let queue = Queue::create(service, "redrive", &attributes);
    queue.send("poison", 0);
    for count in ["1", "2"] {
        let messages = queue.receive(20, 1);
        assert_eq!(bodies(&messages), ["poison"]);
        assert_eq!(messages[0]["Attributes"]["ApproximateReceiveCount"], count);
    }
    assert_eq!(bodies(&dead.receive(20, 30)), ["poison"]);
    assert!(queue.receive(0, 30).is_empty());
}

#[test]
fn a_queue_that_is_not_there_is_said_so() {
    let service = shared_sqs().expect("starts");
    let url = format!("{}/123456789012/nowhere", service.endpoint());
    let input = json!({ "QueueUrl": url, "MessageBody": "x" }).to_string();
    let error = service.call("SendMessage", &input).expect_err("is not there");
    assert!(error.to_string().contains("QueueDoesNotExist"), "{error}");
}

#[test]
fn a_server_that_was_away_has_its_queues_again_and_lost_their_messages() {
    let server = Sqs::start().expect("starts");
    let source = Queue::create(&server, "source", &json!({ "VisibilityTimeout": "77" }));
    let dead = Queue::create(&server, "dead", &json!({}));
    let policy = json!({ "deadLetterTargetArn": dead.attribute("QueueArn"), "maxReceiveCount": "5" });
    let attributes = json!({ "RedrivePolicy": policy.to_string() });
    source.call("SetQueueAttributes", json!({ "Attributes": attributes }));
    let gone = Queue::create(&server, "gone", &json!({}));
    gone.call("DeleteQueue", json!({}));
    source.send("hint", 0);

    server.stop().expect("stops");
    assert!(server.call("ListQueues", "{}").is_err());

    server.start_again().expect("starts again");
    assert_eq!(source.attribute("VisibilityTimeout"), "77");
    assert!(source.attribute("RedrivePolicy").contains(":dead-"));
    assert_eq!(source.counts(), ["0", "0", "0"]);
    let queues = call(&server, "ListQueues", &json!({}));
    assert_eq!(queues["QueueUrls"], json!([source.url, dead.url]));
}

#[test]
fn a_call_that_is_no_call_does_not_end_the_server() {
    let service = shared_sqs().expect("starts");
    for input in ["", "null", "{", "[1]"] {
        assert!(service.call("SendMessage", input).is_err(), "{input:?} was taken");
        assert!(service.call("NoSuchOperation", input).is_err(), "{input:?} was taken");
    }
    assert!(service.call("ListQueues", "{}").is_ok());
}
