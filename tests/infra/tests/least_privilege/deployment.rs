//! One deployment on DynamoDB Local: each function with a client of its own, which its guard holds.

use std::collections::BTreeMap;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use api_tests::{MovableClock, World};
use app::clock::SystemEntropy;
use app::keys::NewKey;
use app::{App, http};
use aws_sdk_dynamodb::Client;
use domain::TenantName;
use queue::hints::NoHints;
use queue::{Engine, Scope, Settings};
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
        let mut apps = BTreeMap::new();
        for (function, guard) in guards {
            let store = guarded(&options, guard).await;
            if *function == "migrate" {
                let done = store.migrate().await.expect("it looks at the table");
                assert_eq!(done, [] as [String; 0], "the table is as it should be");
            }
            let (clock, entropy) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
            let settings = Settings {
                heartbeat: Settings::HEARTBEAT_MAX,
                ..Settings::default()
            };
            let engine = Engine::new(Arc::new(store), Arc::new(NoHints), clock, entropy.clone(), settings);
            apps.insert(*function, App::new(engine, entropy));
        }
        let world = world(&apps, clock).await;
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

/// The server of all functions, and an admin's key that `migrate` makes.
async fn world(apps: &BTreeMap<&'static str, App>, clock: MovableClock) -> World {
    let [submit, robots, control, migrate] =
        ["submit", "robot-callback", "control", "migrate"].map(|function| apps[function].clone());
    let router = submit::routes(submit).merge(robot_callback::routes(robots));
    let router = http::finish(router.merge(control::routes(control.clone())), &control);
    let (key, text) = migrate.mint(NewKey {
        tenant: TenantName::default_tenant(),
        name: "first admin".to_owned(),
        scopes: [Scope::Admin].into(),
        robot: None,
        expires_at: None,
    });
    migrate.engine.create_key(key).await.expect("the key is stored");
    let admin = text.reveal().to_owned();
    World {
        router,
        app: control,
        clock,
        admin,
    }
}
