//! Everything that a store holds, read without a word of the copy.

use std::collections::BTreeMap;

use queue::store::{BlobKey, Key, Record, Store};
use queue_conformance::samples;

/// How many records, or names of blobs, are read at a time: more than any test has.
const PAGE: usize = 10_000;

/// Each record with its blobs by name.
pub type Contents = BTreeMap<Key, (Record, BTreeMap<String, Vec<u8>>)>;

/// What `store` holds.
pub async fn of(store: &dyn Store) -> Contents {
    let mut contents = Contents::new();
    for record in samples::scan(store, PAGE).await {
        let blobs = blobs_of(store, &record.key).await;
        let twice = contents.insert(record.key.clone(), (record, blobs));
        assert_eq!(twice, None, "a scan gives every record once");
    }
    contents
}

async fn blobs_of(store: &dyn Store, owner: &Key) -> BTreeMap<String, Vec<u8>> {
    let names = store
        .blob_names(owner, "", None, PAGE)
        .await
        .expect("the store answers");
    let key = |name: &String| BlobKey {
        owner: owner.clone(),
        name: name.clone(),
    };
    let keys: Vec<BlobKey> = names.iter().map(key).collect();
    let bodies = store.blobs(&keys).await.expect("the store answers");
    let bodies = bodies.into_iter().map(|body| body.expect("what is named is there"));
    names.into_iter().zip(bodies).collect()
}
