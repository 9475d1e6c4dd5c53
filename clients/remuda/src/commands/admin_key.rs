//! The first key of a store that runs here, which whoever started it is to be shown.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use app::{
    App,
    keys::{KeyText, NewKey},
};
use domain::TenantName;
use queue::Scope;

use crate::failure::Failure;
use crate::local::of_refusal;

/// How many keys are looked through for an admin's.
const KEYS_PAGE: usize = 200;

/// Makes an admin key where there is none, or where a file for one is asked for and not there, and gives it to be shown once.
pub(super) async fn make_if_wanted(app: &App, file: Option<&Path>) -> Result<Option<KeyText>, Failure> {
    let wanted = file.is_some_and(|path| !path.exists());
    if !wanted && has_admin_key(app).await? {
        return Ok(None);
    }
    let new = NewKey {
        tenant: TenantName::default_tenant(),
        name: "admin".to_owned(),
        scopes: [Scope::Admin].into(),
        robot: None,
        expires_at: None,
    };
    let (_, text) = app.create_key(new).await.map_err(of_refusal)?;
    if let Some(path) = file {
        write_secret(path, text.reveal()).map_err(|source| Failure::System {
            task: "write the admin key",
            source,
        })?;
    }
    Ok(Some(text))
}

async fn has_admin_key(app: &App) -> Result<bool, Failure> {
    let mut after = None;
    loop {
        let tenant = TenantName::default_tenant();
        let page = app.engine.keys(&tenant, after, KEYS_PAGE).await.map_err(of_refusal)?;
        if page.items.iter().any(|key| key.scopes.contains(&Scope::Admin)) {
            return Ok(true);
        }
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}

/// Writes `secret` to a file that only its owner can read, from its first moment on.
fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")
}
