//! Records and blobs for cases, and short ways to write and read them.

use domain::{QueueName, TenantName, time::Timestamp};
use futures::channel::oneshot;
use queue::store::{
    Blob, BlobKey, Change, Committed, Grant, Granted, Key, Kind, Lane, Rank, Record, Store, Version, Write,
};

/// The tenant of most samples.
pub fn acme() -> TenantName {
    tenant("acme")
}

/// The tenant called `name`.
pub fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

/// The moment `seconds` seconds after 2026-11-21.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis((1_795_219_200 + seconds) * 1_000)
}

/// The lane of jobs of acme's `queue` that ask for `class`.
pub fn lane(queue: &str, class: &str) -> Lane {
    Lane::new(&acme(), &QueueName::parse(queue).unwrap(), None, class)
}

/// The key of acme's job `id`.
pub fn job_key(id: &str) -> Key {
    Key::new(Kind::Job, &acme(), id)
}

/// A record at `key` that is not stored yet and is in no index but the list of `shelf`.
pub fn record(key: Key, shelf: &str) -> Record {
    Record {
        key,
        version: Version::ABSENT,
        lane: None,
        rank: None,
        due_at: None,
        shelf: shelf.to_owned(),
        listed_at: at(0),
        expires_at: None,
        body: r#"{"v":1}"#.to_owned(),
    }
}

/// Acme's job `id`, not stored yet.
pub fn job(id: &str) -> Record {
    record(job_key(id), "scheduled")
}

/// Acme's robot `id`, not stored yet.
pub fn robot(id: &str) -> Record {
    record(Key::new(Kind::Robot, &acme(), id), "robots")
}

/// Acme's job `id`, ready in `lane` with that rank, not stored yet.
pub fn ready_job(id: &str, lane: &Lane, band: u8, since: Timestamp) -> Record {
    let rank = Some(Rank { band, since });
    Record {
        lane: Some(lane.clone()),
        rank,
        due_at: Some(at(86_400)),
        shelf: "ready".to_owned(),
        ..job(id)
    }
}

/// `record` as it is to be once a robot has it: out of the ready index, on the shelf `leased`.
pub fn leased(record: Record) -> Record {
    Record {
        rank: None,
        shelf: "leased".to_owned(),
        body: r#"{"v":2}"#.to_owned(),
        ..record
    }
}

/// The blob `name` of `owner`.
pub fn blob(owner: &Key, name: &str, body: impl Into<Vec<u8>>) -> Blob {
    Blob {
        key: blob_key(owner, name),
        body: body.into(),
    }
}

/// Where the blob `name` of `owner` lies.
pub fn blob_key(owner: &Key, name: &str) -> BlobKey {
    BlobKey {
        owner: owner.clone(),
        name: name.to_owned(),
    }
}

/// A change that puts all `records` or none.
pub fn together(records: impl IntoIterator<Item = Record>) -> Change {
    Change {
        writes: records.into_iter().map(Write::Put).collect(),
        blobs: Vec::new(),
    }
}

/// Commits one change.
pub async fn commit(store: &dyn Store, change: impl Into<Change>) -> Committed {
    let outcomes = store.commit(vec![change.into()]).await.unwrap();
    let [outcome] = outcomes[..] else {
        panic!("one change, {} outcomes", outcomes.len())
    };
    outcome
}

/// Writes `record`, which has to succeed, and gives it as it is stored.
pub async fn put(store: &dyn Store, record: Record) -> Record {
    assert_eq!(commit(store, record.clone()).await, Committed::Done, "{}", record.key);
    Record {
        version: record.version.next(),
        ..record
    }
}

/// Writes all `records`, which has to succeed, and gives them as they are stored.
pub async fn put_all(store: &dyn Store, records: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let records: Vec<Record> = records.into_iter().collect();
    let outcomes = store
        .commit(records.iter().cloned().map(Change::from).collect())
        .await
        .unwrap();
    assert_eq!(outcomes, vec![Committed::Done; records.len()]);
    records
        .into_iter()
        .map(|record| Record {
            version: record.version.next(),
            ..record
        })
        .collect()
}

/// What is stored at `key`.
pub async fn load(store: &dyn Store, key: &Key) -> Option<Record> {
    let found = store.load(std::slice::from_ref(key)).await.unwrap();
    let [record] = found.try_into().unwrap();
    record
}

/// The version of what is stored at `key`.
pub async fn version(store: &dyn Store, key: &Key) -> Version {
    load(store, key).await.map_or(Version::ABSENT, |record| record.version)
}

/// Claims up to `limit` of `lanes` for `holder` and gives what was offered and what became of the one grant.
pub async fn claim_for(store: &dyn Store, holder: Record, lanes: &[Lane], limit: usize) -> (Vec<Record>, Granted) {
    let (tell, told) = oneshot::channel();
    let decide = move |offer: Vec<Record>| {
        tell.send(offer.clone()).unwrap();
        vec![Grant {
            holder,
            jobs: offer.into_iter().map(leased).collect(),
        }]
    };
    let granted = store.claim(lanes, limit, Box::new(decide)).await.unwrap();
    let [granted] = granted.try_into().unwrap();
    (told.await.unwrap(), granted)
}

/// Everything that a scan by pages of `limit` gives, in the order of keys; one that comes twice is there twice.
pub async fn scan(store: &dyn Store, limit: usize) -> Vec<Record> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.scan(after.as_deref(), limit).await.unwrap();
        assert!(page.records.len() <= limit, "a page holds no more than asked for");
        found.extend(page.records);
        after = page.next;
        if after.is_none() {
            found.sort_by(|one, other| one.key.cmp(&other.key));
            return found;
        }
    }
}

/// The ids of `records`, in order.
pub fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.id.as_str()).collect()
}
