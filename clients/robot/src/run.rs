//! A robot's life: its state folder, its identity, its loop; and what can end it.

use std::path::PathBuf;
use std::sync::Arc;

use remuda_client::CallError;
use tokio::sync::mpsc;
use tracing::info;

use crate::agent::{Agent, Event};
use crate::board::Board;
use crate::identity::Identity;
use crate::job::Tools;
use crate::outbox::Outbox;
use crate::server::Server;
use crate::state_folder::{StateFolder, StateFolderError};
use crate::watchdog::Watchdog;
use crate::{Settings, Shutdown};

/// How a robot ended that was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It finished what ran.
    Drained,
    /// It stopped what ran.
    Stopped,
}

/// Why a robot cannot start, or cannot go on; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The state folder cannot be used.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// The stored identity cannot be read or written.
    #[error("cannot use {}: {reason}; set its rights straight, or delete it and start again with a registration key", .path.display())]
    IdentityUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// This robot is new, and nothing entitles it to register.
    #[error(
        "this robot is not registered: set REMUDA_REGISTRATION_KEY, or registration_key in the settings, to a key with the scope robots:register"
    )]
    NoRegistrationKey,
    /// The server does not register it.
    #[error("cannot register this robot: {source}{}", hint_on_registering(.source))]
    NotRegistered {
        /// What the server says.
        source: CallError,
    },
    /// The server's address or the key cannot be used at all.
    #[error("cannot speak to the server: {0}")]
    Client(CallError),
    /// The system does not let a watchdog be started.
    #[error("cannot start the watchdog, a shell that ends the work should this robot be killed: {0}")]
    Watchdog(std::io::Error),
    /// The kept reports cannot be read.
    #[error("cannot read the kept reports: {0}")]
    Outbox(std::io::Error),
    /// The robot was removed, or its key revoked.
    #[error(
        "the server does not take this robot's key any more ({source}): if it was removed on purpose, delete {} and start \
         again with a registration key", .path.display()
    )]
    KeyRefused {
        /// The file with the key.
        path: PathBuf,
        /// What the server says.
        source: CallError,
    },
    /// Another process is this robot now.
    #[error(
        "another process has opened a session as this robot, so this one has stopped its work: does a copy of the state \
         folder run somewhere?"
    )]
    Superseded,
    /// The server finds wrong what this robot says.
    #[error("the server refuses what this robot says: {source}; do both have the same version?")]
    Refused {
        /// What the server says.
        source: CallError,
    },
}

/// Works as a robot until `shutdown` says to end, or until it cannot go on.
///
/// # Errors
/// What it takes to start is missing, or the server has no more use for this robot; see [`RunError`].
pub async fn run(settings: Settings, mut shutdown: Shutdown) -> Result<Ended, RunError> {
    let (sender, events) = mpsc::unbounded_channel();
    let tools = tokio::select! {
        tools = prepare(settings, sender) => tools?,
        _ = shutdown.changed() => return Ok(Ended::Drained),
    };
    let kept = tools.outbox.kept().map_err(RunError::Outbox)?;
    Agent::new(tools, events).live(kept, shutdown).await
}

/// Makes ready what work takes: the folder, the watchdog, the identity.
async fn prepare(settings: Settings, events: mpsc::UnboundedSender<Event>) -> Result<Tools, RunError> {
    let state = Arc::new(StateFolder::open(&settings.state_folder).await?);
    state.clear_work()?;
    let watchdog = Arc::new(Watchdog::start(&state).map_err(RunError::Watchdog)?);
    let identity = Identity::establish(&settings, &state).await?;
    let server = Server::new(&settings.url, &identity).map_err(RunError::Client)?;
    let outbox = Outbox::new(state.outbox());
    info!(
        "Working as {} ({}) for {}",
        identity.robot_id, settings.name, settings.url
    );
    let settings = Arc::new(settings);
    Ok(Tools {
        settings,
        state,
        server,
        outbox,
        watchdog,
        board: Board::default(),
        events,
    })
}

fn hint_on_registering(error: &CallError) -> &'static str {
    match error.status().map(|status| status.as_u16()) {
        Some(401) => "; is the registration key right, and not revoked?",
        Some(403) => "; the key needs the scope robots:register",
        Some(_) => "",
        None => "; is the server running, and its address right?",
    }
}
