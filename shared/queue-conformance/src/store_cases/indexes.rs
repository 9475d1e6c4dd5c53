//! What finds records: lanes, the ready and the due index, counts.

use std::{fmt::Write as _, sync::Arc};

use domain::{QueueName, RobotId};
use futures::channel::oneshot;
use queue::store::{Change, Committed, Count, Key, Kind, Lane, Rank, Record, Store, Version, Write};

use crate::samples::{
    acme, at, claim_for, commit, ids, job, job_key, lane, leased, load, put, put_all, ready_job, record, robot, tenant,
};

/// Prefixes are those of a tenant, of a queue, of a target.
pub async fn lanes_come_by_prefix_in_the_order_of_their_text(store: Arc<dyn Store>) {
    let (default, other) = (
        QueueName::parse("default").unwrap(),
        QueueName::parse("default-2").unwrap(),
    );
    let target = RobotId::parse("rob_1").unwrap();
    let lanes = [
        Lane::new(&acme(), &default, None, ""),
        Lane::new(&acme(), &default, None, "browser"),
        Lane::new(&acme(), &default, None, "browser/excel"),
        Lane::new(&acme(), &default, Some(&target), ""),
        Lane::new(&acme(), &other, None, ""),
        Lane::new(&tenant("acme-2"), &default, None, ""),
        Lane::new(&tenant("acm"), &default, None, ""),
    ];
    for (number, lane) in lanes.iter().enumerate() {
        put_all(
            &*store,
            ["x", "y"].map(|id| ready_job(&format!("{id}{number}"), lane, 0, at(0))),
        )
        .await;
    }
    let any = Lane::prefix(&acme(), &default, None);
    assert_eq!(store.lanes(&any, 10).await.unwrap(), lanes[..3]);
    assert_eq!(store.lanes(&any, 2).await.unwrap(), lanes[..2]);
    assert_eq!(store.lanes(&any, 0).await.unwrap(), []);
    let prefixes = [&any, "zzz", "acme/default/", &any].map(str::to_owned);
    let each = store.lanes_of(&prefixes, 2).await.unwrap();
    assert_eq!(each, [&lanes[..2], &[], &lanes[..2], &lanes[..2]]);
    assert_eq!(store.lanes_of(&[], 2).await.unwrap(), Vec::<Vec<Lane>>::new());
    assert_eq!(
        store
            .lanes(&Lane::prefix(&acme(), &default, Some(&target)), 10)
            .await
            .unwrap(),
        lanes[3..4]
    );
    assert_eq!(
        store.lanes("acme/", 10).await.unwrap(),
        [4, 0, 1, 2, 3].map(|place| lanes[place].clone())
    );
    assert_eq!(store.lanes("acme/defaul%", 10).await.unwrap(), []);
    assert_eq!(store.lanes("", 10).await.unwrap().len(), lanes.len());
    assert_eq!(store.lanes("zzz", 10).await.unwrap(), []);
}

/// A class spells capabilities, which may be in any language.
pub async fn lanes_of_any_text_are_found(store: Arc<dyn Store>) {
    let long = "é".repeat(400);
    let classes = [
        "%",
        "'",
        "A",
        "\\",
        "_",
        "a",
        "a/b//c",
        "z\u{7f}",
        "ß",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
        &long,
    ];
    let mut lanes = classes.map(|class| lane("default", class));
    lanes.sort();
    for (number, lane) in lanes.iter().enumerate() {
        put(&*store, ready_job(&number.to_string(), lane, 0, at(0))).await;
    }
    assert_eq!(store.lanes("acme/default//", 100).await.unwrap(), lanes);
    for (number, lane) in lanes.iter().enumerate() {
        assert_eq!(
            ids(&store.ready(std::slice::from_ref(lane), 10).await.unwrap()),
            [number.to_string()]
        );
        let beginning_alike = lanes
            .iter()
            .filter(|other| other.as_str().starts_with(lane.as_str()))
            .cloned();
        assert_eq!(
            store.lanes(lane.as_str(), 100).await.unwrap(),
            beginning_alike.collect::<Vec<_>>()
        );
    }
}

/// The longest lane there is, of text that does not shrink when it is packed.
pub async fn a_lane_may_be_long(store: Arc<dyn Store>) {
    const LANE_BYTES_MAX: usize = 2_000;
    let mut text = "acme/default//".to_owned();
    for number in 1_u64.. {
        write!(text, "{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
        if text.len() >= LANE_BYTES_MAX {
            break;
        }
    }
    text.truncate(LANE_BYTES_MAX);
    let lane = Lane::from_stored(text);
    let stored = put(&*store, ready_job("a", &lane, 0, at(0))).await;
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), std::slice::from_ref(&lane));
    assert_eq!(store.ready(&[lane], 10).await.unwrap(), [stored]);
}

/// By a claim, by a write, by a deletion.
pub async fn a_lane_that_runs_empty_is_not_named(store: Arc<dyn Store>) {
    let lanes = ["claimed", "deleted", "left", "written"].map(|class| lane("default", class));
    let [claimed, deleted, left, written] = &lanes;
    put_all(&*store, ["a", "b"].map(|id| ready_job(id, claimed, 0, at(0)))).await;
    put(&*store, ready_job("c", left, 0, at(0))).await;
    let gone = put(&*store, ready_job("d", deleted, 0, at(0))).await;
    let later = put(&*store, ready_job("e", written, 0, at(0))).await;
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), lanes);

    claim_for(&*store, robot("r"), std::slice::from_ref(claimed), 10).await;
    put(&*store, Record { rank: None, ..later }).await;
    commit(
        &*store,
        Change {
            writes: vec![Write::Delete(gone.key, gone.version)],
            blobs: Vec::new(),
        },
    )
    .await;
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), std::slice::from_ref(left));
}

/// As many as a fleet of many kinds of robots makes.
pub async fn a_thousand_lanes_are_named_and_offered(store: Arc<dyn Store>) {
    const LANES: usize = 1_000;
    let lanes: Vec<Lane> = (0..LANES)
        .map(|number| lane("default", &format!("{number:04}")))
        .collect();
    let samples = (0..).zip(&lanes).flat_map(|(number, lane)| {
        [
            ready_job(&format!("{number:04}-a"), lane, 1, at(number)),
            ready_job(&format!("{number:04}-b"), lane, 2, at(0)),
        ]
    });
    let samples: Vec<Record> = samples.collect();
    for batch in samples.chunks(500) {
        put_all(&*store, batch.to_vec()).await;
    }
    assert_eq!(store.lanes("acme/", 2 * LANES).await.unwrap(), lanes);
    assert_eq!(store.lanes("acme/", LANES - 1).await.unwrap(), lanes[..LANES - 1]);
    let (offered, _) = claim_for(&*store, robot("r"), &lanes, 3).await;
    assert_eq!(ids(&offered), ["0000-a", "0001-a", "0002-a"]);
}

/// The same records in the same order; none is written.
pub async fn ready_gives_what_a_claim_would_offer(store: Arc<dyn Store>) {
    let lanes = ["a", "b"].map(|class| lane("default", class));
    let samples = (0..30_u8).map(|number| {
        ready_job(
            &number.to_string(),
            &lanes[usize::from(number % 2)],
            number % 3,
            at(i64::from(number % 5)),
        )
    });
    put_all(&*store, samples).await;
    for limit in [0, 1, 7, 30, 100] {
        let ready = store.ready(&lanes, limit).await.unwrap();
        let (tell, told) = oneshot::channel();
        let decide = move |offer: Vec<Record>| {
            tell.send(offer).unwrap();
            vec![]
        };
        store.claim(&lanes, limit, Box::new(decide)).await.unwrap();
        assert_eq!(ready.len(), limit.min(30));
        assert_eq!(ready, told.await.unwrap());
    }
    assert_eq!(store.ready(&[], 10).await.unwrap(), []);
}

/// Over all kinds and tenants; what is due later, or never, is left out.
pub async fn due_gives_the_soonest_first_up_to_now(store: Arc<dyn Store>) {
    let due = |key: Key, seconds| Record {
        due_at: Some(at(seconds)),
        ..record(key, "any")
    };
    let samples = [
        due(Key::new(Kind::Job, &acme(), "c"), 3),
        due(Key::new(Kind::Robot, &tenant("other"), "a"), 1),
        due(Key::common(Kind::Tenant, "d"), 4),
        due(Key::new(Kind::Job, &tenant("other"), "b"), 2),
        record(Key::new(Kind::Job, &acme(), "never"), "any"),
    ];
    put_all(&*store, samples).await;
    assert_eq!(ids(&store.due(at(0), 10).await.unwrap()), [""; 0]);
    assert_eq!(ids(&store.due(at(3), 10).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(ids(&store.due(at(9), 2).await.unwrap()), ["a", "b"]);
    assert_eq!(ids(&store.due(at(9), 10).await.unwrap()), ["a", "b", "c", "d"]);
    assert_eq!(ids(&store.due(at(9), 0).await.unwrap()), [""; 0]);
}

/// A thousand jobs may be due at once; they come in an order all the same.
pub async fn what_is_due_at_one_moment_comes_by_id(store: Arc<dyn Store>) {
    let samples = (0..50).map(|number| Record {
        due_at: Some(at(1)),
        ..job(&format!("{:02}", (number * 7) % 50))
    });
    put_all(&*store, samples).await;
    let expected: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    assert_eq!(ids(&store.due(at(1), 20).await.unwrap()), expected);
}

/// What the last write said is where it is found, and nowhere else.
pub async fn a_write_moves_a_record_in_every_index(store: Arc<dyn Store>) {
    let (before, after) = (lane("default", "before"), lane("default", "after"));
    let first = put(&*store, ready_job("a", &before, 1, at(1))).await;
    let moved = Record {
        lane: Some(after.clone()),
        rank: Some(Rank { band: 2, since: at(2) }),
        due_at: Some(at(20)),
        shelf: "moved".to_owned(),
        listed_at: at(50),
        ..first
    };
    let moved = put(&*store, moved).await;
    assert_eq!(store.ready(std::slice::from_ref(&before), 10).await.unwrap(), []);
    assert_eq!(
        store.ready(std::slice::from_ref(&after), 10).await.unwrap(),
        std::slice::from_ref(&moved)
    );
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), std::slice::from_ref(&after));
    assert_eq!(store.due(at(19), 10).await.unwrap(), []);
    assert_eq!(store.due(at(20), 10).await.unwrap(), std::slice::from_ref(&moved));
    assert_eq!(shelf(&*store, "ready").await, []);
    assert_eq!(shelf(&*store, "moved").await, std::slice::from_ref(&moved));

    let finished = put(
        &*store,
        Record {
            rank: None,
            due_at: None,
            shelf: "finished".to_owned(),
            ..moved
        },
    )
    .await;
    assert_eq!(store.ready(&[before, after], 10).await.unwrap(), []);
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), []);
    assert_eq!(store.due(at(999_999), 10).await.unwrap(), []);
    assert_eq!(store.count(&acme()).await.unwrap(), []);
    assert_eq!(store.depth(10).await.unwrap(), 0);
    assert_eq!(shelf(&*store, "moved").await, []);
    assert_eq!(shelf(&*store, "finished").await, [finished]);
}

/// Its entries go with it.
pub async fn a_deleted_record_is_in_no_index(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    let gone = put(
        &*store,
        Record {
            expires_at: Some(at(0)),
            ..ready_job("a", &lane, 0, at(0))
        },
    )
    .await;
    let delete = Change {
        writes: vec![Write::Delete(gone.key, Version(1))],
        blobs: Vec::new(),
    };
    assert_eq!(commit(&*store, delete).await, Committed::Done);
    assert_eq!(store.ready(&[lane], 10).await.unwrap(), []);
    assert_eq!(store.lanes("", 10).await.unwrap(), []);
    assert_eq!(store.due(at(999_999), 10).await.unwrap(), []);
    assert_eq!(store.count(&acme()).await.unwrap(), []);
    assert_eq!(store.depth(10).await.unwrap(), 0);
    assert_eq!(shelf(&*store, "ready").await, []);
    assert_eq!(store.purge(at(999_999), 10).await.unwrap(), 0);
}

/// And since when the first of them is ready. What is in neither index is finished and not counted.
pub async fn count_tells_lanes_and_shelves_of_what_is_ready_or_due(store: Arc<dyn Store>) {
    let (one, two) = (lane("default", "a"), lane("default", "b"));
    let only_ready = Record {
        due_at: None,
        ..ready_job("e", &two, 0, at(4))
    };
    let scheduled = Record {
        rank: None,
        shelf: "scheduled".to_owned(),
        ..ready_job("s", &one, 0, at(0))
    };
    let finished = Record {
        rank: None,
        due_at: None,
        ..ready_job("f", &one, 0, at(0))
    };
    let samples = [
        ready_job("a", &one, 0, at(7)),
        ready_job("b", &one, 9, at(3)),
        leased(ready_job("c", &one, 0, at(1))),
        ready_job("d", &two, 0, at(5)),
        only_ready,
        scheduled,
        finished,
        Record {
            due_at: Some(at(1)),
            ..robot("r")
        },
    ];
    put_all(&*store, samples).await;
    let count = |lane: &Lane, shelf: &str, records, oldest| Count {
        lane: lane.clone(),
        shelf: shelf.to_owned(),
        records,
        oldest,
    };
    let mut counts = store.count(&acme()).await.unwrap();
    counts.sort_by(|one, other| (&one.lane, &one.shelf).cmp(&(&other.lane, &other.shelf)));
    let expected = [
        count(&one, "leased", 1, None),
        count(&one, "ready", 2, Some(at(3))),
        count(&one, "scheduled", 1, None),
        count(&two, "ready", 2, Some(at(4))),
    ];
    assert_eq!(counts, expected);

    // Taken, it is in neither index; given back, it is ready again.
    let only_ready = load(&*store, &job_key("e")).await.unwrap();
    let rank = only_ready.rank;
    let taken = put(
        &*store,
        Record {
            rank: None,
            ..only_ready
        },
    )
    .await;
    let of_two = |counts: Vec<Count>| counts.into_iter().filter(|count| count.lane == two).collect::<Vec<_>>();
    assert_eq!(
        of_two(store.count(&acme()).await.unwrap()),
        [count(&two, "ready", 1, Some(at(5)))]
    );
    put(&*store, Record { rank, ..taken }).await;
    assert_eq!(
        of_two(store.count(&acme()).await.unwrap()),
        [count(&two, "ready", 2, Some(at(4)))]
    );
}

/// Also those whose names begin alike.
pub async fn count_keeps_tenants_apart(store: Arc<dyn Store>) {
    for name in ["a", "ab", "a-b", "a.b", "b"] {
        let (tenant, queue) = (tenant(name), QueueName::default_queue());
        let lane = Lane::new(&tenant, &queue, None, "");
        put(
            &*store,
            Record {
                key: Key::new(Kind::Job, &tenant, "j"),
                ..ready_job("j", &lane, 0, at(0))
            },
        )
        .await;
        let counted = store.count(&tenant).await.unwrap();
        assert_eq!(
            counted,
            [Count {
                lane,
                shelf: "ready".to_owned(),
                records: 1,
                oldest: Some(at(0))
            }]
        );
    }
    assert_eq!(store.count(&tenant("c")).await.unwrap(), []);
}

/// Over all tenants and lanes.
pub async fn depth_counts_what_is_ready_and_stops_at_the_limit(store: Arc<dyn Store>) {
    assert_eq!(store.depth(10).await.unwrap(), 0);
    for name in ["acme", "other"] {
        let lane = Lane::new(&tenant(name), &QueueName::default_queue(), None, "");
        let samples = (0..8).map(|number| {
            let key = Key::new(Kind::Job, &tenant(name), number.to_string());
            let sample = ready_job("", &lane, 0, at(0));
            Record {
                key,
                rank: sample.rank.filter(|_| number < 6),
                ..sample
            }
        });
        put_all(&*store, samples).await;
    }
    for (limit, expected) in [(0, 0), (1, 1), (11, 11), (12, 12), (13, 12), (1_000_000, 12)] {
        assert_eq!(store.depth(limit).await.unwrap(), expected);
    }
}

async fn shelf(store: &dyn Store, shelf: &str) -> Vec<Record> {
    store.list(Kind::Job, "acme", &[shelf], None, 10).await.unwrap()
}
