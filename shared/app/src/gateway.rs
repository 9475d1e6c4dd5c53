//! Events of an HTTP API, as the handlers are given them.
//!
//! What `lambda_http` makes of an event is a panic where the address is none or the body is not packed as the event says; to
//! the caller that would be a fault of the server. So each event is put first as it can take it, and the handlers refuse
//! what they do not understand, as they do anywhere else.

use axum::{Router, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lambda_http::{
    Adapter, LambdaEvent,
    aws_lambda_events::apigw::ApiGatewayV2httpRequest,
    http::header::HOST,
    request::LambdaRequest,
    tower::{ServiceExt as _, util::MapRequest},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a query may not hold as it is (RFC 3986, section 3.4), but for `%`: what is encoded already stays.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Puts an event as it can be converted.
type Mend = fn(LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest>;

/// `router` as what the runtime of Lambda hands the events of an HTTP API to. No event makes it panic before the router has
/// it.
pub fn service(router: Router) -> MapRequest<Adapter<'static, Response, Router>, Mend> {
    Adapter::from(router).map_request(mended as Mend)
}

fn mended(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        mend(request);
    }
    event
}

fn mend(request: &mut ApiGatewayV2httpRequest) {
    // No handler asks by which name it was called.
    request.headers.remove(HOST);
    request.request_context.domain_name = None;
    let path = request.raw_path.get_or_insert_default();
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    if let Some(query) = &mut request.raw_query_string {
        *query = utf8_percent_encode(query, NOT_IN_A_QUERY).to_string();
    }
    let body = request.body.as_deref().unwrap_or_default();
    request.is_base64_encoded &= BASE64_STANDARD.decode(body).is_ok();
}
