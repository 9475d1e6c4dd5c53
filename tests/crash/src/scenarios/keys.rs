//! Keys.

use std::collections::BTreeSet;

use queue::{ApiKey, Refusal, Scope};
use queue_conformance::kit::Kit;

use super::{or_done, stored};
use crate::scenario::Scenario;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("create_key", "the first of its tenant").calls(async |kit, _| create(kit).await),
        Scenario::new("revoke_key", "of a tenant that has another")
            .after(async |kit| {
                create(kit).await.expect("the store answers");
                create(kit).await.expect("the store answers");
            })
            .calls(async |kit, _| {
                // The one that was made first, whether or not it is still there.
                let keys = kit.engine.keys(&kit.tenant, None, 2).await?;
                let Some(first) = keys.items.get(1) else { return Ok(()) };
                let asked = kit.engine.revoke_key(&kit.tenant, &first.id).await;
                or_done(asked, |refusal| matches!(refusal, Refusal::NotFound))?;
                assert_eq!(stored(kit.engine.find_key(&first.id).await)?, None);
                Ok(())
            }),
    ]
}

async fn create(kit: &Kit) -> Result<(), Refusal> {
    let key = ApiKey {
        id: kit.engine.new_key_id(),
        tenant: kit.tenant.clone(),
        name: "ci".to_owned(),
        scopes: BTreeSet::from([Scope::JobsRead]),
        robot: None,
        secret_sha256: "00".repeat(32),
        created_at: kit.now(),
        expires_at: None,
    };
    let id = key.id.clone();
    kit.engine.create_key(key).await?;
    assert!(stored(kit.engine.find_key(&id).await)?.is_some());
    Ok(())
}
