//! What each call reads, by Postgres's own count: never the whole table, and no more as the backlog grows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use domain::{TenantName, Timestamp};
use queue::store::{Change, Committed, Grant, Key, Kind, Lane, Record, Store, Version, Write};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;

/// Ready jobs in the one long lane, and as many finished ones.
const BACKLOG: u64 = 40_000;

/// Lanes with a few ready jobs each.
const SHORT_LANES: u64 = 100;

/// Calls of each kind: more than Postgres plans anew before it would keep a plan, so that keeping one would show.
const CALLS: u64 = 8;

/// What Postgres has counted.
struct Counters {
    scans: u64,
    entries: u64,
    pages: u64,
}

struct Table {
    cluster: &'static Cluster,
    url: String,
}

impl Table {
    async fn empty() -> Self {
        let cluster = servers::shared().unwrap();
        let table = Self {
            cluster,
            url: cluster.fresh_database().unwrap(),
        };
        table.store().await.migrate().await.unwrap();
        table
    }

    async fn filled() -> Self {
        let table = Self::empty().await;
        table.fill();
        table.sql("vacuum analyze record");
        table
    }

    fn fill(&self) {
        self.sql(&format!(
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
             insert into record values (2, 'acme', 'rob_1', 1, null, null, null, null, 'robots', 1, null, '{{}}')"
        ));
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

    /// How often the table was read from end to end, and how many index entries and how many pages of indexes were read, up
    /// to now.
    fn counters(&self) -> Counters {
        // A connection's counts are added up when it is gone.
        while self.sql(
            "select count(*) from pg_stat_activity where application_name = 'remuda' and datname = current_database()",
        ) != "0"
        {}
        self.counted()
    }

    /// The same without what sessions that are still open have read.
    fn counted(&self) -> Counters {
        let read = self.sql(
            "select t.seq_scan, (select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid),
                    (select sum(idx_blks_hit + idx_blks_read) from pg_statio_user_indexes i where i.relid = t.relid)
             from pg_stat_user_tables t where relname = 'record'",
        );
        let read: Vec<u64> = read.split('|').map(|count| count.parse().unwrap()).collect();
        let [scans, entries, pages] = read.try_into().unwrap();
        Counters { scans, entries, pages }
    }

    /// Runs `call` some times and gives how many index entries one of them read.
    async fn entries_read(&self, call: impl AsyncFn(&PostgresStore)) -> u64 {
        let before = self.counters();
        let store = self.store().await;
        for _ in 0..CALLS {
            call(&store).await;
        }
        store.close().await;
        let after = self.counters();
        assert_eq!(after.scans, before.scans, "the table was read from end to end");
        (after.entries - before.entries).div_ceil(CALLS)
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
async fn a_plan_that_was_made_on_an_empty_table_is_good_on_a_full_one() {
    holds_as_it_is_filled(&Table::empty().await).await;
}

#[tokio::test]
async fn a_plan_that_was_made_when_the_statistics_told_of_one_record_is_good_on_a_full_table() {
    let table = Table::empty().await;
    table.sql("insert into record values (2, 'acme', 'rob_0', 1, null, null, null, null, 'robots', 1, null, '{}')");
    table.sql("vacuum analyze");
    holds_as_it_is_filled(&table).await;
}

#[tokio::test]
async fn a_plan_that_was_made_when_only_the_index_of_the_lists_was_short_is_good_on_a_full_table() {
    let table = Table::empty().await;
    table.sql(
        "insert into record
         select 1, 'acme', 'x' || lpad(n::text, 9, '0'), 9, null, null, null, null, 'succeeded', n, null, '{}'
         from generate_series(1, 15000) n;
         delete from record where id <> 'x000000001'; reindex index record_shelf; analyze record",
    );
    holds_as_it_is_filled(&table).await;
}

/// The plans that a session makes now hold to the indexes when the table has grown by tens of thousands.
async fn holds_as_it_is_filled(table: &Table) {
    let acme = TenantName::parse("acme").unwrap();
    let lanes = [Lane::from_stored("acme/default//long".to_owned())];
    let keys: Vec<Key> = (1..=200)
        .map(|number| Key::new(Kind::Job, &acme, format!("r{:09}", number * 100)))
        .collect();
    let calls = async |store: &PostgresStore| {
        let found = store.load(&keys).await.unwrap().into_iter().flatten();
        store.commit(found.map(Change::from).collect()).await.unwrap();
        // A change that makes sure of what is not there, and writes what is.
        let absent = Write::Check(Key::new(Kind::Job, &acme, "absent"), Version::ABSENT);
        let found = store.load(&keys[..1]).await.unwrap().into_iter().flatten();
        let group = Change {
            writes: found.map(Write::Put).chain([absent]).collect(),
            blobs: Vec::new(),
        };
        assert_eq!(store.commit(vec![group]).await.unwrap(), [Committed::Done]);
        store.lanes("acme/", 1_000).await.unwrap();
        store.ready(&lanes, 10).await.unwrap();
        store.due(Timestamp::from_micros(1_000_000), 50).await.unwrap();
        store.list(Kind::Job, "acme", &["ready"], None, 50).await.unwrap();
        let holder = record(Key::new(Kind::Robot, &acme, "rob_2"));
        let grant = |jobs: Vec<Record>| vec![Grant { holder, jobs }];
        store.claim(&lanes, 10, Box::new(grant)).await.unwrap();
    };
    let store = table.store().await;
    for _ in 0..CALLS {
        calls(&store).await;
    }
    // Nobody tells the planner, and the statistics are off: what is read meanwhile is counted once the session ends.
    table.fill();
    let before = table.counted();
    for _ in 0..CALLS {
        calls(&store).await;
    }
    store.close().await;
    let after = table.counters();
    assert_eq!(after.scans, before.scans, "the table was read from end to end");
    let entries = (after.entries - before.entries).div_ceil(CALLS);
    assert!((450..=900).contains(&entries), "entries: {entries}");
    // A probe goes down three or four pages, and each record that is written is put into the indexes.
    let pages = (after.pages - before.pages).div_ceil(CALLS);
    assert!(pages <= 12 * entries, "pages: {pages} for {entries} entries");
}

#[tokio::test]
async fn a_renewal_touches_no_index() {
    let table = Table::empty().await;
    let store = table.store().await;
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
        version: Version::ABSENT,
        lane: None,
        rank: None,
        due_at: None,
        shelf: "ready".to_owned(),
        listed_at: Timestamp::default(),
        expires_at: None,
        body: "{}".to_owned(),
    }
}
