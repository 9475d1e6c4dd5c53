//! Both versions on one store, on every store.

use serde_json::json;
use upgrade_tests::{Fleet, Place, Robot, Server, Sides, Version, work};

/// How many robots work, in turn with either version.
const ROBOTS: usize = 3;

/// Makes the cases of each store.
macro_rules! on {
    ($($store:ident)*) => { $(
        mod $store {
            use upgrade_tests::{Version, $store as place};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn this_version_joins_the_one_before_on_its_store() {
                crate::the_second_joins_the_first(&place(), [Version::Old, Version::New]).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_version_before_joins_this_one_on_its_store() {
                crate::the_second_joins_the_first(&place(), [Version::New, Version::Old]).await;
            }
        }
    )* };
}

on! { sqlite postgres sqs }

/// As an upgrade, or the way back, goes: one version has made the store and works on it; the schema is brought up to the newer one's;
/// the other version comes, and both serve clients and robots, who never know which of them answers.
async fn the_second_joins_the_first(place: &Place, [first, second]: [Version; 2]) {
    Version::build_both();
    first.migrate(&place.store);
    let one = Server::start(first, place);
    let alone = Sides::new(&one.admin, &one.admin);
    let mut veteran = Robot::register(&alone, "veterans", 1).await;
    let begun = alone.submit(&json!({ "workflow": "greet", "queue": "veterans" })).await;
    let held = veteran.begin().await;

    Version::New.migrate(&place.store);
    let other = Server::start(second, place);
    let sides = Sides::new(&one.admin, &other.admin);
    let fleet = Fleet::start(&sides, ROBOTS).await;
    work::settle(&sides).await;
    let mut all = vec![
        work::submit(&sides).await,
        work::cancel(&sides).await,
        work::restart(&sides).await,
    ];
    for orders in &all {
        orders.all_end(&sides).await;
    }
    let again = work::bury(&sides).await;
    again.all_end(&sides).await;
    all.push(again);

    // What was begun before the other version came goes on with it.
    veteran.go_on_with(&Sides::new(&other.admin, &other.admin));
    assert_eq!(
        veteran.finish(&held, json!({ "outcome": "succeeded" })).await,
        "succeeded"
    );
    assert_eq!(sides.ended(&begun).await["attempt"], 1);
    let ended = fleet.stop().await;
    assert!(
        ended.iter().all(|attempts| *attempts > 0),
        "a robot did nothing: {ended:?}"
    );

    for list in ["/v1/jobs", "/v1/queues", "/v1/keys", "/v1/dead-letters"] {
        sides.agree_on(list).await;
    }
    for id in all.iter().flat_map(work::Orders::ids) {
        for what in ["", "/history"] {
            sides.agree_on(&format!("/v1/jobs/{id}{what}")).await;
        }
    }
    one.stop();
    other.stop();
    place.audit().await;
}
