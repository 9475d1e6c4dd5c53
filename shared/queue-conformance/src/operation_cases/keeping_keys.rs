//! API keys: kept without their secret, found at once, refused at once.

use std::collections::BTreeSet;

use queue::{ApiKey, Refusal, Scope};

use crate::kit::{Kit, secs};

fn key(kit: &Kit, name: &str) -> ApiKey {
    ApiKey {
        id: kit.engine.new_key_id(),
        tenant: kit.tenant.clone(),
        name: name.to_owned(),
        scopes: BTreeSet::from([Scope::JobsRead, Scope::Admin]),
        robot: None,
        secret_sha256: "ab".repeat(32),
        created_at: kit.now(),
        expires_at: Some(kit.now() + secs(60)),
    }
}

pub async fn a_key_is_found_as_it_was_made(kit: &Kit) {
    let made = key(kit, "CI ☂");
    kit.engine.create_key(made.clone()).await.unwrap();
    assert_eq!(kit.engine.find_key(&made.id).await.unwrap(), Some(made));
    assert_eq!(kit.engine.find_key(&kit.engine.new_key_id()).await.unwrap(), None);
}

pub async fn a_tenant_sees_its_own_keys(kit: &Kit) {
    let (one, other) = (kit.of_tenant("a"), kit.of_tenant("a-b"));
    let (mine, theirs) = (key(&one, "mine"), key(&other, "theirs"));
    one.engine.create_key(mine.clone()).await.unwrap();
    other.engine.create_key(theirs.clone()).await.unwrap();
    assert_eq!(one.engine.keys(&one.tenant, None, 10).await.unwrap().items, [mine]);
    assert_eq!(
        other.engine.keys(&other.tenant, None, 10).await.unwrap().items,
        [theirs]
    );
}

pub async fn a_revoked_key_is_gone_at_once(kit: &Kit) {
    let made = key(kit, "CI");
    kit.engine.create_key(made.clone()).await.unwrap();
    kit.engine.revoke_key(&kit.tenant, &made.id).await.unwrap();
    assert_eq!(kit.engine.find_key(&made.id).await.unwrap(), None);
    assert!(matches!(
        kit.engine.revoke_key(&kit.tenant, &made.id).await,
        Err(Refusal::NotFound)
    ));
}

pub async fn another_tenants_key_is_not_revoked(kit: &Kit) {
    let made = key(kit, "CI");
    kit.engine.create_key(made.clone()).await.unwrap();
    let other = kit.of_tenant("other");
    assert!(matches!(
        other.engine.revoke_key(&other.tenant, &made.id).await,
        Err(Refusal::NotFound)
    ));
    assert!(kit.engine.find_key(&made.id).await.unwrap().is_some());
}
