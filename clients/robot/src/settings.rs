//! The settings file: which server, who this robot is, which command does which workflow.

mod reader;
mod workflows;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reader::Reader;
use workflows::{Places, read_workflows};

/// The environment variables that settings are read from, where the file or the command line does not say.
const URL_VARIABLE: &str = "REMUDA_URL";
const REGISTRATION_KEY_VARIABLE: &str = "REMUDA_REGISTRATION_KEY";

/// The name under which a command takes every workflow that has none of its own.
const EVERY_WORKFLOW: &str = "*";

/// The server's bounds.
const MAX_JOBS_MAX: i64 = 100;
const QUEUES_MAX: usize = 20;
const CAPABILITIES_MAX: usize = 100;
const WORD_CHARS_MAX: usize = 100;
const GRACE_SECONDS_MAX: i64 = 3600;
const GRACE_SECONDS_DEFAULT: i64 = 30;
const LABELS_MAX: usize = 20;
const SLUG_CHARS_MAX: usize = 63;
const TEXT_CHARS_MAX: usize = 200;

/// What a robot has to know before it starts.
#[derive(Clone)]
pub struct Settings {
    /// The server's address.
    pub url: String,
    /// The key that registers new robots; needed at the first start only.
    pub registration_key: Option<String>,
    /// Where the robot's key, unanswered reports and work folders lie; one robot's alone.
    pub state_folder: PathBuf,
    /// What people call this robot.
    pub name: String,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The environment whose jobs it takes, besides those that name none.
    pub environment: Option<String>,
    /// How many jobs it works on at once.
    pub max_jobs: u32,
    /// How long a cancelled job has to stop politely, where the server does not say.
    pub cancel_grace: Duration,
    /// What operators tell robots apart by.
    pub labels: BTreeMap<String, String>,
    /// The commands, by workflow.
    pub workflows: BTreeMap<String, Workflow>,
}

/// The command that does a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The program and its arguments; a program given by a path is given by its whole path here.
    pub command: Vec<String>,
    /// The folder to run it in: that of the settings file if none is given.
    pub cwd: PathBuf,
    /// Variables added to its environment.
    pub env: BTreeMap<String, String>,
}

/// What the command line says in place of the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The server's address.
    pub url: Option<String>,
    /// The state folder.
    pub state_folder: Option<PathBuf>,
    /// The robot's name.
    pub name: Option<String>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {source}; name another one with --settings", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the settings file {} is no TOML: {message}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// The file says things that cannot be; every one of them is listed.
    #[error("the settings file {} has {}:\n{}", .path.display(), count(.mistakes.len()), list(.mistakes))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Each mistake, with what to do about it.
        mistakes: Vec<String>,
    },
}

impl Settings {
    /// Reads and checks the file; the command line goes before the environment, and that before the file.
    ///
    /// # Errors
    /// Every mistake at once, each with what to do.
    pub fn load(
        path: &Path,
        overrides: &Overrides,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let folder = std::path::absolute(path)
            .map_err(unreadable)?
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        let table = text.parse::<toml::Table>().map_err(|error| SettingsError::Malformed {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Settings::from_table(table, &folder, overrides, variable).map_err(|mistakes| SettingsError::Wrong {
            path: path.to_owned(),
            mistakes,
        })
    }

    /// The command for a workflow: its own, or that of `"*"`.
    pub fn workflow(&self, name: &str) -> Option<&Workflow> {
        self.workflows.get(name).or_else(|| self.workflows.get(EVERY_WORKFLOW))
    }

    fn from_table(
        table: toml::Table,
        folder: &Path,
        overrides: &Overrides,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, Vec<String>> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut reader = Reader::new(table);
        let file_url = reader.text("url");
        let url = overrides.url.clone().or_else(|| variable(URL_VARIABLE)).or(file_url);
        let file_key = reader.text("registration_key");
        let file_state = reader.text("state_folder").map(|path| folder.join(path));
        let file_name = reader.text("name");
        let max_jobs = reader.integer("max_jobs", 1, 1..=MAX_JOBS_MAX);
        let grace = reader.integer("cancel_grace_seconds", GRACE_SECONDS_DEFAULT, 0..=GRACE_SECONDS_MAX);
        let places = Places {
            folder,
            path: variable("PATH"),
        };
        let settings = Settings {
            url: reader.require(
                "url",
                url,
                "the server's address, like \"http://127.0.0.1:9000\", or set REMUDA_URL",
            ),
            registration_key: variable(REGISTRATION_KEY_VARIABLE).or(file_key),
            state_folder: reader.require(
                "state_folder",
                overrides.state_folder.clone().or(file_state),
                "a folder for this robot alone, like \"/var/lib/remuda-robot\"",
            ),
            name: reader.require(
                "name",
                overrides.name.clone().or(file_name),
                "what people call this robot",
            ),
            queues: reader.texts("queues").unwrap_or_else(|| vec!["default".to_owned()]),
            capabilities: reader.texts("capabilities").unwrap_or_default(),
            environment: reader.text("environment"),
            max_jobs: u32::try_from(max_jobs).unwrap_or(1),
            cancel_grace: Duration::from_secs(grace.unsigned_abs()),
            labels: reader.text_table("labels"),
            workflows: read_workflows(&mut reader, &places),
        };
        settings.check(&mut reader);
        reader.finish().map(|()| settings)
    }

    fn check(&self, reader: &mut Reader) {
        self.check_server(reader);
        if !is_plain(&self.name, TEXT_CHARS_MAX) && !self.name.is_empty() {
            reader.mistake(format!(
                "`name` is 1–{TEXT_CHARS_MAX} characters, none of them control characters"
            ));
        }
        if self.queues.is_empty() || self.queues.len() > QUEUES_MAX {
            reader.mistake(format!(
                "`queues` names 1–{QUEUES_MAX} queues; left out, it is [\"default\"]"
            ));
        }
        for queue in self.queues.iter().filter(|queue| !is_slug(queue)) {
            reader.mistake(format!("`queues` holds {queue:?}: {SLUG_RULE}"));
        }
        if self.capabilities.len() > CAPABILITIES_MAX {
            reader.mistake(format!(
                "`capabilities` has {} entries: at most {CAPABILITIES_MAX} are taken",
                self.capabilities.len()
            ));
        }
        let words = self.capabilities.iter().map(|word| ("capabilities", word));
        for (setting, word) in words.chain(self.environment.iter().map(|word| ("environment", word))) {
            if !is_plain(word, WORD_CHARS_MAX) {
                reader.mistake(format!(
                    "`{setting}` holds {word:?}: it is 1–{WORD_CHARS_MAX} characters, none of them control characters"
                ));
            }
        }
        self.check_labels(reader);
    }

    fn check_server(&self, reader: &mut Reader) {
        if !self.url.is_empty()
            && let Err(error) = remuda_client::Client::new(&self.url, None)
        {
            reader.mistake(format!("`url`: {error}"));
        }
        if let Some(key) = &self.registration_key
            && !key.bytes().all(|byte| byte.is_ascii_graphic())
        {
            reader.mistake("`registration_key` holds characters that no key has: paste it again".to_owned());
        }
    }

    fn check_labels(&self, reader: &mut Reader) {
        if self.labels.len() > LABELS_MAX {
            reader.mistake(format!(
                "`labels` has {} entries: at most {LABELS_MAX} are taken",
                self.labels.len()
            ));
        }
        for (name, value) in &self.labels {
            if !is_slug(name) {
                reader.mistake(format!("`labels` holds the name {name:?}: {SLUG_RULE}"));
            }
            if !value.is_empty() && !is_plain(value, TEXT_CHARS_MAX) {
                reader.mistake(format!(
                    "the label {name:?} is at most {TEXT_CHARS_MAX} characters, none of them control characters"
                ));
            }
        }
    }
}

const SLUG_RULE: &str = "a name has 1–63 characters, a–z, 0–9, `.`, `_` and `-`, and begins with a letter or a digit";

/// Whether the text has 1 to so many characters, none of them control characters.
fn is_plain(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= SLUG_CHARS_MAX
        && text.bytes().next().is_some_and(allowed)
        && text
            .bytes()
            .all(|byte| allowed(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The registration key stays out of logs.
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("name", &self.name)
            .field("state_folder", &self.state_folder)
            .field("workflows", &self.workflows.keys())
            .finish_non_exhaustive()
    }
}

fn count(mistakes: usize) -> String {
    if mistakes == 1 {
        "a mistake".to_owned()
    } else {
        format!("{mistakes} mistakes")
    }
}

fn list(mistakes: &[String]) -> String {
    mistakes
        .iter()
        .map(|mistake| format!("  - {mistake}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests;
