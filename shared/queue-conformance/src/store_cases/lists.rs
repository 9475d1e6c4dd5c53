//! Lists: newest first, page by page.

use std::sync::Arc;

use queue::store::{Key, Kind, Position, Record, Store};

use crate::samples::{at, ids, job, put, put_all, record, tenant};

/// As if they were one shelf.
pub async fn a_list_merges_its_shelves_newest_first(store: Arc<dyn Store>) {
    let on = |shelf: &str, id: &str, seconds| Record {
        shelf: shelf.to_owned(),
        listed_at: at(seconds),
        ..job(id)
    };
    let samples = [
        on("ready", "a", 1),
        on("failed", "b", 2),
        on("running", "c", 3),
        on("ready", "d", 4),
        on("failed", "e", 5),
        on("ready", "f", 6),
    ];
    put_all(&*store, samples).await;
    let cases: [(&[&str], usize, &[&str]); 6] = [
        (&["ready"], 10, &["f", "d", "a"]),
        (&["ready", "failed"], 10, &["f", "e", "d", "b", "a"]),
        (&["failed", "running", "ready"], 10, &["f", "e", "d", "c", "b", "a"]),
        (&["ready", "failed"], 3, &["f", "e", "d"]),
        (&["ready", "nothing here"], 1, &["f"]),
        (&["ready"], 0, &[]),
    ];
    for (shelves, limit, expected) in cases {
        let listed = store.list(Kind::Job, "acme", shelves, None, limit).await.unwrap();
        assert_eq!(ids(&listed), expected, "{limit} of {shelves:?}");
    }
}

/// Within a page and from one page to the next.
pub async fn what_is_listed_at_one_moment_comes_by_id_the_greatest_first(store: Arc<dyn Store>) {
    let samples = (0..10).map(|number| {
        let shelf = ["ready", "failed"][number % 2].to_owned();
        Record {
            shelf,
            ..job(&((number * 3) % 10).to_string())
        }
    });
    put_all(&*store, samples).await;
    let pages = pages(&*store, &["ready", "failed"], 3).await;
    assert_eq!(pages.concat(), ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
    assert_eq!(pages[0].len(), 3);
}

/// Who reads on from a position reads on, whatever came meanwhile.
pub async fn pages_lose_and_repeat_nothing_while_records_are_added_in_front(store: Arc<dyn Store>) {
    let shelves = ["ready", "failed", "running"];
    let on = |number: usize| Record {
        shelf: shelves[number % 3].to_owned(),
        listed_at: at(i64::try_from(number / 4).unwrap()),
        ..job(&format!("{number:04}"))
    };
    put_all(&*store, (0..100).map(on)).await;

    let mut read: Vec<String> = Vec::new();
    let mut after: Option<Position> = None;
    for added in (100..).step_by(5) {
        let page = store
            .list(Kind::Job, "acme", &shelves, after.as_ref(), 7)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.position());
        read.extend(page.into_iter().map(|record| record.key.id));
        put_all(&*store, (added..added + 5).map(on)).await;
    }
    let expected: Vec<String> = (0..100).rev().map(|number| format!("{number:04}")).collect();
    assert_eq!(read, expected);
}

/// Also those whose names begin alike.
pub async fn a_list_keeps_kinds_partitions_and_shelves_apart(store: Arc<dyn Store>) {
    let mut keys = vec![Key::common(Kind::ApiKey, "x"), Key::common(Kind::Tenant, "x")];
    for partition in ["a", "ab", "a-b"] {
        keys.extend([Kind::Job, Kind::Robot].map(|kind| Key::new(kind, &tenant(partition), "x")));
    }
    for key in &keys {
        for shelf in ["s", "st", "s-t"] {
            let id = format!("{shelf}-{}", key.id);
            put(&*store, record(Key { id, ..key.clone() }, shelf)).await;
        }
    }
    for key in &keys {
        let listed = store.list(key.kind, &key.partition, &["s"], None, 10).await.unwrap();
        let [only] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!(
            only.key,
            Key {
                id: "s-x".to_owned(),
                ..key.clone()
            }
        );
    }
}

/// Nothing asked, nothing given.
pub async fn a_list_of_no_shelves_is_empty(store: Arc<dyn Store>) {
    put(&*store, job("a")).await;
    assert_eq!(store.list(Kind::Job, "acme", &[], None, 10).await.unwrap(), []);
}

/// A careless caller gets no record twice.
pub async fn a_shelf_named_twice_is_listed_once(store: Arc<dyn Store>) {
    put_all(&*store, ["a", "b"].map(job)).await;
    let listed = store
        .list(Kind::Job, "acme", &["scheduled", "scheduled"], None, 10)
        .await
        .unwrap();
    assert_eq!(ids(&listed), ["b", "a"]);
}

/// The ids of all pages of `limit` records.
async fn pages(store: &dyn Store, shelves: &[&str], limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .list(Kind::Job, "acme", shelves, after.as_ref(), limit)
            .await
            .unwrap();
        let Some(last) = page.last() else { return pages };
        after = Some(last.position());
        pages.push(page.into_iter().map(|record| record.key.id).collect());
    }
}
