//! `POST /v1/robots`: a robot introduces itself and gets a key of its own.

use std::collections::BTreeSet;

use app::{
    App, Problem,
    auth::{Caller, RobotsRegister},
    fields,
    form::{Field, Form, Read},
    http::{self, JsonBody},
    keys::NewKey,
};
use axum::{extract::State, response::Response};
use domain::{Queue, QueueName, Word};
use queue::NewRobot;

use crate::requests::{RegisterRobot, RegisteredRobot, RobotSettings};

/// The longest name of a robot, in characters.
const NAME_CHARS_MAX: usize = 200;

/// How many queues a robot serves.
const QUEUES_MAX: usize = 20;

/// How many capabilities a robot has.
const CAPABILITIES_MAX: usize = 100;

/// How many jobs a robot may hold at once.
const JOBS_MAX: u32 = 100;

/// The longest version of a robot's software, in characters.
const VERSION_CHARS_MAX: usize = 100;

/// Register a robot
///
/// It gets a key that speaks for it and for nothing else, shown this once.
#[utoipa::path(
    post, path = "/v1/robots", tag = "Robot protocol", security(("bearer" = ["robots:register"])),
    request_body = RegisterRobot,
    responses((status = 201, description = "The robot and its key.", body = RegisteredRobot,
        headers(("Location" = String, description = "Where the robot is.")))),
)]
pub(crate) async fn register_robot(
    State(app): State<App>,
    caller: Caller<RobotsRegister>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let new = body.read(robot)?;
    let id = app.engine.new_robot_id();
    let (key, text) = app.mint(NewKey {
        tenant: caller.tenant.clone(),
        name: new.name.clone(),
        scopes: BTreeSet::new(),
        robot: Some(id.clone()),
        expires_at: None,
    });
    let robot = app.engine.register(&caller.tenant, new, id, key).await?;
    let location = format!("/v1/robots/{}", robot.id);
    let registered = RegisteredRobot {
        robot_id: robot.id.into(),
        key: text.reveal().to_owned(),
        settings: settings(&app),
    };
    http::created(&location, &registered)
}

fn settings(app: &App) -> RobotSettings {
    let settings = app.engine.settings();
    RobotSettings {
        lease_seconds: Queue::LEASE_SECONDS,
        busy_sync_seconds: settings.busy_sync.as_secs(),
        idle_sync_seconds: settings.idle_sync.as_secs(),
    }
}

fn robot(form: &mut Form<'_>) -> Option<NewRobot> {
    let name = form.required("name", |field| field.plain(1..=NAME_CHARS_MAX));
    let queues = form.optional("queues", queues);
    let capabilities = form.optional("capabilities", |field| fields::capabilities(field, CAPABILITIES_MAX));
    let environment = form.optional("environment", |field| field.name(Word::parse));
    let max_jobs = form.optional("max_jobs", |field| field.integer(1..=JOBS_MAX));
    let version = form.optional("version", |field| field.plain(1..=VERSION_CHARS_MAX));
    let labels = form.optional("labels", fields::labels);
    Some(NewRobot {
        name: name?,
        queues: queues.unwrap_or_else(|| vec![QueueName::default_queue()]),
        capabilities: capabilities.unwrap_or_default(),
        environment,
        max_jobs: max_jobs.unwrap_or(1),
        version,
        labels: labels.unwrap_or_default(),
    })
}

/// The queues, each once, in the order they are named.
fn queues(field: &Field<'_>) -> Read<Vec<QueueName>> {
    let mut queues: Vec<QueueName> = Vec::new();
    for queue in field.list(QUEUES_MAX, |each| each.name(QueueName::parse))? {
        if !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    if queues.is_empty() {
        return field.wrong("must name at least one queue");
    }
    Ok(queues)
}
