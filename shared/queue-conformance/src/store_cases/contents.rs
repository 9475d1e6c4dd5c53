//! What records hold: any text, any time, names that look alike.

use std::sync::Arc;

use domain::time::Timestamp;
use queue::store::{Change, Committed, Key, Kind, Record, Store, Version, Write};

use crate::samples::{acme, commit, job, lane, load, put, put_all, ready_job, record, tenant};

/// Text is kept to the letter, whatever it means to a database.
pub async fn bodies_hold_any_text(store: Arc<dyn Store>) {
    let controls: String = (1..=31).chain(127..=159).filter_map(char::from_u32).collect();
    let long = "ä☂𝄞".repeat(30_000);
    let bodies = [
        "",
        " ",
        "{}",
        r#"{"quote":"it's \"so\" \\ and \\u0000"}"#,
        "$1 ?1 :name % _ -- ; /* */ {a,b} \\x00 NULL",
        "e\u{301} is not é, Å is not Å, ß is not SS",
        "\u{feff}\u{200b}\u{2028}\u{e000}\u{fffd}\u{ffff}\u{10ffff}",
        "שלום مرحبا नमस्ते 你好 👩‍🚀",
        &controls,
        &long,
    ];
    let records = bodies.iter().enumerate().map(|(number, body)| Record {
        body: (*body).to_owned(),
        ..job(&number.to_string())
    });
    for stored in put_all(&*store, records).await {
        assert_eq!(load(&*store, &stored.key).await, Some(stored));
    }
}

/// A time may be long ago or far ahead.
pub async fn times_may_lie_far_apart(store: Arc<dyn Store>) {
    let times = [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "9998-12-31T23:59:59Z",
    ];
    for text in times {
        let moment = Timestamp::parse(text).unwrap();
        let sample = Record {
            due_at: Some(moment),
            listed_at: moment,
            expires_at: Some(moment),
            ..ready_job(text, &lane("default", ""), 3, moment)
        };
        let stored = put(&*store, sample).await;
        assert_eq!(load(&*store, &stored.key).await, Some(stored));
    }
}

/// A key is its kind, its partition and its id, each as a whole.
pub async fn names_that_begin_alike_are_never_mixed(store: Arc<dyn Store>) {
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        for partition in ["a", "ab", "a-b", "a.b", "b"] {
            keys.extend(
                ["c", "bc", "b-c", "b/c", "a", "ab", "%", "_"].map(|id| Key::new(kind, &tenant(partition), id)),
            );
        }
        keys.extend(["a", "ab", "a/b", "c"].map(|id| Key::common(kind, id)));
    }
    let records = keys.iter().map(|key| Record {
        body: format!("{key:?}"),
        ..record(key.clone(), "all")
    });
    let stored = put_all(&*store, records).await;
    let expected: Vec<Option<Record>> = stored.into_iter().map(Some).collect();
    assert_eq!(store.load(&keys).await.unwrap(), expected);

    // One of them goes, and no other.
    let gone = keys
        .iter()
        .position(|key| *key == Key::new(Kind::Job, &tenant("a"), "bc"))
        .unwrap();
    let delete = Write::Delete(keys[gone].clone(), Version(1));
    let delete = Change {
        writes: vec![delete],
        blobs: Vec::new(),
    };
    assert_eq!(commit(&*store, delete).await, Committed::Done);
    let left = expected
        .into_iter()
        .enumerate()
        .map(|(place, record)| record.filter(|_| place != gone));
    assert_eq!(store.load(&keys).await.unwrap(), left.collect::<Vec<_>>());
}

/// Upper and lower case are different names.
pub async fn names_keep_their_case(store: Arc<dyn Store>) {
    let upper = put(&*store, record(Key::new(Kind::Dedup, &acme(), "Key"), "all")).await;
    assert_eq!(load(&*store, &Key::new(Kind::Dedup, &acme(), "key")).await, None);
    let lower = put(&*store, record(Key::new(Kind::Dedup, &acme(), "key"), "all")).await;
    assert_eq!(
        store.load(&[upper.key.clone(), lower.key.clone()]).await.unwrap(),
        [Some(upper), Some(lower)]
    );
}
