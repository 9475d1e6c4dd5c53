//! One server for all the tests of a process, or of a whole run.

use std::env;
use std::ops::Deref;
use std::sync::OnceLock;

use anyhow::anyhow;

/// A server that is reached once: the one that a variable names, or else one of this process.
pub(crate) struct Shared<Given, Ours>(OnceLock<Result<Reached<Given, Ours>, String>>);

enum Reached<Given, Ours> {
    Given(Given),
    Ours(Ours),
}

impl<Given, Ours: Deref<Target = Given>> Shared<Given, Ours> {
    pub(crate) const fn new() -> Shared<Given, Ours> {
        Shared(OnceLock::new())
    }

    /// The server that the environment's variable names, reached by `at`, or the one that `start` starts; once found, always the same.
    pub(crate) fn reach(
        &self,
        variable: &str,
        at: impl FnOnce(&str) -> anyhow::Result<Given>,
        start: impl FnOnce() -> anyhow::Result<Ours>,
    ) -> anyhow::Result<&Given> {
        let reached = self.0.get_or_init(|| {
            let reached = match env::var(variable) {
                Ok(named) => at(&named).map(Reached::Given),
                Err(_) => start().map(Reached::Ours),
            };
            reached.map_err(|error| format!("{error:#}"))
        });
        match reached {
            Ok(Reached::Given(server)) => Ok(server),
            Ok(Reached::Ours(server)) => Ok(server),
            Err(error) => Err(anyhow!("{error}")),
        }
    }
}
