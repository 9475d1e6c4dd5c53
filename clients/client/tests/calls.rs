//! Calls against a small server: what it hears, and what the client makes of its answers.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use remuda_client::{CallError, Client, Method, Retry, segment};
use serde_json::{Value, json};

async fn serve(router: Router) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(&base, Some("rk_key")).unwrap()
}

async fn echo(method: axum::http::Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Json(json!({
        "method": method.as_str(), "uri": uri.to_string(), "key": header("authorization"), "type": header("content-type"),
        "extra": header("x-lease-token"), "body": String::from_utf8(body.to_vec()).unwrap(),
    }))
}

fn problem(status: StatusCode, code: &str) -> Response {
    (
        status,
        [("content-type", "application/problem+json")],
        json!({"code": code, "title": code}).to_string(),
    )
        .into_response()
}

#[tokio::test]
async fn a_call_carries_the_key_the_query_and_the_body() {
    let client = serve(Router::new().fallback(any(echo))).await;
    let path = format!("/v1/queues/{}", segment("a/b c"));
    let heard: Value = client
        .request(Method::PUT, &path)
        .query(&[("label.team", "a&b".to_owned())])
        .header("x-lease-token", "lt")
        .json(&json!({"paused": true}))
        .send()
        .await
        .unwrap();
    let expected = json!({
        "method": "PUT", "uri": "/v1/queues/a%2Fb%20c?label.team=a%26b", "key": "Bearer rk_key", "type": "application/json",
        "extra": "lt", "body": "{\"paused\":true}",
    });
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn bytes_keep_their_content_type() {
    let client = serve(Router::new().fallback(any(echo))).await.with_key("rk_other");
    let heard: Value = client
        .request(Method::PUT, "/log")
        .bytes("text/plain", "two\nlines")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (&heard["type"], &heard["body"], &heard["key"]),
        (&json!("text/plain"), &json!("two\nlines"), &json!("Bearer rk_other"))
    );
}

#[tokio::test]
async fn an_empty_answer_reads_as_nothing() {
    let client = serve(Router::new().route("/empty", any(|| async { StatusCode::NO_CONTENT }))).await;
    client.request(Method::PUT, "/empty").send::<()>().await.unwrap();
    assert_eq!(client.get::<Value>("/empty", &[]).await.unwrap(), Value::Null);
    client.delete("/empty").await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code() {
    let client =
        serve(Router::new().route("/job", get(|| async { problem(StatusCode::CONFLICT, "lease_lost") }))).await;
    let error = client.get::<Value>("/job", &[]).await.unwrap_err();
    assert_eq!((error.code(), error.is_transient()), (Some("lease_lost"), false));
    assert_eq!(error.to_string(), "409 lease_lost: lease_lost");
}

#[tokio::test]
async fn a_proxys_page_is_unexpected_and_transient_by_its_status() {
    let router = Router::new()
        .route(
            "/502",
            get(|| async { (StatusCode::BAD_GATEWAY, "<html>\nBad Gateway</html>") }),
        )
        .route("/200", get(|| async { "hello" }));
    let client = serve(router).await;
    let error = client.get::<Value>("/502", &[]).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        "unexpected answer 502: no answer of a Remuda server (it begins `<html> Bad Gateway</html>`)"
    );
    assert!(matches!(
        client.get::<Value>("/200", &[]).await,
        Err(CallError::Unexpected { .. })
    ));
    assert_eq!(client.get_text("/200", &[]).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_key_does_not_follow_a_redirect() {
    let router = Router::new()
        .route("/here", get(|| async { Redirect::temporary("/there") }))
        .route("/there", any(echo));
    let error = serve(router).await.get::<Value>("/here", &[]).await.unwrap_err();
    assert_eq!(error.status().unwrap(), StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_in_one_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new(&base, None)
        .unwrap()
        .get::<Value>("/v1/jobs", &[("state", "x".to_owned())])
        .await
        .unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!("cannot reach {base}/v1/jobs: Connection refused (os error 111)")
    );
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_unreachable() {
    let client = serve(Router::new().route("/slow", get(std::future::pending::<String>))).await;
    let error = client
        .with_timeout(Duration::from_millis(20))
        .get_text("/slow", &[])
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("/slow: no answer in time"), "{error}");
}

#[tokio::test]
async fn only_transient_failures_are_repeated_and_only_so_often() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let answer = move |path: axum::extract::Path<String>| async move {
        match (counted.fetch_add(1, Ordering::SeqCst), path.as_str()) {
            (_, "down") | (0, "late") => problem(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            (_, "late") => Json(json!("there")).into_response(),
            _ => problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        }
    };
    let client = serve(Router::new().route("/{path}", post(answer))).await;
    let retry = Retry {
        tries_max: 3,
        wait_first: Duration::from_millis(1),
        wait_max: Duration::from_millis(2),
    };
    for (path, made, code) in [
        ("/late", 2, None),
        ("/down", 3, Some("store_unavailable")),
        ("/wrong", 1, Some("invalid")),
    ] {
        calls.store(0, Ordering::SeqCst);
        let answered = retry.run(|| client.post::<_, Value>(path, &Value::Null)).await;
        assert_eq!(answered.as_ref().err().and_then(CallError::code), code, "{path}");
        assert_eq!(calls.load(Ordering::SeqCst), made, "{path}");
    }
}
