//! Blobs: bytes beside records.

use std::sync::Arc;

use queue::store::{BlobPut, Change, Committed, Key, Kind, Record, Store, Write};

use super::races::race;
use crate::samples::{blob, blob_key, commit, job, job_key, load, put, put_all, tenant};

/// The largest body that the API takes, with room for its frame.
const LARGE_BYTES: usize = 300 * 1024;

/// Every value of a byte, any length.
pub async fn blobs_come_back_byte_for_byte(store: Arc<dyn Store>) {
    let all: Vec<u8> = (0..=255).cycle().take(LARGE_BYTES).collect();
    let bodies = [
        all,
        vec![],
        vec![0],
        vec![0; 5_000],
        b"{\"text\":\"\\u0000\"}".to_vec(),
        "ä☂𝄞".into(),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let name = format!("payload/{number}");
        store.put_blob(blob(&job_key("a"), &name, body.clone())).await.unwrap();
        assert_eq!(read(&*store, &job_key("a"), &name).await, Some(body));
    }
}

/// Missing ones are `None` in their place, and one that is asked for twice comes twice.
pub async fn blobs_come_in_the_order_of_their_keys(store: Arc<dyn Store>) {
    let owner = job_key("a");
    for name in ["x", "y", "z"] {
        store.put_blob(blob(&owner, name, name)).await.unwrap();
    }
    let keys = ["z", "none", "x", "z", "y"].map(|name| blob_key(&owner, name));
    let bodies = store.blobs(&keys).await.unwrap();
    assert_eq!(
        bodies,
        [
            Some(b"z".to_vec()),
            None,
            Some(b"x".to_vec()),
            Some(b"z".to_vec()),
            Some(b"y".to_vec())
        ]
    );
    assert_eq!(store.blobs(&[]).await.unwrap(), [None; 0]);
}

/// Of one record or of several, new or not.
pub async fn a_blob_is_there_no_later_than_its_record(store: Arc<dyn Store>) {
    let with = |writes: Vec<Write>, names: &[&str]| Change {
        blobs: names.iter().map(|name| blob(writes[0].key(), name, *name)).collect(),
        writes,
    };
    let changes = vec![
        with(vec![Write::Put(job("one"))], &["payload/1"]),
        with(
            vec![Write::Put(job("two")), Write::Put(job("three"))],
            &["payload/1", "payload/2"],
        ),
    ];
    assert_eq!(store.commit(changes).await.unwrap(), [Committed::Done; 2]);
    assert_eq!(
        read(&*store, &job_key("one"), "payload/1").await,
        Some(b"payload/1".to_vec())
    );
    assert_eq!(
        read(&*store, &job_key("two"), "payload/2").await,
        Some(b"payload/2".to_vec())
    );

    let stored = load(&*store, &job_key("one")).await.unwrap();
    assert_eq!(
        commit(&*store, with(vec![Write::Put(stored)], &["result/1"])).await,
        Committed::Done
    );
    assert_eq!(
        read(&*store, &job_key("one"), "result/1").await,
        Some(b"result/1".to_vec())
    );
}

/// The largest batch that the API takes, payloads and all.
pub async fn a_thousand_changes_may_each_carry_a_blob(store: Arc<dyn Store>) {
    let change = |number: usize| {
        let record = job(&number.to_string());
        let body: Vec<u8> = number.to_string().into_bytes().repeat(500);
        Change {
            blobs: vec![blob(&record.key, "payload", body)],
            writes: vec![Write::Put(record)],
        }
    };
    let outcomes = store.commit((0..1_000).map(change).collect()).await.unwrap();
    assert_eq!(outcomes, [Committed::Done; 1_000]);
    let keys: Vec<_> = (0..1_000)
        .map(|number| blob_key(&job_key(&number.to_string()), "payload"))
        .collect();
    for (number, body) in store.blobs(&keys).await.unwrap().into_iter().enumerate() {
        assert_eq!(body, Some(number.to_string().into_bytes().repeat(500)));
    }
}

/// By itself or with a change.
pub async fn a_blob_put_again_is_replaced(store: Arc<dyn Store>) {
    let owner = job_key("a");
    store.put_blob(blob(&owner, "n", "first")).await.unwrap();
    store.put_blob(blob(&owner, "n", "second")).await.unwrap();
    assert_eq!(read(&*store, &owner, "n").await, Some(b"second".to_vec()));
    let change = Change {
        writes: vec![Write::Put(job("a"))],
        blobs: vec![blob(&owner, "n", "third")],
    };
    assert_eq!(commit(&*store, change).await, Committed::Done);
    assert_eq!(read(&*store, &owner, "n").await, Some(b"third".to_vec()));
}

/// Who comes later learns what is there.
pub async fn a_new_blob_leaves_the_one_there_alone(store: Arc<dyn Store>) {
    let owner = job_key("a");
    assert_eq!(
        store.put_new_blob(blob(&owner, "n", "first")).await.unwrap(),
        BlobPut::Stored
    );
    let met = store.put_new_blob(blob(&owner, "n", "second")).await.unwrap();
    assert_eq!(met, BlobPut::Exists(b"first".to_vec()));
    assert_eq!(
        store.put_new_blob(blob(&owner, "m", "second")).await.unwrap(),
        BlobPut::Stored
    );
    assert_eq!(read(&*store, &owner, "n").await, Some(b"first".to_vec()));
}

/// And all others meet that one.
pub async fn of_racing_new_blobs_one_is_stored(store: Arc<dyn Store>) {
    for round in 0..10 {
        let name = format!("log/{round}");
        let puts = race(|racer| {
            let (store, sample) = (Arc::clone(&store), blob(&job_key("a"), &name, racer.to_string()));
            async move { store.put_new_blob(sample).await.unwrap() }
        });
        let puts = puts.await;
        let winners: Vec<usize> = (0..puts.len())
            .filter(|racer| puts[*racer] == BlobPut::Stored)
            .collect();
        let [winner] = winners[..] else {
            panic!("{} were stored", winners.len())
        };
        let stored = winner.to_string().into_bytes();
        assert!(
            puts.iter()
                .enumerate()
                .all(|(racer, put)| racer == winner || *put == BlobPut::Exists(stored.clone()))
        );
        assert_eq!(read(&*store, &job_key("a"), &name).await, Some(stored));
    }
}

/// A deleted record leaves none behind, and takes none of another's.
pub async fn blobs_go_with_their_record(store: Arc<dyn Store>) {
    let owners: [Record; 3] = put_all(&*store, ["a", "ab", "a-b"].map(job)).await.try_into().unwrap();
    for owner in &owners {
        for name in ["payload", "log/0", "log/1"] {
            store.put_blob(blob(&owner.key, name, "x")).await.unwrap();
        }
    }
    let [gone, ..] = &owners;
    let delete = Change {
        writes: vec![Write::Delete(gone.key.clone(), gone.version)],
        blobs: Vec::new(),
    };
    assert_eq!(commit(&*store, delete).await, Committed::Done);
    assert_eq!(names(&*store, &owners[0].key, "", None, 10).await, [""; 0]);
    assert_eq!(read(&*store, &owners[0].key, "payload").await, None);
    for owner in &owners[1..] {
        assert_eq!(
            names(&*store, &owner.key, "", None, 10).await,
            ["log/0", "log/1", "payload"]
        );
    }
    put(&*store, job("a")).await;
    assert_eq!(names(&*store, &owners[0].key, "", None, 10).await, [""; 0]);
}

/// After the last one that was read.
pub async fn names_of_blobs_come_in_order_page_by_page(store: Arc<dyn Store>) {
    let owner = job_key("a");
    for number in [3, 0, 7, 1, 2, 6, 5, 4] {
        store
            .put_blob(blob(&owner, &format!("log/{number}"), "x"))
            .await
            .unwrap();
    }
    for name in ["checkpoint/a", "log", "log0", "payload"] {
        store.put_blob(blob(&owner, name, "x")).await.unwrap();
    }
    assert_eq!(
        names(&*store, &owner, "log/", None, 3).await,
        ["log/0", "log/1", "log/2"]
    );
    assert_eq!(
        names(&*store, &owner, "log/", Some("log/2"), 3).await,
        ["log/3", "log/4", "log/5"]
    );
    assert_eq!(
        names(&*store, &owner, "log/", Some("log/5"), 3).await,
        ["log/6", "log/7"]
    );
    assert_eq!(names(&*store, &owner, "log/", Some("log/7"), 3).await, [""; 0]);
    assert_eq!(names(&*store, &owner, "log/", Some("log/25"), 1).await, ["log/3"]);
    assert_eq!(names(&*store, &owner, "log/", Some("checkpoint/a"), 1).await, ["log/0"]);
    assert_eq!(names(&*store, &owner, "log/", Some("z"), 1).await, [""; 0]);
    assert_eq!(names(&*store, &owner, "log/", None, 0).await, [""; 0]);
    assert_eq!(names(&*store, &owner, "", None, 100).await.len(), 12);
}

/// No character in them means anything but itself.
pub async fn names_of_blobs_match_their_prefix_to_the_letter(store: Arc<dyn Store>) {
    let owner = job_key("a");
    for name in ["A/1", "a%1", "a/1", "a_1", "a~1", "~", "~~"] {
        store.put_blob(blob(&owner, name, "x")).await.unwrap();
    }
    let cases: [(&str, &[&str]); 5] = [
        ("a%", &["a%1"]),
        ("a_", &["a_1"]),
        ("A", &["A/1"]),
        ("a~", &["a~1"]),
        ("~", &["~", "~~"]),
    ];
    for (prefix, expected) in cases {
        assert_eq!(names(&*store, &owner, prefix, None, 10).await, expected, "{prefix}");
    }
}

/// Kind, partition and id all count.
pub async fn blobs_of_owners_that_begin_alike_are_never_mixed(store: Arc<dyn Store>) {
    let owners = [
        Key::new(Kind::Job, &tenant("a"), "bc"),
        Key::new(Kind::Job, &tenant("ab"), "c"),
        Key::new(Kind::Job, &tenant("a"), "b"),
        Key::new(Kind::Robot, &tenant("a"), "bc"),
        Key::common(Kind::Job, "bc"),
    ];
    for (number, owner) in owners.iter().enumerate() {
        store.put_blob(blob(owner, "n", number.to_string())).await.unwrap();
        store
            .put_blob(blob(owner, &format!("only-{number}"), "x"))
            .await
            .unwrap();
    }
    for (number, owner) in owners.iter().enumerate() {
        assert_eq!(read(&*store, owner, "n").await, Some(number.to_string().into_bytes()));
        assert_eq!(
            names(&*store, owner, "", None, 10).await,
            ["n".to_owned(), format!("only-{number}")]
        );
    }
}

async fn read(store: &dyn Store, owner: &Key, name: &str) -> Option<Vec<u8>> {
    let [body] = store.blobs(&[blob_key(owner, name)]).await.unwrap().try_into().unwrap();
    body
}

async fn names(store: &dyn Store, owner: &Key, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    store.blob_names(owner, prefix, after, limit).await.unwrap()
}
