//! Runs one of the servers by hand: `cargo run -p servers -- postgres` prints its URL and its folder, and keeps it until interrupted;
//! `pgbouncer` does the same before a Postgres of its own, `dynamodb` and `sqs` with their endpoints, and `lambda` with `cargo lambda
//! watch` for the workspace it is run in.

use std::env;
use std::path::Path;

use anyhow::bail;
use servers::{DynamoDb, LambdaWatch, PgBouncer, Postgres, Sqs, workspace_root};

fn main() -> anyhow::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("postgres") => {
            let server = Postgres::start()?;
            keep(&server.url("postgres"), server.folder())
        }
        Some("pgbouncer") => {
            let postgres = Postgres::start()?;
            let server = PgBouncer::before(&postgres).start()?;
            keep(&server.url("postgres"), server.folder())
        }
        Some("dynamodb") => {
            let server = DynamoDb::start()?;
            keep(&server.endpoint(), server.folder())
        }
        Some("sqs") => {
            let server = Sqs::start()?;
            keep(&server.endpoint(), server.folder())
        }
        Some("lambda") => {
            let server = LambdaWatch::builder(&workspace_root(None)?).start()?;
            keep(&server.url(), server.folder())
        }
        _ => bail!("usage: servers postgres|pgbouncer|dynamodb|sqs|lambda"),
    }
}

fn keep(address: &str, folder: &Path) -> ! {
    println!("{address}\n{}", folder.display());
    // Nothing is left to do: whatever ends this process ends the server too.
    loop {
        std::thread::park();
    }
}
