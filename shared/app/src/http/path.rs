//! What stands in a path. An id that cannot be one is answered like one that is not there.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use domain::{CheckpointName, JobId, KeyId, QueueName, RobotId};

use crate::{problem::Problem, state::App};

/// The parts of the path that the route leaves open.
#[derive(Clone, Debug)]
pub struct PathParams(Vec<(String, String)>);

impl FromRequestParts<App> for PathParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Ok(raw) = RawPathParams::from_request_parts(parts, app).await else {
            // An escape that is no UTF-8: no path of ours has it.
            return Err(Problem::not_found());
        };
        let params = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self(params.collect()))
    }
}

impl PathParams {
    /// The job that `{id}` names.
    pub fn job(&self) -> Result<JobId, Problem> {
        JobId::parse(self.get("id")).ok_or_else(Problem::not_found)
    }

    /// The robot that `{id}` names.
    pub fn robot(&self) -> Result<RobotId, Problem> {
        RobotId::parse(self.get("id")).map_err(|_| Problem::not_found())
    }

    /// The key that `{id}` names.
    pub fn key(&self) -> Result<KeyId, Problem> {
        KeyId::parse(self.get("id")).map_err(|_| Problem::not_found())
    }

    /// The attempt that `{n}` names.
    pub fn attempt(&self) -> Result<u32, Problem> {
        self.get("n").parse().map_err(|_| Problem::not_found())
    }

    /// The chunk that `{seq}` names.
    pub fn seq(&self) -> Result<u32, Problem> {
        self.get("seq")
            .parse()
            .map_err(|_| Problem::one("path/seq", "must be an integer from 0 on"))
    }

    /// The queue that `{name}` names.
    pub fn queue(&self) -> Result<QueueName, Problem> {
        QueueName::parse(self.get("name")).map_err(|rule| Problem::one("path/name", rule.to_string()))
    }

    /// The checkpoint that `{name}` names.
    pub fn checkpoint(&self) -> Result<CheckpointName, Problem> {
        CheckpointName::parse(self.get("name")).map_err(|rule| Problem::one("path/name", rule.to_string()))
    }

    fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(param, _)| param == name)
            .map_or("", |(_, value)| value)
    }
}
