//! The store of this machine, for the commands that work on it without a server.

use app::{App, OpenStore, Settings, settings};
use clap::Args;
use queue::StoreError;

use crate::failure::{Exit, Failure};

/// Where the store is.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreOption {
    /// Where everything is kept: `sqlite:PATH`, `sqlite::memory:`, `postgres://…` or `sqs://…`
    #[arg(
        long,
        env = settings::STORE,
        hide_env_values = true,
        default_value = "sqlite:remuda.db",
        value_name = "STORE"
    )]
    pub(crate) store: String,
}

impl StoreOption {
    /// The settings of this process, with this store.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let variable = |name: &str| match name {
            settings::STORE => Some(self.store.clone()),
            other => std::env::var(other).ok(),
        };
        Settings::from_variables(variable).map_err(|mistakes| Failure::Usage(mistakes.to_string()))
    }

    /// Opens the store; what it holds is left as it is.
    pub(crate) async fn open(&self) -> Result<(OpenStore, App), Failure> {
        let settings = self.settings()?;
        let store = OpenStore::open(&settings).await.map_err(of_store)?;
        let app = App::on(&store, &settings);
        Ok((store, app))
    }
}

/// What the store says when it does not do its part, with its causes.
#[expect(
    clippy::needless_pass_by_value,
    reason = "errors are handed over where they are mapped"
)]
pub(crate) fn of_store(error: StoreError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        message = format!("{message}: {next}");
        cause = next.source();
    }
    Failure::Unsuccessful {
        message,
        exit: Exit::Unreachable,
    }
}

/// What an operation on the store refuses.
pub(crate) fn of_refusal(refusal: queue::Refusal) -> Failure {
    match refusal {
        queue::Refusal::Store(error) => of_store(error),
        queue::Refusal::NotFound => Failure::Unsuccessful {
            message: "there is none of that id".to_owned(),
            exit: Exit::NotFound,
        },
        other => Failure::unsuccessful(other.to_string()),
    }
}

/// Runs what works on the store.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System {
            task: "start the runtime",
            source,
        })?
        .block_on(work)
}
