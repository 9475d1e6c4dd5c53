//! The servers of a run: `remuda dev`, each a process of its own, all on one store.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use remuda_client::{Client, Retry};
use serde_json::{Value, json};

use crate::answers::NewKey;
use crate::order::QUEUE;
use crate::post::Post;
use crate::process::{Guard, command};

/// Below those that a system gives to outgoing connections, which might take one while its server is down.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// The shortest lease that there is.
const LEASE_SECONDS: u32 = 10;

/// All servers, and clients of each by the admin's key.
pub(crate) struct Cluster {
    pub(crate) posts: Vec<Post>,
    pub(crate) ports: Vec<u16>,
    pub(crate) clients: Vec<Client>,
}

impl Cluster {
    /// Starts so many on the store, one after the other; all answer when this returns, and the queue has a short lease.
    pub(crate) async fn start(
        program: &Path,
        store: &str,
        servers: usize,
        folder: &Path,
        guard: &Arc<Guard>,
    ) -> anyhow::Result<Cluster> {
        let key_file = folder.join("admin.key");
        let mut cluster = Cluster {
            posts: Vec::new(),
            ports: free_ports(servers)?,
            clients: Vec::new(),
        };
        for (number, port) in (1..).zip(cluster.ports.clone()) {
            let name = format!("server-{number}");
            let log = folder.join("logs").join(&name);
            let (program, store, key) = (program.to_owned(), store.to_owned(), key_file.clone());
            let dev = move || {
                let mut dev = command(&program);
                dev.args([
                    "dev",
                    "--port",
                    &port.to_string(),
                    "--store",
                    &store,
                    "--admin-key-file",
                ])
                .arg(&key);
                dev
            };
            let post = Post::new(name, Box::new(dev), log, guard).listening(port);
            post.start().await?;
            cluster.posts.push(post);
            let anybody = Client::new(&format!("http://127.0.0.1:{port}"), None)?;
            // It listens before it answers, and has made a key once it answers.
            let _: Value = Retry::default().run(|| anybody.get("/ready", &[])).await?;
            let key = fs::read_to_string(&key_file).context("the first server has made a key")?;
            cluster.clients.push(anybody.with_key(key.trim()));
        }
        let lease = json!({ "lease_seconds": LEASE_SECONDS });
        let _: Value = cluster.clients[0].put(&format!("/v1/queues/{QUEUE}"), &lease).await?;
        Ok(cluster)
    }

    /// A key by which robots register.
    pub(crate) async fn registration_key(&self) -> anyhow::Result<String> {
        let asked = json!({ "name": "robots of a chaos run", "scopes": ["robots:register"] });
        let made: NewKey = self.clients[0].post("/v1/keys", &asked).await?;
        Ok(made.key)
    }
}

/// Ports on which nobody listens now.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let first = rand::random_range(PORTS);
    let ports: Vec<u16> = (first..PORTS.end)
        .chain(PORTS.start..first)
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .take(count)
        .collect();
    anyhow::ensure!(ports.len() == count, "no free port on loopback");
    Ok(ports)
}
