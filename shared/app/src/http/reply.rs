//! Answers of JSON.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

use crate::problem::Problem;

/// `value` as JSON, with `status`.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        error!("Cannot write an answer: {error}");
        Problem::internal()
    })?;
    let content_type = HeaderValue::from_static("application/json");
    Ok((status, [(header::CONTENT_TYPE, content_type)], body).into_response())
}

/// `201` with where the new thing is and what it is.
pub fn created(location: &str, value: &impl Serialize) -> Result<Response, Problem> {
    let mut response = json(StatusCode::CREATED, value)?;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `204`: done, and nothing to say.
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
