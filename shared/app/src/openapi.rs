//! The `OpenAPI` document: what the handlers say of themselves, and what is true of all of them.

mod shapes;

use std::fmt::Write as _;

use serde::Serialize;
use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        self, Components, Content, HeaderBuilder, Info, Ref, RefOr, Response, ResponseBuilder, Tag,
        path::{Operation, Parameter, ParameterIn},
        schema::{ObjectBuilder, Schema, SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

pub use self::shapes::{LETTERS, SLUG, labels};
use crate::problem::Code;

/// The name of the bearer scheme, which handlers name with the scope they need.
pub const BEARER: &str = "bearer";

/// The name of the header scheme.
const HEADER: &str = "api_key";

/// What routes of a robot's own name in the place of a scope.
const ROBOT: &str = "robot";

/// A refusal, as RFC 9457 has it. `code` is one of the words listed there; more members may follow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A name of the kind of problem.
    #[schema(example = "urn:remuda:problem:invalid")]
    pub r#type: String,
    /// What the kind is called.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind, in one stable word.
    #[schema(example = "invalid")]
    pub code: String,
    /// What happened here.
    pub detail: String,
    /// The id under which the server's log tells more.
    pub request_id: String,
    /// Each wrong place of the request.
    pub errors: Option<Vec<MistakeDocument>>,
    /// When to try again, in seconds; also in the header `Retry-After`.
    pub retry_after_seconds: Option<u32>,
    /// The scope that is missing, with `missing_scope`.
    pub scope: Option<String>,
    /// The job that stands in the way, with `duplicate` and `idempotency_conflict`.
    pub job_id: Option<String>,
    /// The chunk that comes next, with `log_gap`.
    pub next_seq: Option<u32>,
}

/// A wrong place of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mistake)]
pub struct MistakeDocument {
    /// A JSON pointer into the body, or `query/NAME`, `header/NAME`, `path/NAME`.
    #[schema(example = "/retry/max_attempts")]
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

#[derive(OpenApi)]
#[openapi(components(schemas(ProblemDocument, MistakeDocument)))]
struct Common;

/// The documents of all functions as one, with what is true of all routes.
pub fn merged(documents: impl IntoIterator<Item = openapi::OpenApi>) -> openapi::OpenApi {
    let mut whole = Common::openapi();
    documents.into_iter().for_each(|document| whole.merge(document));
    whole.info = Info::builder()
        .title("Remuda")
        .version("v1")
        .description(Some(
            "The control plane for a fleet of robots: jobs in, robots fed, and what happened.",
        ))
        .build();
    whole.tags = Some(vec![
        tag("Jobs", "What clients ask for."),
        tag("Dead letters", "Failed and timed-out jobs that nobody has dealt with."),
        tag(
            "Robot protocol",
            "What a robot says. Its own key is needed, and its own path.",
        ),
        tag("Robots", "The fleet, as operators see it."),
        tag("Queues", "Where jobs wait."),
        tag("Keys", "Who may do what."),
        tag("Operations", "How it all does."),
    ]);
    let components = whole.components.get_or_insert_with(Components::new);
    add_schemes(components);
    describe_codes(components);
    add_common_answers(components);
    shapes::add_rules(components);
    for item in whole.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        operations.into_iter().flatten().for_each(complete);
    }
    whole
}

/// The document as it is kept and served.
pub fn text(document: &openapi::OpenApi) -> String {
    let mut text = document.to_pretty_json().expect("an OpenAPI document can be written");
    text.push('\n');
    text
}

fn tag(name: &str, description: &str) -> Tag {
    Tag::builder().name(name).description(Some(description)).build()
}

fn add_schemes(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key. Beside each route stands the scope it needs; `admin` includes all but `robot`, which is a robot's own key.",
        ))
        .build();
    let header = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(HEADER, SecurityScheme::ApiKey(header));
}

/// Lists every code with its meaning at the field that carries it.
fn describe_codes(components: &mut Components) {
    let mut description = "The kind, in one stable word:\n\n| code | status | meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let _ = writeln!(
            description,
            "| `{}` | {} | {} |",
            code.as_str(),
            code.status().as_u16(),
            code.meaning()
        );
    }
    let words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let field = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words))
        .build();
    if let Some(RefOr::T(openapi::Schema::Object(problem))) = components.schemas.get_mut("Problem") {
        problem.properties.insert("code".to_owned(), field.into());
    }
}

/// The refusals that follow from what a route takes: a name, and the codes, which share a status.
const REFUSALS: [(&str, &[Code]); 10] = [
    ("Malformed", &[Code::MalformedJson, Code::MalformedBody]),
    ("Unauthorized", &[Code::Unauthorized]),
    ("MissingScope", &[Code::MissingScope]),
    ("NotThatRobot", &[Code::MissingScope, Code::WrongRobot]),
    ("NotFound", &[Code::NotFound]),
    ("TooLarge", &[Code::TooLarge, Code::PayloadTooLarge]),
    ("UnsupportedMediaType", &[Code::UnsupportedMediaType]),
    ("Invalid", &[Code::Invalid]),
    ("Internal", &[Code::Internal]),
    ("StoreUnavailable", &[Code::StoreUnavailable]),
];

/// The name of the header that every answer has.
const REQUEST_ID: &str = "RequestId";

/// Describes once what many routes answer.
fn add_common_answers(components: &mut Components) {
    let id = HeaderBuilder::new().description(Some("The id of the request.")).build();
    components.headers.insert(REQUEST_ID.to_owned(), id.into());
    for (name, codes) in REFUSALS {
        let meanings: Vec<String> = codes
            .iter()
            .map(|code| format!("`{}`: {}", code.as_str(), code.meaning()))
            .collect();
        let mut response = ResponseBuilder::new().description(meanings.join(" ")).build();
        finish_response(&mut response);
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
}

/// Adds to a route the refusals that follow from what it takes.
fn complete(operation: &mut Operation) {
    let scopes: Vec<String> = operation
        .security
        .iter()
        .flatten()
        .filter_map(scopes_of)
        .flatten()
        .collect();
    let params = operation.parameters.as_deref().unwrap_or_default();
    let has_in = |place: &ParameterIn| {
        params
            .iter()
            .any(|param| matches!(param, RefOr::T(param) if param.parameter_in == *place))
    };
    let (has_path, has_query) = (has_in(&ParameterIn::Path), has_in(&ParameterIn::Query));
    let has_body = operation.request_body.is_some();
    let mut refusals = vec!["Internal"];
    match scopes.first().map(String::as_str) {
        Some(ROBOT) => refusals.extend(["Unauthorized", "NotThatRobot", "StoreUnavailable"]),
        Some(_) => refusals.extend(["Unauthorized", "MissingScope", "StoreUnavailable"]),
        None => {}
    }
    if has_path {
        refusals.push("NotFound");
    }
    if has_body {
        refusals.extend(["Malformed", "TooLarge", "UnsupportedMediaType"]);
    }
    if has_body || has_query {
        refusals.push("Invalid");
    }
    for (name, codes) in REFUSALS.iter().filter(|(name, _)| refusals.contains(name)) {
        let entry = operation
            .responses
            .responses
            .entry(codes[0].status().as_str().to_owned());
        entry.or_insert_with(|| RefOr::Ref(Ref::from_response_name(*name)));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            finish_response(response);
        }
    }
    let headers = operation.parameters.iter_mut().flatten();
    headers.for_each(never_null);
    accept_both_schemes(operation);
}

/// A parameter that need not be there is absent; text cannot be `null`.
fn never_null(param: &mut RefOr<Parameter>) {
    if let RefOr::T(Parameter {
        schema: Some(RefOr::T(Schema::Object(schema))),
        ..
    }) = param
        && let SchemaType::Array(types) = &schema.schema_type
        && let Some(only) = types.iter().find(|only| **only != Type::Null)
    {
        schema.schema_type = SchemaType::Type(only.clone());
    }
}

/// Gives a refusal its document, and every answer its id.
fn finish_response(response: &mut Response) {
    let id = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
    response.headers.insert("x-request-id".to_owned(), RefOr::Ref(id));
    if response.content.is_empty() && is_refusal(response) {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        response
            .content
            .insert("application/problem+json".to_owned(), RefOr::T(problem));
    }
}

/// Whether the description begins with a code, as those of refusals do.
fn is_refusal(response: &Response) -> bool {
    Code::ALL
        .iter()
        .any(|code| response.description.starts_with(&format!("`{}`", code.as_str())))
}

/// A key may come in either header.
fn accept_both_schemes(operation: &mut Operation) {
    let Some(needs) = &mut operation.security else { return };
    let scopes: Vec<String> = needs.iter().filter_map(scopes_of).flatten().collect();
    needs.push(SecurityRequirement::new(HEADER, scopes));
}

/// The scopes that a requirement of the bearer scheme names.
fn scopes_of(requirement: &SecurityRequirement) -> Option<Vec<String>> {
    let value = serde_json::to_value(requirement).ok()?;
    serde_json::from_value(value.get(BEARER)?.clone()).ok()
}
