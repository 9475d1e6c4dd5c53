//! What AWS invokes the functions with.

use std::{cell::RefCell, collections::BTreeSet};

use app::{App, OpenStore, Settings, gateway, settings};
use aws_lambda_events::sqs::SqsEvent;
use lambda_http::{Context, LambdaEvent, lambda_runtime::Service as _, request::LambdaRequest};
use serde_json::Value;

use crate::world::{in_time, on_world, wait_for};

/// An event of `dispatch`, from SQS, a schedule or a person: a batch is answered with messages of its own that failed, and
/// none of those that say something.
pub fn dispatch(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    on_world(|world| {
        let answered = wait_for(dispatch::handle(world.app(), event.clone()));
        if event.get("Records").is_none() {
            let is_tick = event.get("detail-type").is_some() && event.get("source").is_some();
            assert!(answered.is_ok() || !is_tick, "a tick is a tick: {event}");
            return;
        }
        // What is no batch at all comes again as a whole.
        let Ok(batch) = serde_json::from_value::<SqsEvent>(event) else {
            assert!(answered.is_err());
            return;
        };
        let answer = answered.expect("a batch is answered");
        let failed = answer["batchItemFailures"].as_array().expect("a list").iter();
        let failed: BTreeSet<&str> = failed.filter_map(|it| it["itemIdentifier"].as_str()).collect();
        let silent = batch.records.iter().filter(|message| {
            let body = message.body.as_deref().unwrap_or_default();
            serde_json::from_str::<queue::hints::HintMessage>(body).is_err()
        });
        let silent: BTreeSet<&str> = silent.map(|it| it.message_id.as_deref().unwrap_or_default()).collect();
        assert_eq!(failed, silent, "those that say nothing, and no others");
    });
}

/// An event of an HTTP API, as any of the HTTP functions is invoked with it.
pub fn gateway(data: &[u8]) {
    on_world(|world| {
        let data = world.filled(data);
        let Ok(request) = serde_json::from_slice::<LambdaRequest>(&data) else {
            return;
        };
        world.app();
        let call = gateway::service(world.router()).call(LambdaEvent::new(request, Context::default()));
        let Some(answer) = wait_for(in_time(call)) else {
            return;
        };
        let answer = serde_json::to_value(answer.expect("the handler answers")).expect("an answer is JSON");
        let status = answer["statusCode"].as_u64().expect("a status");
        assert!(status < 500, "{answer}");
    });
}

thread_local! {
    static NEW_STORE: RefCell<Option<(OpenStore, App)>> = const { RefCell::new(None) };
}

/// An event of `migrate`: what is wrong with it is told, and what is made is what was asked for.
pub fn migrate(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let (store, app) = NEW_STORE.take().unwrap_or_else(new_store);
    let answered = wait_for(migrate::handle(&store, &app, event.clone()));
    match answered {
        Ok(answer) if event["action"] == "create_key" => {
            let tenant = event["tenant"].as_str().unwrap_or("default");
            assert_eq!(answer["tenant"], tenant, "{event}");
            assert!(
                answer["key"].as_str().is_some_and(|key| key.starts_with("rk_")),
                "{event}"
            );
        }
        Ok(answer) => {
            let steps = answer["migrations"].as_array().expect("steps");
            assert!(steps.iter().all(|step| step["applied_at"].is_string()), "{answer}");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{event}"),
    }
    NEW_STORE.set(Some((store, app)));
}

fn new_store() -> (OpenStore, App) {
    let in_memory = |name: &str| (name == settings::STORE).then(|| "sqlite::memory:".to_owned());
    let settings = Settings::from_variables(in_memory).expect("the settings are right");
    let store = wait_for(OpenStore::open(&settings)).expect("a store in memory opens");
    let app = App::on(&store, &settings);
    (store, app)
}
