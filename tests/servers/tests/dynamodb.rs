//! What a test can rely on: a `DynamoDB` Local that answers, data that outlive a stop where that is wanted, and slowness on demand.

use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use servers::{DynamoDb, Service, shared_dynamodb};
use url::Url;

/// How long a paused server is given to answer all the same; one that runs takes a few milliseconds.
const PAUSE: Duration = Duration::from_millis(300);

const TABLE: &str = r#"{
    "TableName": "jobs", "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
    "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }]
}"#;

fn tables(service: &Service) -> String {
    service.call("ListTables", "{}").expect("answers")
}

fn port(service: &Service) -> u16 {
    let url = Url::parse(&service.endpoint()).expect("a URL");
    url.port().expect("it names the port")
}

#[test]
fn the_shared_server_answers_and_says_what_is_wrong() {
    let service = shared_dynamodb().expect("starts");
    assert!(tables(service).starts_with(r#"{"TableNames":["#));
    let missing = service.call("DescribeTable", r#"{"TableName":"no_such_table"}"#);
    let error = format!("{:#}", missing.expect_err("there is no such table"));
    assert!(error.contains("ResourceNotFoundException"), "{error}");
}

#[test]
fn what_is_held_in_memory_goes_with_a_stop() {
    let server = DynamoDb::start().expect("starts");
    let endpoint = server.endpoint();
    server.call("CreateTable", TABLE).expect("makes a table");
    assert_eq!(tables(&server), r#"{"TableNames":["jobs"]}"#);

    server.stop().expect("stops");
    assert!(
        TcpStream::connect(("127.0.0.1", port(&server))).is_err(),
        "still listens"
    );
    assert!(server.call("ListTables", "{}").is_err());

    server.start_again().expect("starts again");
    assert_eq!(server.endpoint(), endpoint);
    assert_eq!(tables(&server), r#"{"TableNames":[]}"#);
}

#[test]
fn what_is_held_on_disk_outlives_a_stop() {
    let server = DynamoDb::builder().on_disk().start().expect("starts");
    server.call("CreateTable", TABLE).expect("makes a table");
    let item = r#"{"TableName":"jobs","Item":{"id":{"S":"one"}}}"#;
    server.call("PutItem", item).expect("writes");

    server.start_again().expect("starts again");
    let key = r#"{"TableName":"jobs","Key":{"id":{"S":"one"}},"ConsistentRead":true}"#;
    assert_eq!(
        server.call("GetItem", key).expect("reads"),
        r#"{"Item":{"id":{"S":"one"}}}"#
    );
}

#[test]
fn a_paused_server_answers_nothing_until_it_is_resumed() {
    let server = DynamoDb::start().expect("starts");
    server.pause().expect("pauses");
    let (sender, answers) = channel();
    let service = Service::clone(&server);
    thread::spawn(move || sender.send(service.call("ListTables", "{}")));
    assert!(matches!(answers.recv_timeout(PAUSE), Err(RecvTimeoutError::Timeout)));

    server.resume().expect("resumes");
    let answer = answers.recv().expect("answers").expect("lists tables");
    assert_eq!(answer, r#"{"TableNames":[]}"#);
}

#[test]
fn a_server_that_is_stopped_cannot_be_paused() {
    let server = DynamoDb::start().expect("starts");
    server.stop().expect("stops");
    assert!(server.pause().is_err());
    server.start_again().expect("starts again");
    server.pause().expect("pauses");
    server.start_again().expect("starts again, paused or not");
    assert_eq!(tables(&server), r#"{"TableNames":[]}"#);
}
