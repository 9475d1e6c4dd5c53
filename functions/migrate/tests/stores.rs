//! The same answers on a store of every kind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use app::{App, OpenStore, Settings, settings};
use domain::TenantName;
use migrate::{Failed, handle};
use serde_json::{Value, json};

async fn open(url: &str) -> (OpenStore, App) {
    let settings = Settings::from_variables(|name| (name == settings::STORE).then(|| url.to_owned())).unwrap();
    let store = OpenStore::open(&settings).await.unwrap();
    let app = App::on(&store, &settings);
    (store, app)
}

fn is_whole(answer: &Value) -> bool {
    let steps = answer["migrations"].as_array().unwrap();
    !steps.is_empty()
        && steps
            .iter()
            .all(|step| step["intact"] == true && step["applied_at"].is_string() && step["name"].is_string())
}

/// On a store that lacks everything: it says so, is brought up to date once, and then makes keys.
async fn from_nothing_to_a_key(url: &str) {
    let (store, app) = open(url).await;
    let ask = async |event: Value| handle(&store, &app, event).await;

    let before = ask(json!({ "action": "state" })).await.unwrap();
    assert_eq!(before["applied"], json!([]));
    assert!(!is_whole(&before), "{before}");
    let error = ask(json!({ "action": "create_key" })).await.unwrap_err();
    assert!(
        matches!(&error, Failed::Store(why) if why.contains("migrate")),
        "{error}"
    );

    let migrated = ask(json!({})).await.unwrap();
    let steps = migrated["migrations"].as_array().unwrap().len();
    assert_eq!(migrated["applied"].as_array().unwrap().len(), steps, "{migrated}");
    assert!(is_whole(&migrated), "{migrated}");
    let again = ask(json!({ "action": "migrate" })).await.unwrap();
    assert_eq!(
        (&again["applied"], &again["migrations"]),
        (&json!([]), &migrated["migrations"])
    );
    assert_eq!(ask(json!({ "action": "state" })).await.unwrap(), again);

    makes_keys(&store, &app).await;
}

async fn makes_keys(store: &OpenStore, app: &App) {
    let first = handle(store, app, json!({ "action": "create_key" })).await.unwrap();
    assert_eq!(
        (&first["tenant"], &first["scopes"]),
        (&json!("default"), &json!(["admin"]))
    );
    assert!(first["key"].as_str().unwrap().starts_with("rk_"), "it is a key");
    let event = json!({ "action": "create_key", "tenant": "acme", "name": "ci", "scopes": ["jobs:write"] });
    let second = handle(store, app, event).await.unwrap();
    assert_ne!(first["key"], second["key"]);
    for (answer, tenant, name) in [(first, "default", "first admin"), (second, "acme", "ci")] {
        let kept = app
            .engine
            .keys(&TenantName::parse(tenant).unwrap(), None, 10)
            .await
            .unwrap();
        let kept: Vec<_> = kept.items.iter().map(|key| (key.id.as_str(), &*key.name)).collect();
        assert_eq!(kept, [(answer["key_id"].as_str().unwrap(), name)]);
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_sqlite_a_new_store_comes_to_a_key() {
    let folder = tempfile::tempdir().unwrap();
    from_nothing_to_a_key(&format!("sqlite:{}", folder.path().join("store.db").display())).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_new_store_comes_to_a_key() {
    let url = servers::shared().unwrap().fresh_database().unwrap();
    from_nothing_to_a_key(&url).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_the_role_is_given_its_limits_too() {
    let url = servers::shared().unwrap().fresh_database().unwrap();
    let url = format!("{url}?session=role");
    from_nothing_to_a_key(&url).await;
    let (store, app) = open(&url).await;
    let state = handle(&store, &app, json!({ "action": "state" })).await.unwrap();
    assert_eq!(state["migrations"][0]["name"], "set the role's session limits");
}

#[cfg(feature = "sqs")]
#[tokio::test(flavor = "multi_thread")]
async fn on_dynamodb_the_table_is_made_by_others_and_what_it_lacks_is_told() {
    let endpoint = servers::shared_dynamodb().unwrap().endpoint();
    let micros = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let (store, app) = open(&format!("sqs://migrate-{micros}?dynamodb={endpoint}")).await;

    let state = handle(&store, &app, json!({ "action": "state" })).await.unwrap();
    assert!(!is_whole(&state), "{state}");
    let error = handle(&store, &app, json!({})).await.unwrap_err().to_string();
    assert!(
        error.contains("is missing") && error.contains("terraform apply"),
        "{error}"
    );
    let state = handle(&store, &app, json!({ "action": "state" })).await.unwrap();
    assert!(!is_whole(&state), "nothing was made: {state}");

    store.migrate().await.unwrap();
    let whole = handle(&store, &app, json!({})).await.unwrap();
    assert_eq!(whole["applied"], json!([]));
    assert!(is_whole(&whole), "{whole}");
    makes_keys(&store, &app).await;
}
