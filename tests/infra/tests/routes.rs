//! The routes of Terraform, of the OpenAPI document and of the routers are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_tests::World;
use infra_tests::{Routes, routes};
use queue::memory::MemoryStore;
use serde_json::Value;

/// What the routers of the functions say that they serve.
async fn served() -> Routes {
    let app = World::on(Arc::new(MemoryStore::new())).await.app;
    let functions = [
        ("submit", submit::router(app.clone()).1),
        ("robot-callback", robot_callback::router(app.clone()).1),
        ("control", control::router(app).1),
    ];
    let mut served = Routes::new();
    for (function, document) in functions {
        let document = serde_json::to_value(document).expect("the document is JSON");
        served.extend(operations(&document).into_iter().map(|key| (key, function.to_owned())));
    }
    served
}

/// Each path and method of an OpenAPI document.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("there are paths").iter();
    let each = paths.flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("there are operations").keys();
        methods.map(|method| (path.clone(), method.to_uppercase()))
    });
    each.collect()
}

/// What is different, a line each.
fn differences(terraform: &Routes, routers: &Routes) -> Vec<String> {
    let keys: BTreeSet<_> = terraform.keys().chain(routers.keys()).collect();
    let tell = |key: &(String, String)| {
        let (here, there) = (terraform.get(key), routers.get(key));
        let (path, method) = key;
        (here != there).then(|| format!("{method} {path}: Terraform sends it to {here:?}, served by {there:?}"))
    };
    keys.into_iter().filter_map(tell).collect()
}

#[tokio::test]
async fn terraform_sends_each_route_to_the_function_that_serves_it() {
    let (terraform, served) = (routes().expect("the routes can be read"), served().await);
    assert!(served.len() > 30, "the routers are not read at all");
    assert_eq!(differences(&terraform, &served), [] as [String; 0]);
}

#[test]
fn terraform_has_every_route_of_the_document_and_no_other() {
    let document: Value = serde_json::from_str(control::DOCUMENT).expect("the document is JSON");
    let terraform: BTreeSet<_> = routes().expect("the routes can be read").into_keys().collect();
    assert_eq!(terraform, operations(&document));
}

#[test]
fn a_route_that_is_missing_or_goes_elsewhere_is_a_difference() {
    let route = |path: &str, function: &str| ((path.to_owned(), "GET".to_owned()), function.to_owned());
    let routers = BTreeMap::from([route("/a", "control"), route("/b", "submit")]);
    for terraform in [
        BTreeMap::from([route("/a", "control")]),
        BTreeMap::from([route("/a", "control"), route("/b", "control")]),
        BTreeMap::from([route("/a", "control"), route("/b", "submit"), route("/c", "submit")]),
    ] {
        assert_eq!(differences(&terraform, &routers).len(), 1, "{terraform:?}");
    }
    assert_eq!(differences(&routers, &routers).len(), 0);
}
