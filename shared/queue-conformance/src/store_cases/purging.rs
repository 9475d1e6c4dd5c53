//! Purging: what has expired goes, and nothing else does.

use std::sync::Arc;

use queue::store::{Key, Kind, Record, Store, Version};

use super::races::race;
use crate::samples::{at, blob, job, job_key, load, put, put_all, record, robot, version};

/// Of any kind; what expires later stays.
pub async fn what_has_expired_is_purged_with_its_blobs(store: Arc<dyn Store>) {
    let expiring = |record: Record, seconds| Record {
        expires_at: Some(at(seconds)),
        ..record
    };
    let records = [
        expiring(job("old"), 1),
        expiring(job("now"), 5),
        expiring(robot("old"), 2),
        expiring(record(Key::common(Kind::ApiKey, "old"), "keys"), 3),
        expiring(job("later"), 6),
    ];
    let records = put_all(&*store, records).await;
    for record in &records {
        store.put_blob(blob(&record.key, "payload", "x")).await.unwrap();
    }
    assert_eq!(store.purge(at(5), 10).await.unwrap(), 4);
    assert_eq!(store.purge(at(5), 10).await.unwrap(), 0);
    for record in &records {
        let kept = record.key.id == "later";
        assert_eq!(load(&*store, &record.key).await.is_some(), kept, "{}", record.key);
        assert_eq!(
            store.blob_names(&record.key, "", None, 10).await.unwrap().len(),
            usize::from(kept),
            "{}",
            record.key
        );
    }
}

/// However long ago it was written, and also when it once was to expire.
pub async fn what_never_expires_is_never_purged(store: Arc<dyn Store>) {
    let kept = put(&*store, job("kept")).await;
    let revived = put(
        &*store,
        Record {
            expires_at: Some(at(1)),
            ..job("revived")
        },
    )
    .await;
    put(
        &*store,
        Record {
            expires_at: None,
            ..revived
        },
    )
    .await;
    assert_eq!(store.purge(at(1_000_000_000), 10).await.unwrap(), 0);
    assert_eq!(load(&*store, &kept.key).await, Some(kept));
    assert_eq!(version(&*store, &job_key("revived")).await, Version(2));
}

/// And takes what expired first.
pub async fn a_purge_stops_at_its_limit(store: Arc<dyn Store>) {
    let records = (0..10).map(|number| Record {
        expires_at: Some(at(number)),
        ..job(&number.to_string())
    });
    put_all(&*store, records).await;
    assert_eq!(store.purge(at(99), 0).await.unwrap(), 0);
    assert_eq!(store.purge(at(99), 4).await.unwrap(), 4);
    assert_eq!(version(&*store, &job_key("3")).await, Version::ABSENT);
    assert_eq!(version(&*store, &job_key("4")).await, Version(1));
    assert_eq!(store.purge(at(99), 100).await.unwrap(), 6);
}

/// Two sweeps at once do not stand in each other's way.
pub async fn racing_purges_remove_each_record_once(store: Arc<dyn Store>) {
    const RECORDS: usize = 300;
    put_all(
        &*store,
        (0..RECORDS).map(|number| Record {
            expires_at: Some(at(1)),
            ..job(&number.to_string())
        }),
    )
    .await;
    let purges = race(|_| {
        let store = Arc::clone(&store);
        async move { store.purge(at(1), 10).await.unwrap() }
    });
    let mut purged: usize = purges.await.into_iter().sum();
    while let more @ 1.. = store.purge(at(1), 100).await.unwrap() {
        purged += more;
    }
    assert_eq!(purged, RECORDS);
}
