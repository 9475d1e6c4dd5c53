//! What each call reads, by Postgres's own count: never the whole table, and no more as the backlog grows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use domain::{TenantName, Timestamp};
use queue::store::{Change, Committed, Grant, Key, Kind, Lane, Record, Store};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;

/// Ready jobs in the one long lane, and as many finished ones.
const BACKLOG: u64 = 40_000;

/// Lanes with a few ready jobs each.
const SHORT_LANES: u64 = 100;

/// Calls of each kind: more than Postgres plans anew before it would keep a plan, so that keeping one would show.
const CALLS: u64 = 8;

struct Table {
    cluster: &'static Cluster,
    url: String,
}

impl Table {
    async fn filled() -> Self {
        let cluster = servers::shared().unwrap();
        let table = Self {
            cluster,
            url: cluster.fresh_database().unwrap(),
        };
        table.store().await.migrate().await.unwrap();
        table.sql(&format!(
            "insert into record
             select 1, 'acme', 'r' || lpad(n::text, 9, '0'), 1, 'acme/default//long', n % 3, n, n, 'ready', n, null, '{{}}'
             from generate_series(1, {BACKLOG}) n;
             insert into record
             select 1, 'acme', 's' || lpad(n::text, 9, '0'), 1, 'acme/default//s' || n % {SHORT_LANES}, 2, n, n, 'ready', n,
                    null, '{{}}'
             from generate_series(1, {SHORT_LANES} * 5) n;
             insert into record
             select 1, 'acme', 'f' || lpad(n::text, 9, '0'), 9, 'acme/default//long', null, null, null, 'succeeded', n,
                    1000000000 + n, '{{}}'
             from generate_series(1, {BACKLOG}) n;
             insert into record values (2, 'acme', 'rob_1', 1, null, null, null, null, 'robots', 1, null, '{{}}');
             vacuum analyze record"
        ));
        table
    }

    async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.url, PostgresOptions { max_connections: 1 })
            .await
            .unwrap()
    }

    fn sql(&self, statements: &str) -> String {
        let database = self.url.rsplit_once('/').unwrap().1;
        let mut answer = String::new();
        for statement in statements.split(';') {
            write!(answer, "{}", self.cluster.sql(database, statement).unwrap()).unwrap();
        }
        answer.trim().to_owned()
    }

    /// How often the table was read from end to end, and how many index entries were read, up to now.
    fn counters(&self) -> (u64, u64) {
        // A connection's counts are added up when it is gone.
        while self.sql(
            "select count(*) from pg_stat_activity where application_name = 'remuda' and datname = current_database()",
        ) != "0"
        {}
        let read = self.sql(
            "select t.seq_scan, (select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid)
             from pg_stat_user_tables t where relname = 'record'",
        );
        let (scans, entries) = read.split_once('|').unwrap();
        (scans.parse().unwrap(), entries.parse().unwrap())
    }

    /// Runs `call` some times and gives how many index entries one of them read.
    async fn entries_read(&self, call: impl AsyncFn(&PostgresStore)) -> u64 {
        let (scans_before, entries_before) = self.counters();
        let store = self.store().await;
        for _ in 0..CALLS {
            call(&store).await;
        }
        store.close().await;
        let (scans, entries) = self.counters();
        assert_eq!(scans, scans_before, "the table was read from end to end");
        (entries - entries_before).div_ceil(CALLS)
    }
}

#[tokio::test]
async fn no_call_reads_more_than_it_has_to() {
    let table = Table::filled().await;
    let acme = TenantName::parse("acme").unwrap();
    let long = Lane::from_stored("acme/default//long".to_owned());
    let lanes = [long.clone(), Lane::from_stored("acme/default//s1".to_owned())];
    let key = |number: u64| Key::new(Kind::Job, &acme, format!("r{number:09}"));

    let read = table
        .entries_read(async |store| drop(store.lanes("acme/", 1_000).await.unwrap()))
        .await;
    assert!((1..=2 * SHORT_LANES + 10).contains(&read), "lanes: {read}");

    let read = table
        .entries_read(async |store| drop(store.ready(&lanes, 10).await.unwrap()))
        .await;
    assert!((10..=40).contains(&read), "ready: {read}");

    let now = Timestamp::from_micros(1_000_000);
    let read = table
        .entries_read(async |store| drop(store.due(now, 50).await.unwrap()))
        .await;
    assert!((50..=60).contains(&read), "due: {read}");

    let shelves = ["ready", "succeeded", "failed"];
    let list = async |store: &PostgresStore| store.list(Kind::Job, "acme", &shelves, None, 50).await.unwrap();
    let read = table.entries_read(async |store| drop(list(store).await)).await;
    assert!((50..=110).contains(&read), "list: {read}");
    let middle = Record {
        listed_at: Timestamp::from_micros(20_000),
        ..record(key(20_000))
    }
    .position();
    let on = async |store: &PostgresStore| {
        store
            .list(Kind::Job, "acme", &shelves, Some(&middle), 50)
            .await
            .unwrap()
    };
    let read = table.entries_read(async |store| drop(on(store).await)).await;
    assert!((50..=110).contains(&read), "list from the middle: {read}");

    let read = table
        .entries_read(async |store| assert_eq!(store.depth(500).await.unwrap(), 500))
        .await;
    assert!((500..=510).contains(&read), "depth: {read}");

    let other = TenantName::parse("acm").unwrap();
    let read = table
        .entries_read(async |store| drop(store.count(&other).await.unwrap()))
        .await;
    assert!(read <= 1, "count of a tenant that has nothing: {read}");

    let keys: Vec<Key> = (1..=200).map(|number| key(number * 100)).collect();
    let read = table
        .entries_read(async |store| drop(store.load(&keys).await.unwrap()))
        .await;
    assert!((200..=210).contains(&read), "load: {read}");

    let store = table.store().await;
    let page = store.scan(None, 20_000).await.unwrap().next;
    store.close().await;
    let read = table
        .entries_read(async |store| drop(store.scan(page.as_deref(), 100).await.unwrap()))
        .await;
    assert!((100..=110).contains(&read), "scan from the middle: {read}");

    let read = table
        .entries_read(async |store| assert_eq!(store.purge(now, 100).await.unwrap(), 0))
        .await;
    assert!(read <= 1, "purge of nothing: {read}");

    let renew = async |store: &PostgresStore| {
        let records = store.load(&keys).await.unwrap().into_iter().flatten();
        let outcomes = store.commit(records.map(Change::from).collect()).await.unwrap();
        assert_eq!(outcomes, [Committed::Done; 200]);
    };
    let read = table.entries_read(renew).await;
    assert!((400..=800).contains(&read), "load and commit: {read}");

    let take = async |store: &PostgresStore| {
        let holder = store
            .load(&[Key::new(Kind::Robot, &acme, "rob_1")])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let decide = |offer: Vec<Record>| {
            let jobs = offer.into_iter().map(|job| Record { rank: None, ..job }).collect();
            vec![Grant { holder, jobs }]
        };
        let granted = store.claim(&lanes, 10, Box::new(decide)).await.unwrap();
        assert_eq!(granted[0].jobs, [Committed::Done; 10]);
    };
    // Those that were taken before are dead entries at the head of the lane until they are vacuumed.
    let read = table.entries_read(take).await;
    assert!((10..=2 * CALLS * 10 + 150).contains(&read), "claim: {read}");
}

#[tokio::test]
async fn a_renewal_touches_no_index() {
    let table = Table {
        cluster: servers::shared().unwrap(),
        url: servers::shared().unwrap().fresh_database().unwrap(),
    };
    let store = table.store().await;
    store.migrate().await.unwrap();
    let acme = TenantName::parse("acme").unwrap();
    let key = Key::new(Kind::Job, &acme, "a");
    let running = Record {
        lane: Some(Lane::from_stored("acme/default//".to_owned())),
        due_at: Some(Timestamp::from_millis(9)),
        shelf: "running".to_owned(),
        ..record(key.clone())
    };
    store.commit(vec![running.into()]).await.unwrap();
    for renewal in 0..200 {
        let stored = store.load(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        let renewed = Record {
            body: format!(r#"{{"lease_ends":{renewal}}}"#).repeat(20),
            ..stored
        };
        assert_eq!(store.commit(vec![renewed.into()]).await.unwrap(), [Committed::Done]);
    }
    store.close().await;
    table.counters();
    // Not all of them: now and then the page is full, and a new version goes to another one.
    let hot = table
        .sql("select n_tup_hot_upd >= 0.9 * n_tup_upd, n_tup_upd from pg_stat_user_tables where relname = 'record'");
    assert_eq!(hot, "t|200");
}

fn record(key: Key) -> Record {
    Record {
        key,
        version: queue::store::Version::ABSENT,
        lane: None,
        rank: None,
        due_at: None,
        shelf: "ready".to_owned(),
        listed_at: Timestamp::default(),
        expires_at: None,
        body: "{}".to_owned(),
    }
}
