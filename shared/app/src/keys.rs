//! API keys as people hold them: `rk_ID_SECRET_CHECKSUM`.
//!
//! The id finds the stored key, the secret proves it, the checksum tells a mistyped or cut key without a look at the
//! store and lets scanners of leaked secrets be sure. Only the SHA-256 of the secret is stored.

use std::{collections::BTreeSet, fmt, fmt::Write as _};

use domain::{KeyId, RobotId, TenantName, Timestamp};
use queue::{ApiKey, Engine, Entropy, Scope};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every key begins with.
const PREFIX: &str = "rk_";

/// What the stored id begins with and the key leaves out.
const ID_PREFIX: &str = "key_";

/// Hexadecimal digits of the secret: 128 random bits.
const SECRET_DIGITS: usize = 32;

/// The longest text that is looked at.
const TEXT_BYTES_MAX: usize = 200;

/// A key's text. It is shown once, and neither printed by `Debug` nor logged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// The text, to be handed to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("rk_…")
    }
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it is.
    pub tenant: TenantName,
    /// What people call it.
    pub name: String,
    /// What it lets its holder do; nothing of this list for a robot's.
    pub scopes: BTreeSet<Scope>,
    /// The one robot it speaks for.
    pub robot: Option<RobotId>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// Makes a key: what is to be stored, and the text for its owner.
pub fn mint(engine: &Engine, entropy: &dyn Entropy, new: NewKey) -> (ApiKey, KeyText) {
    let id = engine.new_key_id();
    let secret = hex(&entropy.draw());
    let bare = id.as_str().strip_prefix(ID_PREFIX).unwrap_or(id.as_str());
    let body = format!("{PREFIX}{bare}_{secret}");
    let text = KeyText(format!("{body}_{:08x}", crc32fast::hash(body.as_bytes())));
    let key = ApiKey {
        id,
        tenant: new.tenant,
        name: new.name,
        scopes: new.scopes,
        robot: new.robot,
        secret_sha256: hash(&secret),
        created_at: engine.now(),
        expires_at: new.expires_at,
    };
    (key, text)
}

/// A key as somebody showed it: well-formed, not yet proven.
pub struct ShownKey {
    /// The id it names.
    pub id: KeyId,
    secret: String,
}

impl ShownKey {
    /// Reads a key's text; `None` for whatever is not one, or was mistyped.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        let (body, checksum) = text.rsplit_once('_')?;
        let (id, secret) = body.strip_prefix(PREFIX)?.split_once('_')?;
        let sum = format!("{:08x}", crc32fast::hash(body.as_bytes()));
        if sum != checksum || secret.len() != SECRET_DIGITS {
            return None;
        }
        let id = KeyId::parse(&format!("{ID_PREFIX}{id}")).ok()?;
        let secret = secret.to_owned();
        Some(Self { id, secret })
    }

    /// Whether it proves that its holder was given `key`. Takes as long wherever they differ.
    pub fn proves(&self, key: &ApiKey) -> bool {
        let shown = hash(&self.secret);
        self.id == key.id && bool::from(shown.as_bytes().ct_eq(key.secret_sha256.as_bytes()))
    }
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use queue::{hints::NoHints, memory::MemoryStore};

    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};

    fn minted() -> (ApiKey, KeyText) {
        let entropy = Arc::new(SystemEntropy);
        let engine = Engine::new(
            Arc::new(MemoryStore::new()),
            Arc::new(NoHints),
            Arc::new(SystemClock),
            entropy.clone(),
            queue::Settings::default(),
        );
        let new = NewKey {
            tenant: TenantName::default_tenant(),
            name: "test".to_owned(),
            scopes: BTreeSet::from([Scope::Admin]),
            robot: None,
            expires_at: None,
        };
        mint(&engine, &*entropy, new)
    }

    #[test]
    fn a_key_proves_itself_and_no_other() {
        let ((key, text), (other, _)) = (minted(), minted());
        let shown = ShownKey::parse(text.reveal().as_bytes()).expect("a key");
        assert!(shown.proves(&key));
        assert!(!shown.proves(&other));
        let forged = ApiKey {
            id: key.id.clone(),
            ..other
        };
        assert!(!shown.proves(&forged), "the id alone proves nothing");
    }

    #[test]
    fn a_mistyped_key_is_told_without_a_look_at_the_store() {
        let (_, text) = minted();
        let good = text.reveal().as_bytes();
        for place in 0..good.len() {
            let mut bad = good.to_vec();
            bad[place] ^= 1;
            assert!(ShownKey::parse(&bad).is_none(), "byte {place}");
            assert!(ShownKey::parse(&good[..place]).is_none(), "cut at {place}");
        }
    }

    #[test]
    fn neither_the_text_nor_the_secret_is_printed() {
        let (key, text) = minted();
        let secret = text.reveal().split('_').nth(2).expect("a secret").to_owned();
        assert!(!format!("{text:?}{key:?}").contains(&secret));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_shown(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            proptest::prop_assert!(ShownKey::parse(&bytes).is_none());
        }
    }
}
