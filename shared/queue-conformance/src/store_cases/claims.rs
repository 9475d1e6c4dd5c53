//! Claims: what is offered, in which order, what is written, and that no job goes to two.

use std::{collections::BTreeMap, sync::Arc};

use queue::store::{
    Committed::{Conflict, Done},
    Grant, Granted, Lane, Record, Store, Version,
};

use super::races::race;
use crate::samples::{
    at, claim_for, commit, ids, job_key, lane, leased, load, put, put_all, ready_job, robot, version,
};

/// Lower band first, then earlier since, then lower id; the lane does not matter.
pub async fn a_claim_offers_the_best_over_all_lanes_first(store: Arc<dyn Store>) {
    let lanes = ["", "browser", "browser,excel"].map(|class| lane("default", class));
    let [any, browser, excel] = &lanes;
    let samples = [
        ready_job("e", any, 2, at(0)),
        ready_job("d", browser, 1, at(9)),
        ready_job("c", excel, 1, at(5)),
        ready_job("b", any, 1, at(5)),
        ready_job("a", excel, 255, at(-9)),
        ready_job("f", browser, 0, at(99)),
    ];
    put_all(&*store, samples).await;
    let (offered, granted) = claim_for(&*store, robot("r"), &lanes, 10).await;
    assert_eq!(ids(&offered), ["f", "b", "c", "d", "e", "a"]);
    assert_eq!(granted, all_done(6));
}

/// The best of them are offered, and the others stay.
pub async fn a_claim_offers_no_more_than_its_limit(store: Arc<dyn Store>) {
    let lanes = ["x", "y"].map(|class| lane("default", class));
    let samples = (0..20)
        .zip(lanes.iter().cycle())
        .map(|(number, lane)| ready_job(&format!("{number:02}"), lane, 0, at(number)));
    put_all(&*store, samples).await;

    let (offered, _) = claim_for(&*store, robot("one"), &lanes, 3).await;
    assert_eq!(ids(&offered), ["00", "01", "02"]);
    let (offered, _) = claim_for(&*store, robot("two"), &lanes, 0).await;
    assert_eq!(offered, []);
    let (offered, _) = claim_for(&*store, robot("three"), &lanes, 1).await;
    assert_eq!(ids(&offered), ["03"]);
}

/// Other lanes, and records of these lanes that are not ready, are left out.
pub async fn a_claim_offers_only_what_is_ready_in_its_lanes(store: Arc<dyn Store>) {
    let (wanted, other) = (lane("default", "a"), lane("default", "ab"));
    let scheduled = Record {
        rank: None,
        ..ready_job("scheduled", &wanted, 0, at(0))
    };
    put_all(
        &*store,
        [
            scheduled,
            ready_job("other", &other, 0, at(0)),
            ready_job("wanted", &wanted, 9, at(9)),
        ],
    )
    .await;
    let (offered, _) = claim_for(&*store, robot("r"), &[wanted, lane("default", "nothing here")], 10).await;
    assert_eq!(ids(&offered), ["wanted"]);
}

/// A careless caller gets no job twice.
pub async fn a_lane_named_twice_is_offered_once(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    put_all(&*store, ["a", "b"].map(|id| ready_job(id, &lane, 0, at(0)))).await;
    let lanes = [lane.clone(), lane];
    assert_eq!(ids(&store.ready(&lanes, 10).await.unwrap()), ["a", "b"]);
    let (offered, granted) = claim_for(&*store, robot("r"), &lanes, 10).await;
    assert_eq!(ids(&offered), ["a", "b"]);
    assert_eq!(granted, all_done(2));
}

/// What was decided is what is stored, a version on.
pub async fn a_claim_writes_the_holder_and_its_jobs(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    let holder = put(&*store, robot("r")).await;
    let jobs = put_all(&*store, ["a", "b"].map(|id| ready_job(id, &lane, 0, at(0)))).await;

    let holder = Record {
        body: r#"{"leases":2}"#.to_owned(),
        ..holder
    };
    let (offered, granted) = claim_for(&*store, holder.clone(), &[lane], 10).await;
    assert_eq!(offered, jobs);
    assert_eq!(granted, all_done(2));
    assert_eq!(load(&*store, &holder.key).await, Some(next(holder)));
    for job in jobs {
        assert_eq!(load(&*store, &job.key).await, Some(next(leased(job))));
    }
}

/// A granted job is out of the ready index before the claim is answered.
pub async fn what_was_claimed_is_not_offered_again(store: Arc<dyn Store>) {
    let lane = [lane("default", "")];
    put_all(&*store, ["a", "b"].map(|id| ready_job(id, &lane[0], 0, at(0)))).await;
    for expected in [vec!["a"], vec!["b"], vec![]] {
        let (offered, _) = claim_for(&*store, robot(&format!("r{}", expected.concat())), &lane, 1).await;
        assert_eq!(ids(&offered), expected);
    }
}

/// A robot that was written since is given nothing, and the jobs meant for it stay ready; another's grant stands.
pub async fn a_holder_that_moved_on_gets_none_of_its_jobs(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    let read = put(&*store, robot("late")).await;
    let moved = put(
        &*store,
        Record {
            body: r#"{"drained":true}"#.to_owned(),
            ..read.clone()
        },
    )
    .await;
    let good = put(&*store, robot("good")).await;
    let jobs = put_all(&*store, ["a", "b", "c"].map(|id| ready_job(id, &lane, 0, at(0)))).await;

    let holder = good.clone();
    let decide = move |offer: Vec<Record>| {
        let [a, b, c]: [Record; 3] = offer.try_into().unwrap();
        vec![
            Grant {
                holder: read,
                jobs: vec![leased(a), leased(c)],
            },
            Grant {
                holder,
                jobs: vec![leased(b)],
            },
        ]
    };
    let granted = store
        .claim(std::slice::from_ref(&lane), 10, Box::new(decide))
        .await
        .unwrap();
    let refused = Granted {
        holder: Conflict,
        jobs: vec![Conflict; 2],
    };
    assert_eq!(granted, [refused, all_done(1)]);

    assert_eq!(load(&*store, &moved.key).await, Some(moved));
    assert_eq!(version(&*store, &good.key).await, Version(2));
    let left = [jobs[0].clone(), jobs[2].clone()];
    assert_eq!(store.ready(&[lane], 10).await.unwrap(), left);
}

/// The holder and the other jobs are written all the same.
pub async fn a_job_that_conflicts_leaves_the_others(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    let jobs = put_all(&*store, ["a", "b", "c"].map(|id| ready_job(id, &lane, 0, at(0)))).await;
    let nobody = Record {
        version: Version(1),
        ..ready_job("nobody", &lane, 0, at(0))
    };
    let decide = move |offer: Vec<Record>| {
        let mut jobs: Vec<Record> = offer.into_iter().map(leased).collect();
        jobs[1].version = Version(8);
        jobs.push(nobody);
        vec![Grant {
            holder: robot("r"),
            jobs,
        }]
    };
    let granted = store
        .claim(std::slice::from_ref(&lane), 10, Box::new(decide))
        .await
        .unwrap();
    assert_eq!(
        granted,
        [Granted {
            holder: Done,
            jobs: vec![Done, Conflict, Done, Conflict]
        }]
    );
    assert_eq!(store.ready(&[lane], 10).await.unwrap(), [jobs[1].clone()]);
    assert_eq!(load(&*store, &job_key("nobody")).await, None);
}

/// Even when the decision is at fault.
pub async fn a_job_granted_twice_goes_to_the_first(store: Arc<dyn Store>) {
    let lane = lane("default", "");
    put(&*store, ready_job("a", &lane, 0, at(0))).await;
    let decide = |offer: Vec<Record>| {
        let to = |id: &str| {
            let job = leased(offer[0].clone());
            Grant {
                holder: robot(id),
                jobs: vec![Record {
                    body: format!("{id:?}"),
                    ..job
                }],
            }
        };
        vec![to("first"), to("second")]
    };
    let granted = store.claim(&[lane], 10, Box::new(decide)).await.unwrap();
    let refused = Granted {
        holder: Done,
        jobs: vec![Conflict],
    };
    assert_eq!(granted, [all_done(1), refused]);
    let stored = load(&*store, &job_key("a")).await.unwrap();
    assert_eq!((stored.version, stored.body.as_str()), (Version(2), r#""first""#));
}

/// What is offered and not granted stays as it was, for whoever asks next.
pub async fn a_decision_may_grant_nothing(store: Arc<dyn Store>) {
    let lane = [lane("default", "")];
    let jobs = put_all(&*store, ["a", "b"].map(|id| ready_job(id, &lane[0], 0, at(0)))).await;
    assert_eq!(store.claim(&lane, 10, Box::new(|_| vec![])).await.unwrap(), []);
    let (offered, _) = claim_for(&*store, robot("r"), &lane, 10).await;
    assert_eq!(offered, jobs);
}

/// So that a robot's heartbeat is written whether there is work or not.
pub async fn a_claim_with_nothing_to_offer_still_decides_once(store: Arc<dyn Store>) {
    let holder = put(&*store, robot("r")).await;
    let (offered, granted) = claim_for(&*store, holder, &[lane("default", "")], 10).await;
    assert_eq!((offered, granted), (vec![], all_done(0)));
    let holder = load(&*store, &robot("r").key).await.unwrap();
    let (offered, granted) = claim_for(&*store, holder, &[], 10).await;
    assert_eq!((offered, granted), (vec![], all_done(0)));
    assert_eq!(version(&*store, &robot("r").key).await, Version(3));
}

/// And the jobs of a grant in theirs.
pub async fn grants_come_back_in_their_order(store: Arc<dyn Store>) {
    const GRANTS: usize = 30;
    let lane = lane("default", "");
    let holders = put_all(
        &*store,
        (0..GRANTS).map(|number| robot(&format!("r{}", (number * 7) % GRANTS))),
    )
    .await;
    put_all(
        &*store,
        (0..3 * GRANTS).map(|number| ready_job(&format!("{number:03}"), &lane, 0, at(0))),
    )
    .await;

    // Of each grant the first job is stale, and of every other grant the holder.
    let decide = |offer: Vec<Record>| {
        let of = |(number, mut holder): (usize, Record)| {
            holder.version = Version(if number % 2 == 0 { 1 } else { 6 });
            let mut jobs: Vec<Record> = offer.iter().skip(number).step_by(GRANTS).cloned().map(leased).collect();
            jobs.reverse();
            jobs[0].version = Version(5);
            Grant { holder, jobs }
        };
        holders.into_iter().enumerate().map(of).collect()
    };
    let granted = store.claim(&[lane], 3 * GRANTS, Box::new(decide)).await.unwrap();
    for (number, granted) in granted.iter().enumerate() {
        let expected = match number % 2 {
            0 => Granted {
                holder: Done,
                jobs: vec![Conflict, Done, Done],
            },
            _ => Granted {
                holder: Conflict,
                jobs: vec![Conflict; 3],
            },
        };
        assert_eq!(*granted, expected, "{number}");
    }
    assert_eq!(granted.len(), GRANTS);
}

/// `ABSENT` means the same in a claim as in any write.
pub async fn a_holder_may_be_new(store: Arc<dyn Store>) {
    let lane = [lane("default", "")];
    put_all(&*store, ["a", "b"].map(|id| ready_job(id, &lane[0], 0, at(0)))).await;
    let (_, granted) = claim_for(&*store, robot("r"), &lane, 1).await;
    assert_eq!(granted, all_done(1));
    let (_, granted) = claim_for(&*store, robot("r"), &lane, 1).await;
    assert_eq!(
        granted,
        Granted {
            holder: Conflict,
            jobs: vec![Conflict]
        }
    );
}

/// However many claim at once, from lanes that overlap.
pub async fn no_job_is_handed_out_twice(store: Arc<dyn Store>) {
    const JOBS: usize = 400;
    let lanes = Arc::new(["a", "b", "c"].map(|class| lane("default", class)));
    let samples =
        (0..JOBS).map(|number| ready_job(&format!("{number:04}"), &lanes[number % 3], [0, 1][number % 2], at(0)));
    put_all(&*store, samples).await;

    let claims = race(|racer| {
        let (store, lanes) = (Arc::clone(&store), Arc::clone(&lanes));
        async move { claim_until_empty(&*store, racer, &lanes[racer % 2..]).await }
    });
    let claimed: Vec<String> = claims.await.into_iter().flatten().collect();
    let mut distinct = claimed.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((claimed.len(), distinct.len()), (JOBS, JOBS));
    for id in &claimed {
        assert_eq!(version(&*store, &job_key(id)).await, Version(2), "{id}");
    }
}

async fn claim_until_empty(store: &dyn Store, racer: usize, lanes: &[Lane]) -> Vec<String> {
    let mut holder = put(store, robot(&format!("r{racer}"))).await;
    let mut claimed = Vec::new();
    // A claim may be offered nothing because another is looking at the same jobs, so the index has the last word.
    while !store.ready(lanes, 1).await.unwrap().is_empty() {
        let (offered, granted) = claim_for(store, holder.clone(), lanes, 7).await;
        if granted.holder == Done {
            holder = next(holder);
        }
        let jobs = offered.into_iter().zip(granted.jobs);
        claimed.extend(jobs.filter(|(_, outcome)| *outcome == Done).map(|(job, _)| job.key.id));
    }
    claimed
}

/// A job that is cancelled and claimed at the same time is one of both, never both.
pub async fn a_claim_hands_out_exactly_what_it_marked_while_others_write(store: Arc<dyn Store>) {
    const JOBS: usize = 200;
    let lane = Arc::new([lane("default", "")]);
    let jobs = (0..JOBS).map(|number| ready_job(&format!("{number:04}"), &lane[0], 0, at(0)));
    let jobs = Arc::new(put_all(&*store, jobs).await);

    let writers = race(|racer| {
        let (store, lane, jobs) = (Arc::clone(&store), Arc::clone(&lane), Arc::clone(&jobs));
        async move {
            if racer % 2 == 0 {
                return claim_until_empty(&*store, racer, &*lane).await;
            }
            let mut cancelled = Vec::new();
            for job in jobs.iter().skip(racer).step_by(3) {
                let finished = Record {
                    rank: None,
                    due_at: None,
                    shelf: "cancelled".to_owned(),
                    ..job.clone()
                };
                if commit(&*store, finished).await == Done {
                    cancelled.push(job.key.id.clone());
                }
            }
            cancelled
        }
    });
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for (racer, ids) in writers.await.into_iter().enumerate() {
        for id in ids {
            let stored = load(&*store, &job_key(&id)).await.unwrap();
            assert_eq!(stored.version, Version(2), "{id}");
            assert_eq!(
                stored.shelf,
                if racer % 2 == 0 { "leased" } else { "cancelled" },
                "{id}"
            );
            *written.entry(id).or_default() += 1;
        }
    }
    assert_eq!(written.len(), JOBS);
    assert!(written.values().all(|writes| *writes == 1));
}

/// Its capacity cannot be spent twice.
pub async fn of_racing_claims_for_one_holder_one_wins(store: Arc<dyn Store>) {
    let lane = Arc::new([lane("default", "")]);
    put_all(
        &*store,
        (0..64).map(|number| ready_job(&format!("{number:02}"), &lane[0], 0, at(0))),
    )
    .await;
    let holder = put(&*store, robot("r")).await;
    let claims = race(|_| {
        let (store, lane, holder) = (Arc::clone(&store), Arc::clone(&lane), holder.clone());
        async move { claim_for(&*store, holder, &*lane, 2).await.1 }
    });
    let claims = claims.await;
    assert_eq!(claims.iter().filter(|granted| granted.holder == Done).count(), 1);
    let jobs = claims
        .iter()
        .flat_map(|granted| &granted.jobs)
        .filter(|outcome| **outcome == Done)
        .count();
    assert_eq!(store.ready(&*lane, 100).await.unwrap().len(), 64 - jobs);
    assert!(jobs <= 2);
}

fn all_done(jobs: usize) -> Granted {
    Granted {
        holder: Done,
        jobs: vec![Done; jobs],
    }
}

fn next(record: Record) -> Record {
    Record {
        version: record.version.next(),
        ..record
    }
}
