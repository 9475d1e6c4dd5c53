//! A post that is kept filled: a server or a robot that is killed or held still, and always started again.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::process::{Guard, Process, told};

/// How long a process may take to be there again, while what it needs may be down itself.
const START_MAX: Duration = Duration::from_mins(1);

/// The pause between two looks at a process that starts, and between two tries to start it.
const LOOK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(300);

/// How long a process may take to end once it is told to.
const STOP_MAX: Duration = Duration::from_secs(20);

/// What makes the command that fills a post.
type Make = Box<dyn Fn() -> Command + Send + Sync>;

/// One post.
pub(crate) struct Post {
    /// What people call it.
    pub(crate) name: String,
    make: Make,
    /// Where it listens once it is up, if it listens.
    port: Option<u16>,
    /// Where its process id is written, if anybody wants to know it.
    id_file: Option<PathBuf>,
    log: PathBuf,
    guard: Arc<Guard>,
    /// Locked for as long as a fault of this post lasts.
    process: Mutex<Option<Process>>,
}

impl Post {
    /// An empty post, for what the command starts.
    pub(crate) fn new(name: String, make: Make, log: PathBuf, guard: &Arc<Guard>) -> Post {
        Post {
            name,
            make,
            port: None,
            id_file: None,
            log,
            guard: guard.clone(),
            process: Mutex::default(),
        }
    }

    /// The same, up only once it takes connections at this port.
    pub(crate) fn listening(self, port: u16) -> Post {
        Post {
            port: Some(port),
            ..self
        }
    }

    /// The same, with its process id in this file.
    pub(crate) fn known_by(self, id_file: PathBuf) -> Post {
        Post {
            id_file: Some(id_file),
            ..self
        }
    }

    /// Fills the post for the first time; a process that ends before it is up is an error.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().await;
        match self.try_start().await? {
            Ok(up) => *process = Some(up),
            Err(how) => bail!(
                "{} did not start: it ended {how}; see {}",
                self.name,
                self.log.display()
            ),
        }
        Ok(())
    }

    /// Kills whoever is there, and fills the post again after some time.
    pub(crate) async fn kill(&self, away: Duration) -> anyhow::Result<()> {
        let mut process = self.process.lock().await;
        if let Some(process) = process.take() {
            process.kill().await;
        }
        sleep(away).await;
        *process = Some(self.bring_up().await?);
        Ok(())
    }

    /// Holds whoever is there still for some time.
    pub(crate) async fn pause(&self, time: Duration) {
        let process = self.process.lock().await;
        if let Some(process) = &*process {
            process.signal(Signal::SIGSTOP);
            sleep(time).await;
            process.signal(Signal::SIGCONT);
        }
    }

    /// Fills the post again if whoever was there has ended by itself, and says how it did.
    pub(crate) async fn revive(&self) -> anyhow::Result<Option<String>> {
        // While a fault lasts, its process is a matter of the fault.
        let Ok(mut process) = self.process.try_lock() else {
            return Ok(None);
        };
        let Some(status) = process.as_mut().and_then(Process::ended) else {
            return Ok(None);
        };
        *process = Some(self.bring_up().await?);
        Ok(Some(told(status)))
    }

    /// Tells whoever is there to end for good; says what was wrong with how it did.
    pub(crate) async fn stop(&self) -> Option<String> {
        let process = self.process.lock().await.take()?;
        match process.stop(STOP_MAX).await {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("was told to end, and ended {}", told(status))),
            None => Some("was told to end, and had to be killed".to_owned()),
        }
    }

    /// Starts it as often as it takes: what it needs may be down as well.
    async fn bring_up(&self) -> anyhow::Result<Process> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.try_start().await? {
                Ok(process) => return Ok(process),
                Err(_) if Instant::now() < until => sleep(AGAIN).await,
                Err(how) => bail!(
                    "{} does not come up again: it ends {how}; see {}",
                    self.name,
                    self.log.display()
                ),
            }
        }
    }

    /// The process once it is up, or how it ended before it was.
    async fn try_start(&self) -> anyhow::Result<Result<Process, String>> {
        let mut process = Process::start((self.make)(), &self.log, &self.guard)?;
        if let Some(file) = &self.id_file {
            std::fs::write(file, process.id.to_string()).context("cannot write a process id")?;
        }
        let until = Instant::now() + START_MAX;
        while !self.is_listening().await {
            if let Some(status) = process.ended() {
                return Ok(Err(told(status)));
            }
            if Instant::now() > until {
                process.kill().await;
                return Ok(Err(format!("by our hand, not up after {START_MAX:?}")));
            }
            sleep(LOOK).await;
        }
        Ok(Ok(process))
    }

    async fn is_listening(&self) -> bool {
        match self.port {
            Some(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(),
            None => true,
        }
    }
}
