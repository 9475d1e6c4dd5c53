//! The functions, by the API of Lambda that `cargo lambda watch` emulates.

use std::time::Duration;

use remuda_client::{CallError, Client, Method};
use serde_json::{Value, json};

/// How long a function may take, as on AWS.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a function's first answer may take, which it may have to be built for.
const FIRST_ANSWER_MAX: Duration = Duration::from_mins(20);

/// The functions behind one port.
#[derive(Debug)]
pub(super) struct Functions(Client);

impl Functions {
    /// Those that are called at this URL.
    pub(super) fn at(url: &str) -> Result<Self, CallError> {
        Client::new(url, None).map(Functions)
    }

    /// What the function of this name answers to an event.
    pub(super) async fn invoke(&self, name: &str, event: &Value) -> Result<Value, CallError> {
        self.invoke_within(name, event, ANSWER_MAX).await
    }

    /// Waits until each of them has answered something; an error says why one does not, and may pass.
    pub(super) async fn answer(&self) -> Result<(), CallError> {
        let nothing = json!({});
        tokio::try_join!(
            self.invoke_within("dispatch", &nothing, FIRST_ANSWER_MAX),
            self.invoke_within("timeout-sweep", &nothing, FIRST_ANSWER_MAX),
            self.invoke_within("migrate", &nothing, FIRST_ANSWER_MAX),
            self.touch(Method::GET, "/ready"),
            // Without a key they are refused, which is an answer.
            self.touch(Method::POST, "/v1/jobs"),
            self.touch(Method::POST, "/v1/robots"),
        )
        .map(drop)
    }

    async fn invoke_within(&self, name: &str, event: &Value, time: Duration) -> Result<Value, CallError> {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let call = self.0.request(Method::POST, &path).json(event);
        call.timeout(time).send().await
    }

    async fn touch(&self, method: Method, path: &str) -> Result<Value, CallError> {
        match self.0.request(method, path).timeout(FIRST_ANSWER_MAX).send_text().await {
            Err(CallError::Refused(_)) => Ok(Value::Null),
            answered => answered.map(Value::String),
        }
    }
}
