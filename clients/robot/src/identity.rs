//! Who this robot is to the server: its id and key, kept in the state folder, made by registering once.

use std::fs;
use std::io;

use remuda_client::{CallError, Client, Retry};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::protocol::{Registered, Registration};
use crate::state_folder::{StateFolder, write_durably};
use crate::{RunError, Settings};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) robot_id: String,
    pub(crate) key: String,
    /// The server that gave them.
    url: String,
    /// What the server was told, and holds to.
    registered: Registration,
}

impl Identity {
    /// The kept identity, or a new one by registering with the server.
    pub(crate) async fn establish(settings: &Settings, state: &StateFolder) -> Result<Identity, RunError> {
        let registration = registration(settings);
        if let Some(identity) = load(state)? {
            identity.tell_differences(settings, &registration, state);
            return Ok(identity);
        }
        let identity = register(settings, registration).await?;
        save(&identity, state)?;
        info!(robot.id = %identity.robot_id, "Registered as {} ({})", identity.robot_id, identity.registered.name);
        Ok(identity)
    }

    /// The contract has no way to change what a robot registered with, so a difference is told instead of hidden.
    fn tell_differences(&self, settings: &Settings, now: &Registration, state: &StateFolder) {
        if self.url.trim_end_matches('/') != settings.url.trim_end_matches('/') {
            warn!("This robot was registered with {}, not with {}", self.url, settings.url);
        }
        let differs = differences(&self.registered, now);
        if !differs.is_empty() {
            warn!(
                "The settings differ from what {} was registered with ({}), and the server holds to the latter: to change it, \
                 stop this robot, remove it with `remuda robots remove {}`, delete {} and start again with a registration key",
                self.robot_id,
                differs.join(", "),
                self.robot_id,
                state.identity_file().display(),
            );
        }
    }
}

fn registration(settings: &Settings) -> Registration {
    Registration {
        name: settings.name.clone(),
        queues: settings.queues.clone(),
        capabilities: settings.capabilities.clone(),
        environment: settings.environment.clone(),
        max_jobs: settings.max_jobs,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: settings.labels.clone(),
    }
}

fn differences(then: &Registration, now: &Registration) -> Vec<&'static str> {
    let fields = [
        ("name", then.name != now.name),
        ("queues", then.queues != now.queues),
        ("capabilities", then.capabilities != now.capabilities),
        ("environment", then.environment != now.environment),
        ("max_jobs", then.max_jobs != now.max_jobs),
        ("labels", then.labels != now.labels),
    ];
    fields
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect()
}

fn load(state: &StateFolder) -> Result<Option<Identity>, RunError> {
    let path = state.identity_file();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(RunError::IdentityUnusable {
                path,
                reason: source.to_string(),
            });
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(identity) => Ok(Some(identity)),
        Err(error) => Err(RunError::IdentityUnusable {
            path,
            reason: error.to_string(),
        }),
    }
}

fn save(identity: &Identity, state: &StateFolder) -> Result<(), RunError> {
    let path = state.identity_file();
    let bytes = serde_json::to_vec_pretty(identity).expect("an identity is plain texts");
    write_durably(&path, &bytes).map_err(|source| RunError::IdentityUnusable {
        path,
        reason: source.to_string(),
    })
}

async fn register(settings: &Settings, registration: Registration) -> Result<Identity, RunError> {
    let key = settings
        .registration_key
        .as_deref()
        .ok_or(RunError::NoRegistrationKey)?;
    let client = Client::new(&settings.url, Some(key)).map_err(RunError::Client)?;
    // An answer that is lost on the way may leave a robot behind that nobody is: it shows as offline and harms nothing.
    let registered: Result<Registered, CallError> =
        Retry::default().run(|| client.post("/v1/robots", &registration)).await;
    match registered {
        Ok(Registered { robot_id, key }) => Ok(Identity {
            robot_id,
            key,
            url: settings.url.clone(),
            registered: registration,
        }),
        Err(source) => Err(RunError::NotRegistered { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_identity_is_told_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).await.unwrap();
        fs::write(state.identity_file(), "{").unwrap();
        assert!(matches!(load(&state), Err(RunError::IdentityUnusable { .. })));
        assert_eq!(fs::read(state.identity_file()).unwrap(), b"{");
    }
}
