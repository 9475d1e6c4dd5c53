//! `/v1/keys`: who may do what, within the caller's tenant.

use app::{
    App, Problem,
    auth::{Admin, Caller},
    fields,
    form::Form,
    http::{self, JsonBody, PageParams, PathParams, Query},
    keys::NewKey,
    views::{KeyView, NewKeyView, PageView},
};
use axum::{extract::State, http::StatusCode, response::Response};
use domain::{TenantName, Timestamp};

use crate::requests::CreateKey;

/// Make a key
///
/// In the tenant of the key that asks. Its text is shown this once.
#[utoipa::path(
    post, path = "/v1/keys", tag = "Keys", security(("bearer" = ["admin"])),
    request_body = CreateKey,
    responses((status = 201, description = "The key, with its text.", body = NewKeyView,
        headers(("Location" = String, description = "Where the key can be revoked.")))),
)]
pub(crate) async fn create_key(
    State(app): State<App>,
    caller: Caller<Admin>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let now = app.engine.now();
    let new = body.read(|form| key(form, &caller.tenant, now))?;
    let (key, text) = app.create_key(new).await?;
    http::created(&format!("/v1/keys/{}", key.id), &NewKeyView::new(key, &text))
}

fn key(form: &mut Form<'_>, tenant: &TenantName, now: Timestamp) -> Option<NewKey> {
    let name = form.required("name", fields::key_name);
    let scopes = form.required("scopes", fields::scopes);
    let expires_at = form.optional("expires_at", |field| fields::future(field, now));
    Some(NewKey {
        tenant: tenant.clone(),
        name: name?,
        scopes: scopes?,
        robot: None,
        expires_at,
    })
}

/// List keys
///
/// Without their texts; robots' keys included.
#[utoipa::path(
    get, path = "/v1/keys", tag = "Keys", security(("bearer" = ["admin"])),
    params(PageParams),
    responses((status = 200, description = "A page.", body = PageView<KeyView>)),
)]
pub(crate) async fn list_keys(
    State(app): State<App>,
    caller: Caller<Admin>,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = query.page("keys");
    query.finish()?;
    let found = app.engine.keys(&caller.tenant, page.after.clone(), page.limit).await?;
    http::json(StatusCode::OK, &page.answer(found, KeyView::from))
}

/// Revoke a key
///
/// It is refused from the next request on.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "Keys", security(("bearer" = ["admin"])),
    params(("id" = String, Path, description = "The key's id, not its text.")),
    responses((status = 204, description = "It is revoked.")),
)]
pub(crate) async fn revoke_key(
    State(app): State<App>,
    caller: Caller<Admin>,
    path: PathParams,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    app.engine.revoke_key(&caller.tenant, &path.key()?).await?;
    Ok(http::no_content())
}
