//! A running `remuda dev` of one version: all functions, dispatch and sweep each second.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use remuda_client::Client;

use crate::{Place, Version};

/// A server of one version on a store, as a process of its own: killed when dropped, and its log shown if the test fails.
pub struct Server {
    version: Version,
    process: Child,
    log: PathBuf,
    /// The server, by the admin's key, which is the same for all servers of a store.
    pub admin: Client,
}

impl Server {
    /// Starts one; it answers when this returns.
    pub fn start(version: Version, place: &Place) -> Server {
        let key_file = place.folder().join("admin.key");
        let log = place.folder().join(format!("{version:?}.log"));
        let mut command = version.remuda(&["dev", "--port", "0", "--store", &place.store, "--admin-key-file"]);
        command
            .arg(&key_file)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a file"));
        let mut process = command.spawn().expect("remuda runs");
        let lines = BufReader::new(process.stdout.take().expect("is piped")).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let Some(url) = url else {
            let _ = process.wait();
            panic!(
                "{version:?} does not start: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
        };
        let key = fs::read_to_string(&key_file).expect("the first server has made a key");
        Server {
            version,
            process,
            log,
            admin: Client::new(&url, Some(key.trim())).expect("an address and a key"),
        }
    }

    /// Tells it to end, and waits until it has ended well.
    pub fn stop(mut self) {
        let id = Pid::from_raw(i32::try_from(self.process.id()).expect("process ids are small"));
        kill(id, Signal::SIGTERM).expect("it runs");
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{:?}: {status}", self.version);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("--- log of {:?}\n{log}", self.version);
        }
    }
}
