//! The routes of `cargo lambda watch` in the workspace's metadata, held to the routers of the functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_tests::World;
use cargo_metadata::{Metadata, MetadataCommand};
use lambda_tests::root;
use matchit::Router;
use queue::memory::MemoryStore;
use serde::Deserialize;
use serde_json::Value;

/// Has every path that no function serves, and every method that a path does not know.
const REST: &str = "control";

/// The methods of HTTP that a client may well try.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What the table says of a path, as `cargo lambda watch` reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Served {
    By(String),
    ByMethod(Vec<ByMethod>),
}

#[derive(Clone, Debug, Deserialize)]
struct ByMethod {
    method: String,
    function: String,
}

impl Served {
    fn by(&self, method: &str) -> Option<&str> {
        match self {
            Served::By(function) => Some(function),
            Served::ByMethod(all) => all.iter().find(|it| it.method == method).map(|it| it.function.as_str()),
        }
    }
}

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    let read = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
    read.expect("cargo tells what the workspace holds")
}

fn table() -> BTreeMap<String, Served> {
    let table = &metadata().workspace_metadata["lambda"]["watch"]["router"];
    serde_json::from_value(table.clone()).expect("paths with functions")
}

fn router(table: &BTreeMap<String, Served>) -> Router<Served> {
    let mut router = Router::new();
    for (path, served) in table {
        router.insert(path, served.clone()).expect("the paths go together");
    }
    router
}

/// Each path and method that the router of a function serves, with the function.
async fn served() -> BTreeMap<(String, String), &'static str> {
    let app = World::on(Arc::new(MemoryStore::new())).await.app;
    let functions = [
        ("submit", submit::router(app.clone()).1),
        ("robot-callback", robot_callback::router(app.clone()).1),
        ("control", control::router(app).1),
    ];
    let mut served = BTreeMap::new();
    for (function, document) in functions {
        let document = serde_json::to_value(document).expect("the document is JSON");
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for method in operations.as_object().expect("operations").keys() {
                served.insert((path.clone(), method.to_uppercase()), function);
            }
        }
    }
    served
}

#[tokio::test]
async fn each_path_and_method_goes_to_the_function_that_serves_it() {
    let (served, table) = (served().await, table());
    assert!(served.len() > 30, "the routers are not read at all");
    let router = router(&table);
    for ((path, method), function) in &served {
        let called = path.replace('{', "a-").replace('}', "");
        let found = router.at(&called).expect("there is a route for everything");
        assert_eq!(found.value.by(method), Some(*function), "{method} {path}");
    }
}

#[tokio::test]
async fn the_document_that_is_served_has_the_same_paths_and_methods() {
    let document: Value = serde_json::from_str(control::DOCUMENT).expect("the document is JSON");
    let told = document["paths"].as_object().expect("paths").iter();
    let told: BTreeSet<(String, String)> = told
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            methods.map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    assert_eq!(told, served().await.into_keys().collect());
}

#[tokio::test]
async fn no_route_is_there_for_what_is_not_served() {
    let served = served().await;
    for (path, route) in table() {
        if path == "/" || path == "/{*path}" {
            assert_eq!(route.by("GET"), Some(REST), "{path}");
            continue;
        }
        let of_path = |function: &str| served.iter().any(|((it, _), by)| *it == path && *by == function);
        match route {
            Served::By(function) => assert!(of_path(&function), "{function} does not serve {path}"),
            Served::ByMethod(all) => {
                for ByMethod { method, function } in all {
                    let by = served.get(&(path.clone(), method.clone())).copied();
                    assert_eq!(function, by.unwrap_or(REST), "{method} {path}");
                }
            }
        }
    }
}

/// So that a wrong path is a 404, and a wrong method a 405, of ours.
#[test]
fn every_path_and_method_has_a_function() {
    let table = table();
    let router = router(&table);
    for path in [
        "/",
        "/nothing",
        "/v1/nothing/at/all",
        "/v1/jobs",
        "/v1/jobs/1",
        "/v1/robots",
        "/v1/robots/1/sync",
    ] {
        for method in METHODS {
            let found = router.at(path).expect("there is a route for everything");
            assert!(found.value.by(method).is_some(), "{method} {path}");
        }
    }
}

/// `cargo lambda watch` runs a function by `cargo run --bin NAME`, which looks only there.
#[test]
fn every_function_is_where_cargo_run_finds_it() {
    let metadata = metadata();
    let found: BTreeSet<&str> = metadata
        .workspace_default_packages()
        .into_iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin())
        .map(|target| target.name.as_str())
        .collect();
    for function in [
        "submit",
        "dispatch",
        "timeout-sweep",
        "robot-callback",
        "control",
        "migrate",
    ] {
        assert!(found.contains(function), "{function} is not among {found:?}");
    }
}
