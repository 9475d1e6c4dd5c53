//! A service of AWS's kind at an endpoint, whoever runs it, and a client for it that is just enough for tests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use url::Url;

/// How long an answer may take; longer than the longest poll of SQS.
const PATIENCE: Duration = Duration::from_secs(30);

/// How one service's calls are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol {
    /// What stands before the operation in `X-Amz-Target`.
    pub(crate) target: &'static str,
    /// The service's name in a signature.
    pub(crate) name: &'static str,
}

/// `DynamoDB` or SQS, or what stands for it on this machine, at its endpoint.
#[derive(Debug, Clone)]
pub struct Service {
    protocol: Protocol,
    address: Url,
}

impl Service {
    /// The service at this URL.
    pub(crate) fn at(protocol: Protocol, endpoint: &str) -> anyhow::Result<Service> {
        let address = Url::parse(endpoint).with_context(|| format!("{endpoint:?} is no URL of an endpoint"))?;
        ensure!(
            address.scheme() == "http" && address.has_host(),
            "{endpoint:?} is no endpoint such as http://127.0.0.1:8000"
        );
        Ok(Service { protocol, address })
    }

    /// The endpoint to give to a client, such as `http://127.0.0.1:8000`. Any region and any credentials will do.
    pub fn endpoint(&self) -> String {
        self.address.as_str().trim_end_matches('/').to_owned()
    }

    /// Calls an operation with its input as JSON and answers with its output, which is empty where it has none; an error holds what the
    /// service said.
    pub fn call(&self, operation: &str, input: &str) -> anyhow::Result<String> {
        let answer = self
            .exchange(operation, input)
            .with_context(|| format!("{operation} at {} got no answer", self.endpoint()))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer is cut off")?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            status => bail!("{operation}: {}: {body}", status.unwrap_or_default()),
        }
    }

    fn exchange(&self, operation: &str, input: &str) -> anyhow::Result<String> {
        let addresses = self.address.socket_addrs(|| None)?;
        let mut stream = TcpStream::connect(&*addresses)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.request(operation, input).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// HTTP of the first kind: the answer comes in one piece, and its end is the connection's.
    fn request(&self, operation: &str, input: &str) -> String {
        let Protocol { target, name } = self.protocol;
        let length = input.len();
        // The emulators want to see a signature, and look at none.
        let credential = format!("test/20260101/us-east-1/{name}/aws4_request");
        format!(
            "POST / HTTP/1.0\r\n\
             Content-Type: application/x-amz-json-1.0\r\n\
             Content-Length: {length}\r\n\
             X-Amz-Target: {target}.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n\
             \r\n\
             {input}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Protocol = Protocol {
        target: "Any",
        name: "any",
    };

    #[test]
    fn an_endpoint_is_told_as_clients_want_it() {
        let told = |it| Service::at(ANY, it).map(|it| it.endpoint());
        assert_eq!(told("http://localhost:8000/").expect("is one"), "http://localhost:8000");
        assert_eq!(told("http://127.0.0.1:9").expect("is one"), "http://127.0.0.1:9");
        for wrong in ["", "localhost:8000", "https://localhost", "http:"] {
            assert!(told(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
