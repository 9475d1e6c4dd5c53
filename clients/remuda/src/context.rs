//! What every command that speaks to the server needs: a client, and where to put the answers.

use std::fmt::Display;

use jiff::Timestamp;
use remuda_client::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::answers::Job;
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Output;
use crate::paging::Listing;
use crate::render;

/// The server that is spoken to, and the output that people or machines read.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Context {
    /// The context that the global options ask for; nothing is sent yet.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let key = global.key.as_deref().filter(|key| !key.is_empty());
        Ok(Context {
            client: Client::new(&global.url, key)?,
            output: Output::of_this_process(global.json, global.quiet),
        })
    }

    /// What the server has at `path`.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, Failure> {
        Ok(Answer(self.client.get(path, query).await?))
    }

    /// What the server answers to `body`.
    pub(crate) async fn post<B: Serialize + Sync>(&self, path: &str, body: &B) -> Result<Answer, Failure> {
        Ok(Answer(self.client.post(path, body).await?))
    }

    /// What the server answers to `body`.
    pub(crate) async fn put<B: Serialize + Sync>(&self, path: &str, body: &B) -> Result<Answer, Failure> {
        Ok(Answer(self.client.put(path, body).await?))
    }

    /// What the server answers when the thing at `path` is removed.
    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        Ok(Answer(self.client.request(Method::DELETE, path).send().await?))
    }

    /// Shows an answer: as it is to machines, by `render` to people.
    pub(crate) fn show<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        render: impl FnOnce(T, Timestamp) -> String,
    ) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.line(answer.raw());
        }
        self.output.line(&render(answer.read()?, now()))
    }

    /// Shows a list: as one page to machines, by `render` to people, who hear `if_empty` when there is nothing.
    pub(crate) fn show_list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        if_empty: &str,
        render: impl FnOnce(&[T]) -> String,
    ) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.line(&listing.to_json());
        }
        let items: Vec<T> = listing.read()?;
        if items.is_empty() {
            self.output.hint(if_empty);
            return Ok(());
        }
        self.output.line(&render(&items))?;
        if let Some(cursor) = listing.next_cursor() {
            self.output
                .hint(&format!("there are more: --all, or --cursor {cursor}"));
        }
        Ok(())
    }

    /// Shows that something was done: the answer to machines, a sentence to people at a terminal.
    pub(crate) fn acknowledge(&self, answer: &Answer, sentence: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.line(answer.raw());
        }
        self.output.hint(&sentence());
        Ok(())
    }

    /// Shows a job that was just made: its id alone on stdout, for scripts to keep.
    pub(crate) fn show_new_job(&self, answer: &Answer) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.line(answer.raw());
        }
        let job: Job = answer.read()?;
        self.output.line(&job.id)?;
        self.output.hint(&format!(
            "{}; follow it with 'remuda jobs watch {}'",
            render::job_line(&job),
            job.id
        ));
        Ok(())
    }
}

/// The server's answer as it was written, so that `--json` shows exactly that.
#[derive(Debug)]
pub(crate) struct Answer(Box<RawValue>);

impl Answer {
    /// The answer that has this text.
    pub(crate) fn new(text: Box<RawValue>) -> Self {
        Answer(text)
    }

    /// The answer as it was written.
    pub(crate) fn raw(&self) -> &str {
        self.0.get()
    }

    /// The answer as `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(&self.0)
    }
}

/// A part of an answer as `T`.
pub(crate) fn read<T: DeserializeOwned>(value: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(value.get()).map_err(|error| Failure::Answer(error.to_string()))
}

/// The time at which an answer is shown.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The path below `/v1/jobs` that belongs to a job.
pub(crate) fn job_path(id: impl Display, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", remuda_client::segment(&id.to_string()))
}
