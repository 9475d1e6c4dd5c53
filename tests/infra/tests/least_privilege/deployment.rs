//! One deployment on DynamoDB Local: each function with a client of its own, which its guard holds.

use std::collections::BTreeMap;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use api_tests::{MovableClock, World};
use app::clock::SystemEntropy;
use app::{App, OpenStore, http};
use aws_sdk_dynamodb::Client;
use queue::hints::NoHints;
use queue::{Engine, Settings};
use queue_aws::{AwsOptions, AwsStore, client_configs};
use serde_json::json;

use crate::guard::Guard;

/// The functions behind one router, and those that are behind none.
pub(crate) struct Deployment {
    pub(crate) world: World,
    apps: BTreeMap<&'static str, App>,
}

impl Deployment {
    /// A deployment as an operator finds it who has run `migrate` and made a key by it.
    pub(crate) async fn new(guards: &BTreeMap<&'static str, Guard>) -> Self {
        let server = servers::shared_dynamodb().expect("DynamoDB Local runs");
        let options = AwsOptions {
            dynamodb: Some(server.endpoint()),
            patience: Duration::from_mins(1),
            // Written down, and counted anew each time, as after the seconds that a count is good for.
            depth_fresh: Duration::from_nanos(1),
            ..AwsOptions::on_table(format!("least-privilege-{}", process::id()))
        };
        // As Terraform does it, the table is there before any function is.
        let (made, _) = queue_aws::connect(options.clone()).await;
        made.migrate().await.expect("the table can be made");
        let clock = MovableClock::default();
        let (mut apps, mut migrated) = (BTreeMap::new(), None);
        for (function, guard) in guards {
            let store = guarded(&options, guard).await;
            let (clock, entropy) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
            let settings = Settings {
                heartbeat: Settings::HEARTBEAT_MAX,
                ..Settings::default()
            };
            if *function == "migrate" {
                migrated = Some(OpenStore::Sqs(Arc::new(store.clone()), Arc::new(NoHints)));
            }
            let engine = Engine::new(Arc::new(store), Arc::new(NoHints), clock, entropy.clone(), settings);
            apps.insert(*function, App::new(engine, entropy));
        }
        let admin = first_key(&migrated.expect("migrate is a function"), &apps["migrate"]).await;
        let world = world(&apps, clock, admin);
        Self { world, apps }
    }

    /// Calls `sweeper`, and with it everything that is due.
    pub(crate) async fn sweep(&self, sweeper: &str) {
        let app = &self.apps[sweeper];
        let done = if sweeper == "dispatch" {
            dispatch::handle(app, json!({ "tenant": "default", "queue": "default", "timer": true })).await
        } else {
            timeout_sweep::gauges(app).await;
            timeout_sweep::handle(app).await
        };
        done.unwrap_or_else(|error| panic!("{sweeper}: {error}"));
    }

    /// Dispatches as the schedule does.
    pub(crate) async fn dispatch(&self) {
        dispatch::handle(&self.apps["dispatch"], json!({}))
            .await
            .expect("it dispatches");
    }
}

async fn guarded(options: &AwsOptions, guard: &Guard) -> AwsStore {
    let config = client_configs(options).await.dynamodb.to_builder();
    let client = Client::from_conf(config.interceptor(guard.clone()).build());
    AwsStore::with_client(client, options.clone())
}

/// An admin's key, as an operator makes it who has only just deployed.
async fn first_key(store: &OpenStore, app: &App) -> String {
    for action in ["migrate", "state"] {
        let said = migrate::handle(store, app, json!({ "action": action })).await;
        said.unwrap_or_else(|error| panic!("{action}: {error}"));
    }
    let event = json!({ "action": "create_key", "tenant": "default", "name": "first admin", "scopes": ["admin"] });
    let made = migrate::handle(store, app, event).await.expect("the key is made");
    made["key"].as_str().expect("the key is shown").to_owned()
}

/// The server of all functions.
fn world(apps: &BTreeMap<&'static str, App>, clock: MovableClock, admin: String) -> World {
    let [submit, robots, control] = ["submit", "robot-callback", "control"].map(|function| apps[function].clone());
    let router = submit::routes(submit).merge(robot_callback::routes(robots));
    let router = http::finish(router.merge(control::routes(control.clone())), &control);
    World {
        router,
        app: control,
        clock,
        admin,
    }
}
