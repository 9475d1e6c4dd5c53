//! The `OpenAPI` document says what the routes do, and all of it.

use std::sync::Arc;

use api_tests::{Call, World, document};
use queue::memory::MemoryStore;
use serde_json::{Map, Value, json};

/// Every route of the contract, with the statuses that it names beside those of all routes.
const ROUTES: &[(&str, &str, &[u16])] = &[
    ("post", "/v1/jobs", &[201, 200, 400, 401, 403, 409, 413, 415, 422, 503]),
    ("post", "/v1/jobs/bulk", &[200, 400, 413, 415, 422, 503]),
    ("get", "/v1/jobs", &[200, 401, 403, 422]),
    ("get", "/v1/jobs/{id}", &[200, 404]),
    ("get", "/v1/jobs/{id}/history", &[200, 404]),
    ("get", "/v1/jobs/{id}/logs", &[200, 404, 422]),
    ("get", "/v1/jobs/{id}/wait", &[200, 404, 422]),
    ("get", "/v1/jobs/{id}/explain", &[200, 404]),
    ("post", "/v1/jobs/{id}/cancel", &[200, 404, 409]),
    ("post", "/v1/jobs/{id}/retry", &[201, 404, 409]),
    ("post", "/v1/jobs/bulk-cancel", &[200, 422]),
    ("post", "/v1/jobs/bulk-retry", &[200, 422]),
    ("get", "/v1/dead-letters", &[200, 422]),
    ("post", "/v1/dead-letters/{id}/requeue", &[201, 404, 409]),
    ("post", "/v1/dead-letters/{id}/discard", &[200, 404, 409]),
    ("post", "/v1/dead-letters/{id}/resolve", &[200, 404, 409]),
    ("post", "/v1/robots", &[201, 401, 403, 422]),
    ("post", "/v1/robots/{id}/session", &[200, 403]),
    ("post", "/v1/robots/{id}/sync", &[200, 403, 409]),
    ("post", "/v1/jobs/{id}/attempts/{n}/finish", &[200, 409, 413]),
    ("post", "/v1/jobs/{id}/attempts/{n}/release", &[200, 409]),
    ("put", "/v1/jobs/{id}/attempts/{n}/log/{seq}", &[204, 409, 413, 416]),
    ("put", "/v1/jobs/{id}/attempts/{n}/checkpoints/{name}", &[204, 409, 413]),
    ("get", "/v1/queues", &[200, 422]),
    ("put", "/v1/queues/{name}", &[200, 422]),
    ("get", "/v1/robots", &[200, 422]),
    ("get", "/v1/robots/{id}", &[200, 404]),
    ("delete", "/v1/robots/{id}", &[204, 404]),
    ("post", "/v1/robots/{id}/drain", &[200, 404]),
    ("post", "/v1/robots/{id}/resume", &[200, 404]),
    ("post", "/v1/keys", &[201, 422]),
    ("get", "/v1/keys", &[200, 422]),
    ("delete", "/v1/keys/{id}", &[204, 404]),
    ("get", "/v1/stats", &[200, 503]),
    ("get", "/metrics", &[200, 401]),
    ("get", "/health", &[200]),
    ("get", "/ready", &[200, 503]),
    ("get", "/openapi.json", &[200]),
];

async fn world() -> World {
    World::on(Arc::new(MemoryStore::new())).await
}

async fn read() -> (World, Value) {
    let world = world().await;
    let document = serde_json::to_value(document(&world.app)).expect("the document is JSON");
    (world, document)
}

/// Run with `UPDATE_EXPECT=1` to write the document anew after a change of the routes.
#[tokio::test]
async fn the_kept_document_is_what_the_handlers_say() {
    let world = world().await;
    let text = app::openapi::text(&document(&world.app));
    expect_test::expect_file!["../../../functions/control/openapi.json"].assert_eq(&text);
}

#[tokio::test]
async fn every_route_of_the_contract_is_in_the_document_and_no_other() {
    let (_, document) = read().await;
    let mut told: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        told.extend(
            item.as_object()
                .expect("methods")
                .keys()
                .map(|method| (method.clone(), path.clone())),
        );
    }
    let mut expected: Vec<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    for (method, path, statuses) in ROUTES {
        let responses = &document["paths"][path][method]["responses"];
        for status in *statuses {
            assert!(
                responses[status.to_string()].is_object(),
                "{method} {path}: {status} is missing in {responses}"
            );
        }
    }
}

#[tokio::test]
async fn every_refusal_has_a_problem_document_and_every_code_a_meaning() {
    let (_, document) = read().await;
    for (method, path, _) in ROUTES {
        for (status, response) in document["paths"][path][method]["responses"]
            .as_object()
            .expect("responses")
        {
            let name = response["$ref"]
                .as_str()
                .and_then(|at| at.strip_prefix("#/components/responses/"));
            let response = name.map_or(response, |name| &document["components"]["responses"][name]);
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(
                problem.is_string(),
                status.as_str() >= "400",
                "{method} {path} {status}: {response}"
            );
            assert!(
                response["headers"]["x-request-id"].is_object(),
                "{method} {path} {status}"
            );
        }
    }
    let field = &document["components"]["schemas"]["Problem"]["properties"]["code"];
    for code in app::Code::ALL {
        assert!(field["enum"].as_array().expect("words").contains(&json!(code.as_str())));
        assert!(
            field["description"].as_str().expect("a table").contains(code.meaning()),
            "{code:?}"
        );
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let (_, document) = read().await;
    let text = document.to_string();
    let names = text
        .split("#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let lost: Vec<&str> = names.filter(|name| !schemas.contains_key(*name)).collect();
    assert_eq!(lost, Vec::<&str>::new());
}

/// Each object of a request is sent with a field that nobody knows; the refusal names those that are known, and they must
/// be those of the schema.
#[tokio::test]
async fn request_schemas_have_the_fields_that_the_forms_read() {
    let (world, document) = read().await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let (id, job) = (robot.id.clone(), "01890a5d-ac96-774b-bcce-b302099a8057");
    let mut looked_at = 0;
    for (method, path, _) in ROUTES {
        let operation = &document["paths"][path][method];
        let Some(schema) = operation["requestBody"]["content"]["application/json"].get("schema") else {
            continue;
        };
        let mut objects = Vec::new();
        let body = probe(&document, schema, "", &mut objects);
        if objects.is_empty() {
            continue;
        }
        let own = if path.starts_with("/v1/robots") { &id } else { job };
        let path = path.replace("{id}", own).replace("{n}", "1").replace("{name}", "q");
        let robots = operation["security"][0]["bearer"][0] == "robot";
        let key = if robots { &robot.key } else { &world.admin };
        let call = Call::new(&method.to_uppercase(), &path).key(key);
        let told = mistakes(&world, &call, body).await;
        for (pointer, mut fields) in objects {
            let mistake = told.iter().find(|(place, _)| *place == format!("{pointer}/?"));
            let (_, message) = mistake.unwrap_or_else(|| panic!("{method} {path}: {pointer} is not in {told:?}"));
            let known = message.split("known are ").nth(1).unwrap_or_default();
            let mut known: Vec<&str> = known.split(", ").filter(|name| !name.is_empty()).collect();
            known.sort_unstable();
            fields.sort();
            assert_eq!(known, fields, "{method} {path} at {pointer}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 15, "only {looked_at} objects were looked at");
}

/// A body with an unknown field in every object of `schema`, noting each object's place and fields.
fn probe(document: &Value, schema: &Value, pointer: &str, objects: &mut Vec<(String, Vec<String>)>) -> Value {
    let schema = resolved(document, schema);
    if let Some(items) = schema.get("items") {
        let element = resolved(document, items);
        let is_object = element.get("properties").is_some() || element.get("allOf").is_some();
        return if is_object {
            json!([probe(document, items, &format!("{pointer}/0"), objects)])
        } else {
            json!([])
        };
    }
    let properties = properties(document, &schema);
    let is_map = schema.get("additionalProperties").is_some_and(Value::is_object);
    if is_map || (properties.is_empty() && schema["type"] != "object") {
        return if is_map { json!({}) } else { Value::Null };
    }
    objects.push((pointer.to_owned(), properties.keys().cloned().collect()));
    let mut body = json!({ "?": 1 });
    for (name, property) in &properties {
        let value = probe(document, property, &format!("{pointer}/{name}"), objects);
        if !value.is_null() {
            body[name.as_str()] = value;
        }
    }
    body
}

/// What a reference or a choice between `null` and something means.
fn resolved(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return resolved(document, &document["components"]["schemas"][name]);
    }
    let choices = schema["oneOf"].as_array();
    match choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
        Some(choice) => resolved(document, choice),
        None => schema.clone(),
    }
}

fn properties(document: &Value, schema: &Value) -> Map<String, Value> {
    let mut all = schema["properties"].as_object().cloned().unwrap_or_default();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        all.extend(properties(document, &resolved(document, part)));
    }
    all
}

/// Every mistake that the refusal of `body` tells, by its place. The jobs of a bulk are only looked at when the rest is right.
async fn mistakes(world: &World, call: &Call, mut body: Value) -> Vec<(String, String)> {
    let refused = world.send(call.clone().json(&body)).await.refuses(422, "invalid");
    let mut told = places(&refused, "");
    if body["jobs"].is_array() {
        body.as_object_mut().expect("an object").remove("?");
        let answered = world.send(call.clone().json(&body)).await.json();
        told.extend(places(&answered["results"][0]["error"], "/jobs/0"));
    }
    told
}

fn places(problem: &Value, before: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = problem["errors"].as_array().expect("errors").iter();
    errors
        .map(|error| (format!("{before}{}", text(&error["pointer"])), text(&error["message"])))
        .collect()
}
