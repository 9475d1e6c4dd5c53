//! Where everything is, for the functions and for people.

use std::env;
use std::path::Path;

use app::settings;
use serde_json::json;

use super::AwsLocal;
use super::parts::Parts;
use super::queues::Queues;
use crate::failure::Failure;
use crate::output::Output;

/// What signs calls to emulators, which look at neither. Named, so that no real credential is ever sent to one.
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
    ("AWS_REGION", "us-east-1"),
];

/// What suits a machine where somebody waits, unless its user says otherwise.
const HABITS: [(&str, &str); 2] = [(settings::IDLE_SYNC_SECONDS, "2"), (settings::LOG_FORMAT, "text")];

/// The addresses of one system on this machine.
#[derive(Debug)]
pub(super) struct Place {
    dynamodb: String,
    sqs: String,
    table: String,
    hints: String,
    dead_letters: String,
    port: u16,
}

impl Place {
    /// Where these parts and queues are.
    pub(super) fn of(local: &AwsLocal, parts: &Parts, queues: &Queues) -> Self {
        Place {
            dynamodb: parts.dynamodb(),
            sqs: parts.sqs(),
            table: local.table.clone(),
            hints: queues.hints.clone(),
            dead_letters: queues.dead_letters.clone(),
            port: local.port,
        }
    }

    /// The store, as the functions are told of it.
    pub(super) fn store(&self) -> String {
        format!("sqs://{}?queue={}&dynamodb={}", self.table, self.hints, self.dynamodb)
    }

    /// Where functions that we did not start are called.
    pub(super) fn functions(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment that the functions need.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let fixed = |(name, value): (&'static str, &str)| (name, value.to_owned());
        let unset = |(name, _): &(&str, &str)| env::var_os(name).is_none();
        let mut variables = vec![(settings::STORE, self.store())];
        variables.extend(HABITS.into_iter().filter(unset).map(fixed));
        variables.extend(CREDENTIALS.map(fixed));
        variables
    }

    /// Writes that environment as `cargo lambda watch --env-file` and a shell read it.
    pub(super) fn write_env_file(&self, path: &Path) -> Result<(), Failure> {
        let lines: String = self.variables().iter().map(assignment).collect();
        std::fs::write(path, lines).map_err(|source| Failure::System {
            task: "write the functions' environment",
            source,
        })
    }

    /// Says to people where everything is, before the functions are.
    pub(super) fn tell(
        &self,
        url: &str,
        admin_key: Option<&str>,
        local: &AwsLocal,
        output: Output,
    ) -> Result<(), Failure> {
        if output.is_json() {
            return Ok(());
        }
        if let Some(key) = admin_key {
            output.line(&format!("admin key: {key}"))?;
        }
        output.line(&format!("dynamodb: {}\nsqs: {}", self.dynamodb, self.sqs))?;
        for variable in &self.variables() {
            output.raw(&format!("export {}", assignment(variable)))?;
        }
        if local.watch {
            output.hint("starting the functions …");
        } else {
            let file = local.env_file.as_deref().map(Path::display);
            let file = file.map_or_else(|| "FILE".to_owned(), |path| path.to_string());
            output.hint(&format!(
                "waiting for the functions at {url}: run 'cargo lambda watch --concurrency {} --env-file {file}'",
                local.instances
            ));
        }
        Ok(())
    }

    /// Says that all functions answer; to machines also where everything is.
    pub(super) fn tell_ready(&self, url: &str, admin_key: Option<&str>, output: Output) -> Result<(), Failure> {
        if !output.is_json() {
            return output.line(&format!("listening on {url}"));
        }
        let told = json!({
            "url": url,
            "admin_key": admin_key,
            "store": self.store(),
            "dynamodb": self.dynamodb,
            "sqs": self.sqs,
            "table": self.table,
            "queue": self.hints,
            "dead_letters": self.dead_letters,
        });
        output.line(&told.to_string())
    }
}

fn assignment((name, value): &(&str, String)) -> String {
    format!("{name}='{value}'\n")
}

#[cfg(test)]
mod tests {
    use app::settings::StoreUrl;

    use super::*;

    fn place() -> Place {
        Place {
            dynamodb: "http://127.0.0.1:8000".to_owned(),
            sqs: "http://127.0.0.1:9324".to_owned(),
            table: "remuda".to_owned(),
            hints: "http://127.0.0.1:9324/123456789012/hints".to_owned(),
            dead_letters: "http://127.0.0.1:9324/123456789012/hints-dead-letters".to_owned(),
            port: 9000,
        }
    }

    #[test]
    fn the_store_is_one_that_the_functions_can_open() {
        let store: StoreUrl = place().store().parse().unwrap();
        assert!(matches!(store, StoreUrl::Sqs(_)), "{store}");
    }

    #[test]
    fn a_shell_reads_the_environment_as_it_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        place().write_env_file(&path).unwrap();
        let script = format!(". {}; printf %s \"$REMUDA_STORE\"", path.display());
        let said = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), place().store());
    }
}
