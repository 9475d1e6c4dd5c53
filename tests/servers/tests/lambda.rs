//! What a test can rely on: functions behind one port, with the environment that they were given.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use servers::{LambdaWatch, cargo_lambda, workspace_root};

/// A function in a few lines: answers each call with a variable of its environment.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import os, urllib.request
api = os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    call = urllib.request.urlopen(api + "next")
    name = call.headers["lambda-runtime-aws-request-id"]
    urllib.request.urlopen(api + name + "/response", os.environ["GREETING"].encode())
"#;

fn root() -> std::path::PathBuf {
    workspace_root(Some(Path::new(env!("CARGO_MANIFEST_DIR")))).expect("is in one")
}

fn invoke(url: &str, function: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("listens");
    let path = format!("/2015-03-31/functions/{function}/invocations");
    write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}").expect("is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    answer
}

#[test]
fn a_function_is_run_from_a_folder_with_the_variables_that_were_set() {
    let functions = tempfile::tempdir().expect("a folder");
    let function = functions.path().join("dispatch");
    fs::write(&function, FUNCTION).expect("is written");
    fs::set_permissions(&function, fs::Permissions::from_mode(0o755)).expect("is a program");
    let watch = LambdaWatch::builder(&root())
        .functions(functions.path())
        .variable("GREETING", r#""a $b & c = d""#)
        .quiet()
        .start()
        .expect("starts");
    let answer = invoke(&watch.url(), "dispatch");
    assert!(answer.ends_with(r#""a $b & c = d""#), "{answer}");
    let answer = invoke(&watch.url(), "no-such-function");
    assert!(answer.contains("404"), "{answer}");
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let watch = LambdaWatch::builder(&root()).quiet().start().expect("starts");
    let port = watch
        .url()
        .rsplit_once(':')
        .expect("a port")
        .1
        .parse()
        .expect("a number");
    let error = LambdaWatch::builder(&root())
        .port(port)
        .start()
        .err()
        .expect("is taken");
    assert!(error.to_string().contains("in use"), "{error}");
}

#[test]
fn cargo_lambda_is_found_or_fetched() {
    assert!(cargo_lambda().expect("is there").is_file());
}
