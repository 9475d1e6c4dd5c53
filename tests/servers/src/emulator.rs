//! A server of our own that stands for a service of AWS.

use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::keeper::{Keeper, Kind};
use crate::npm::Package;
use crate::service::{Protocol, Service};

/// A server of ours on loopback: stopped, and its data removed, when dropped and when the process ends in any way.
pub struct Emulator {
    service: Service,
    package: &'static Package,
    keeper: Keeper,
}

impl Emulator {
    pub(crate) fn start(
        protocol: Protocol,
        kind: &'static Kind,
        package: &'static Package,
        port: u16,
        folder: TempDir,
        serve: &Command,
    ) -> anyhow::Result<Emulator> {
        let service = Service::at(protocol, &format!("http://127.0.0.1:{port}"))?;
        let keeper = Keeper::hire(kind, folder, None, serve)?;
        keeper.start()?;
        Ok(Emulator {
            service,
            package,
            keeper,
        })
    }

    /// Stops the server at once, as a power cut would; nothing runs or listens when this returns.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.keeper.stop()
    }

    /// Starts a stopped server on the same port with what it keeps on disk; it takes connections when this returns.
    pub fn start_again(&self) -> anyhow::Result<()> {
        self.keeper.start_again()
    }

    /// Holds a running server still: it takes connections and answers nothing until it is resumed, stopped or started again.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.keeper.pause()
    }

    /// Lets a paused server go on, with the calls that came in meanwhile first.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.keeper.resume()
    }

    /// The package that it comes from, with its version.
    pub fn version(&self) -> String {
        format!("{} {}", self.package.name, self.package.version)
    }

    /// The folder that holds everything of this server, gone when the server is.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }
}

impl Deref for Emulator {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}
