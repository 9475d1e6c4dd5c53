//! A robot under test, and what its commands leave behind.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remuda_robot::{Ended, Overrides, RunError, Settings, Shutdown, ShutdownHandle, run};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{REGISTRATION_KEY, Server};

/// A server, a folder, and the settings of a robot whose workflows are shell scripts.
pub struct Fixture {
    pub server: Server,
    pub folder: TempDir,
    settings: PathBuf,
}

/// A robot at work in this process.
pub struct Robot {
    pub shutdown: ShutdownHandle,
    task: JoinHandle<Result<Ended, RunError>>,
}

impl Fixture {
    pub async fn new(max_jobs: u32, workflows: &[(&str, &str)]) -> Fixture {
        let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
        let mut text = format!(
            "url = {:?}\nregistration_key = {REGISTRATION_KEY:?}\nstate_folder = \"state\"\nname = \"robot under test\"\n\
             max_jobs = {max_jobs}\ncapabilities = [\"sh\"]\nlabels = {{ site = \"here\" }}\n",
            server.url
        );
        for (name, script) in workflows {
            write!(
                text,
                "[workflows.{name:?}]\ncommand = [\"sh\", \"-c\", '''{script}''']\nenv = {{ HERE = {:?} }}\n",
                folder.path().display().to_string()
            )
            .unwrap();
        }
        let settings = folder.path().join("robot.toml");
        std::fs::write(&settings, text).unwrap();
        Fixture {
            server,
            folder,
            settings,
        }
    }

    pub fn settings(&self) -> Settings {
        Settings::load(&self.settings, &Overrides::default(), |_| None).unwrap()
    }

    pub fn settings_file(&self) -> &Path {
        &self.settings
    }

    /// Starts the robot.
    pub fn start(&self) -> Robot {
        let (handle, shutdown) = Shutdown::manual();
        let settings = self.settings();
        Robot {
            shutdown: handle,
            task: tokio::spawn(async move { run(settings, shutdown).await }),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files in the outbox.
    pub fn outbox(&self) -> usize {
        std::fs::read_dir(self.path("state/outbox")).unwrap().count()
    }

    /// A pipe that commands hold open as `exec 3> "$HERE/alive"`: it ends when every process that holds it has.
    pub fn life_line(&self) -> LifeLine {
        let path = self.path("alive");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let (sender, text) = oneshot::channel();
        // A thread that nobody waits for: a process that holds the pipe for ever fails the test and does not hang it.
        std::thread::spawn(move || sender.send(read_to_end(&path)));
        LifeLine { text }
    }
}

/// The reading end of a pipe that processes hold open.
pub struct LifeLine {
    text: oneshot::Receiver<String>,
}

impl LifeLine {
    /// Waits until nobody holds it any more, and gives what was written to it.
    pub async fn end(self) -> String {
        tokio::time::timeout(super::PATIENCE, self.text)
            .await
            .expect("the processes end")
            .unwrap()
    }
}

fn read_to_end(path: &Path) -> String {
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

impl Robot {
    /// How the robot ended.
    pub async fn end(self) -> Result<Ended, RunError> {
        tokio::time::timeout(super::PATIENCE + Duration::from_secs(10), self.task)
            .await
            .expect("the robot ends")
            .unwrap()
    }

    /// Drains it, and waits for its end.
    pub async fn drain(self) {
        self.shutdown.drain();
        assert_eq!(self.end().await.unwrap(), Ended::Drained);
    }
}
