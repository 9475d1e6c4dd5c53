//! Remuda itself, all of it in one process.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// A running `remuda dev` on a free port, killed when dropped.
pub struct Remuda {
    process: Child,
    /// Where it listens.
    pub url: String,
    /// A key with the scope `admin`.
    pub admin: String,
}

impl Remuda {
    /// Starts `program` on the store at `store`, with nothing of this process's environment; it answers when this returns.
    pub fn start(program: &Path, store: &str) -> anyhow::Result<Remuda> {
        let mut command = Command::new(program);
        command
            .args(["dev", "--port", "0"])
            .env_clear()
            // An address may hold a password, which the list of processes would show.
            .env("REMUDA_STORE", store)
            .env("REMUDA_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot run remuda")?;
        let output = process.stdout.take().context("remuda has no output")?;
        // From here on it is killed whatever is wrong.
        let mut remuda = Remuda {
            process,
            url: String::new(),
            admin: String::new(),
        };
        let mut lines = BufReader::new(output).lines();
        let mut said = |what: &str| {
            let line = lines.next().context("remuda has ended")?.context("no UTF-8")?;
            let told = line.strip_prefix(what).map(str::to_owned);
            told.with_context(|| format!("remuda said {line:?} where {what:?} was expected"))
        };
        remuda.admin = said("admin key: ")?;
        remuda.url = said("listening on ")?;
        Ok(remuda)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Remuda {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
