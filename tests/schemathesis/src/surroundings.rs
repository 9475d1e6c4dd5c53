//! What has to be there for a request to get further than `404` and `409`.

use anyhow::Context;
use remuda_client::Client;
use serde_json::{Value, json};
use servers::Remuda;

/// The lists, and the variable that tells a cursor of each.
const LISTS: [(&str, &str); 5] = [
    ("/v1/jobs", "CURSOR_JOBS"),
    ("/v1/dead-letters", "CURSOR_DEAD_LETTERS"),
    ("/v1/queues", "CURSOR_QUEUES"),
    ("/v1/robots", "CURSOR_ROBOTS"),
    ("/v1/keys", "CURSOR_KEYS"),
];

/// A robot that runs a job, dead letters, and more than one of everything that is listed: told as variables.
pub struct Surroundings {
    /// Name and value of each.
    pub variables: Vec<(&'static str, String)>,
}

impl Surroundings {
    /// Makes all of it on a new server.
    pub async fn on(server: &Remuda) -> anyhow::Result<Surroundings> {
        let admin = Client::new(&server.url, Some(&server.admin))?;
        // Longer than any run takes: nothing is to be lost for want of a robot that syncs.
        for queue in ["default", "other"] {
            let _: Value = admin
                .put(&format!("/v1/queues/{queue}"), &json!({ "lease_seconds": 3600 }))
                .await?;
        }
        let _: Value = admin.post("/v1/robots", &json!({ "name": "another" })).await?;
        let registered: Value = admin
            .post("/v1/robots", &json!({ "name": "ours", "max_jobs": 100 }))
            .await?;
        let robot = Robot {
            id: text(&registered["robot_id"])?,
            client: admin.with_key(&text(&registered["key"])?),
        };
        let mut variables = vec![
            ("ADMIN_KEY", server.admin.clone()),
            ("ROBOT", robot.id.clone()),
            ("ROBOT_KEY", text(&registered["key"])?),
        ];
        variables.extend(jobs(&admin, &robot).await?);
        for (path, name) in LISTS {
            let page: Value = admin.get(path, &[("limit", "1".to_owned())]).await?;
            let cursor = text(&page["next_cursor"]).with_context(|| format!("{path} has one page"))?;
            variables.push((name, cursor));
        }
        Ok(Surroundings { variables })
    }
}

struct Robot {
    id: String,
    client: Client,
}

impl Robot {
    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.client.post(path, body).await?)
    }

    async fn sync(&self, seq: u64, free_slots: u64, running: &Value) -> anyhow::Result<Value> {
        let body = json!({ "epoch": 1, "seq": seq, "state": "busy", "free_slots": free_slots, "running": running });
        self.post(&format!("/v1/robots/{}/sync", self.id), &body).await
    }
}

/// Two jobs that run, with their tokens, and two dead letters.
async fn jobs(admin: &Client, robot: &Robot) -> anyhow::Result<[(&'static str, String); 6]> {
    let path = format!("/v1/robots/{}/session", robot.id);
    robot.post(&path, &json!({})).await?;
    for workflow in ["one", "two", "three", "four"] {
        let _: Value = admin.post("/v1/jobs", &json!({ "workflow": workflow })).await?;
    }
    let given = robot.sync(1, 4, &json!([])).await?;
    let [noted, finished, dead, resolved] = [0, 1, 2, 3].map(|place| lease(&given["assign"][place]));
    for job in [&dead, &resolved] {
        let path = format!("/v1/jobs/{}/attempts/1/finish", text(&job["job_id"])?);
        let error = json!({ "kind": "business", "message": "no such invoice" });
        let report = json!({ "lease_token": job["lease_token"], "outcome": "failed", "error": error });
        robot.post(&path, &report).await?;
    }
    robot.sync(2, 0, &json!([noted, finished])).await?;
    Ok([
        ("JOB", text(&noted["job_id"])?),
        ("LEASE_TOKEN", text(&noted["lease_token"])?),
        ("OTHER_JOB", text(&finished["job_id"])?),
        ("OTHER_LEASE_TOKEN", text(&finished["lease_token"])?),
        ("DEAD_JOB", text(&dead["job_id"])?),
        ("OTHER_DEAD_JOB", text(&resolved["job_id"])?),
    ])
}

fn lease(job: &Value) -> Value {
    json!({ "job_id": job["job_id"], "attempt": job["attempt"], "lease_token": job["lease_token"] })
}

fn text(value: &Value) -> anyhow::Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("{value} is no text"))
}
