//! The client: where the server is, which key, how long to wait.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::address::{is_loopback, parse_base};
use crate::{Call, CallError, Method, tls};

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole call may take, unless [`Client::with_timeout`] says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, a key and a connection pool; clones share the pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    key: Key,
    timeout: Duration,
}

#[derive(Clone)]
enum Key {
    None,
    Bearer(HeaderValue),
    Unusable,
}

impl Client {
    /// A client of the server at `base`, like `http://127.0.0.1:9000`; makes no call yet.
    ///
    /// # Errors
    /// [`CallError::BadAddress`] for what is not an HTTP address, [`CallError::BadKey`] for a key that no header can
    /// carry, [`CallError::Setup`] when TLS cannot be made ready.
    pub fn new(base: &str, key: Option<&str>) -> Result<Client, CallError> {
        let url = parse_base(base)?;
        let key = key.map_or(Key::None, Key::bearer);
        if matches!(key, Key::Unusable) {
            return Err(CallError::BadKey);
        }
        Ok(Client {
            http: connect_pool(&url)?,
            base: Arc::from(url.as_str().trim_end_matches('/')),
            key,
            timeout: CALL_TIMEOUT,
        })
    }

    /// The same client and pool with another key; a key that no header can carry fails the calls with [`CallError::BadKey`].
    #[must_use]
    pub fn with_key(&self, key: &str) -> Client {
        Client {
            key: Key::bearer(key),
            ..self.clone()
        }
    }

    /// The same client and pool, with another bound on a whole call.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client {
            timeout,
            ..self.clone()
        }
    }

    /// The server's address, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A call to be filled in and sent; the path begins with `/`, and its segments are encoded (see [`crate::segment`]).
    pub fn request(&self, method: Method, path: &str) -> Call {
        Call::new(self, method, path)
    }

    /// What is at the path, decoded from JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CallError> {
        self.request(Method::GET, path).query(query).send().await
    }

    /// What is at the path, as text.
    pub async fn get_text(&self, path: &str, query: &[(&str, String)]) -> Result<String, CallError> {
        self.request(Method::GET, path).query(query).send_text().await
    }

    /// The answer to a body posted to the path; ask for `()` only where the server answers without a body.
    pub async fn post<B, T>(&self, path: &str, body: &B) -> Result<T, CallError>
    where
        B: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        self.request(Method::POST, path).json(body).send().await
    }

    /// The answer to a body put at the path; ask for `()` only where the server answers without a body.
    pub async fn put<B, T>(&self, path: &str, body: &B) -> Result<T, CallError>
    where
        B: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// Removes what is at the path; whatever the server answers with is left unread.
    pub async fn delete(&self, path: &str) -> Result<(), CallError> {
        self.request(Method::DELETE, path).send::<IgnoredAny>().await.map(drop)
    }

    pub(crate) fn start(&self, method: Method, url: url::Url) -> Result<reqwest::RequestBuilder, CallError> {
        let request = self.http.request(method, url).timeout(self.timeout);
        match &self.key {
            Key::None => Ok(request),
            Key::Bearer(value) => Ok(request.header(reqwest::header::AUTHORIZATION, value.clone())),
            Key::Unusable => Err(CallError::BadKey),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Key {
    fn bearer(key: &str) -> Key {
        match HeaderValue::from_str(&format!("Bearer {}", key.trim())) {
            Ok(mut value) if !key.trim().is_empty() => {
                value.set_sensitive(true);
                Key::Bearer(value)
            }
            _ => Key::Unusable,
        }
    }
}

fn connect_pool(url: &url::Url) -> Result<reqwest::Client, CallError> {
    tls::install_provider();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("remuda/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        // Plain HTTP needs no roots, and a small container may have none: reading them would fail the client.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|source| CallError::Setup { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows_in_debug() {
        let client = Client::new("http://127.0.0.1:1", Some("rk_secret")).unwrap();
        assert!(!format!("{client:?} {:?}", client.request(Method::GET, "/v1/jobs")).contains("rk_secret"));
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused() {
        for key in ["a\nb", "", "  "] {
            assert!(
                matches!(Client::new("http://a", Some(key)), Err(CallError::BadKey)),
                "{key:?}"
            );
        }
    }

    #[test]
    fn https_finds_roots_to_trust() {
        Client::new("https://jobs.example", None).unwrap();
    }
}
