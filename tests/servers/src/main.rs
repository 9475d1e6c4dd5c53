//! Runs one of the servers by hand: `cargo run -p servers -- postgres` prints its URL and its folder, and keeps it until interrupted.

use std::env;

use anyhow::bail;
use servers::Postgres;

fn main() -> anyhow::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("postgres") => keep(&Postgres::start()?),
        _ => bail!("usage: servers postgres"),
    }
}

fn keep(server: &Postgres) -> ! {
    println!("{}\n{}", server.url("postgres"), server.folder().display());
    // Nothing is left to do: whatever ends this process ends the server too.
    loop {
        std::thread::park();
    }
}
