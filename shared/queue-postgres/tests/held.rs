//! Up to the next vacuum the index keeps all that was ready, and while somebody holds a transaction open, as a dump does,
//! Postgres keeps it as well, and all versions that a record had; claims and writes pass over neither.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use domain::{TenantName, Timestamp};
use queue::store::{Change, Committed, Grant, Key, Kind, Lane, Rank, Record, Store, Version, Write};
use queue_postgres::{PostgresOptions, PostgresStore};
use servers::Cluster;
use sqlx::{Connection, PgConnection};

/// Jobs that were done since the transaction began, or since the last vacuum. To pass over them takes longer than a claim may,
/// and over what the index alone has of them a few milliseconds.
const DONE: u64 = 400_000;

/// Versions that one record was given since the transaction began, some twelve to a page.
const VERSIONS: u64 = 5_000;

const CLAIMS: u64 = 200;

const LANE: &str = "acme/default//long";

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

struct Database {
    cluster: &'static Cluster,
    url: String,
}

impl Database {
    async fn new() -> Self {
        let cluster = servers::shared().unwrap();
        let url = cluster.fresh_database().unwrap();
        let database = Self { cluster, url };
        database.store().await.migrate().await.unwrap();
        database
    }

    async fn store(&self) -> PostgresStore {
        let options = PostgresOptions { max_connections: 1 };
        PostgresStore::connect(&self.url, options).await.unwrap()
    }

    fn sql(&self, statement: &str) -> String {
        let name = self.url.rsplit_once('/').unwrap().1;
        self.cluster.sql(name, statement).unwrap().trim().to_owned()
    }

    /// How many index entries were read.
    fn entries(&self) -> u64 {
        self.counted("select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'record'")
    }

    /// How many pages of the index that claims go through were visited.
    fn pages(&self) -> u64 {
        self.counted(
            "select idx_blks_read + idx_blks_hit from pg_statio_user_indexes where indexrelname = 'record_ready'",
        )
    }

    /// What `statement` counts, once no session of ours is left: it tells when it ends.
    fn counted(&self, statement: &str) -> u64 {
        let sessions = "select count(*) from pg_stat_activity
                        where application_name = 'remuda' and datname = current_database()";
        let end = Instant::now() + PATIENCE;
        while self.sql(sessions) != "0" {
            assert!(Instant::now() < end, "a session stays");
        }
        self.sql(statement).parse().unwrap()
    }

    /// So many jobs that were ready and are gone, and five that are ready.
    fn fill(&self) {
        self.sql(&format!(
            "insert into record
             select 1, 'acme', 'd' || lpad(n::text, 9, '0'), 1, '{LANE}', 5, n, null, 'ready', n, null, '{{}}'
             from generate_series(1, {DONE}) n"
        ));
        self.sql("delete from record");
        self.sql(&format!(
            "insert into record
             select 1, 'acme', 'r' || n, 1, '{LANE}', 5, {DONE} + n, null, 'ready', n, null, '{{}}'
             from generate_series(1, 5) n"
        ));
    }
}

fn job(id: &str, band: u8, since: i64) -> Record {
    Record {
        key: Key::new(Kind::Job, &TenantName::parse("acme").unwrap(), id),
        version: Version::ABSENT,
        lane: Some(Lane::from_stored(LANE.to_owned())),
        rank: Some(Rank {
            band,
            since: Timestamp::from_micros(since),
        }),
        due_at: None,
        shelf: "ready".to_owned(),
        listed_at: Timestamp::default(),
        expires_at: None,
        body: "{}".to_owned(),
    }
}

async fn submit(store: &PostgresStore, job: Record) {
    assert_eq!(store.commit(vec![Change::from(job)]).await.unwrap(), [Committed::Done]);
}

/// The ids of the best two jobs, of which none is taken.
async fn offered(store: &PostgresStore) -> Vec<String> {
    let (tell, told) = futures::channel::oneshot::channel();
    let decide = |offered: Vec<Record>| {
        tell.send(offered.into_iter().map(|job| job.key.id).collect()).unwrap();
        Vec::new()
    };
    let lanes = [Lane::from_stored(LANE.to_owned())];
    assert_eq!(store.claim(&lanes, 2, Box::new(decide)).await.unwrap(), []);
    told.await.unwrap()
}

#[tokio::test]
async fn the_versions_that_a_record_had_since_a_transaction_began_are_not_passed_over() {
    let database = Database::new().await;
    let mut dump = PgConnection::connect(&database.url).await.unwrap();
    let mut held = dump.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select from record").fetch_all(&mut *held).await.unwrap();
    database.sql(
        "insert into record values (2, 'acme', 'rob_1', 1, null, null, null, null, 'robots', 1, null, repeat('x', 500))",
    );
    database.sql(&format!(
        "do $$ begin for n in 1..{VERSIONS} loop update record set version = version + 1; end loop; end $$"
    ));
    let key = Key::new(Kind::Robot, &TenantName::parse("acme").unwrap(), "rob_1");

    let before = database.entries();
    let store = database.store().await;
    submit(&store, job("ready", 1, 1)).await;
    let robot = async || store.load(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
    for round in 0..CLAIMS {
        submit(&store, robot().await).await;
        // Another one each time: what was made under one id and taken away again would be passed over.
        let absent = Write::Check(job(&format!("absent-{round}"), 1, 1).key, Version::ABSENT);
        let group = Change {
            writes: vec![Write::Put(robot().await), absent],
            blobs: Vec::new(),
        };
        assert_eq!(store.commit(vec![group]).await.unwrap(), [Committed::Done]);
        let (holder, jobs) = (robot().await, Vec::new());
        let decide = |_| vec![Grant { holder, jobs }];
        let lanes = [Lane::from_stored(LANE.to_owned())];
        let granted = store.claim(&lanes, 1, Box::new(decide)).await.unwrap();
        assert_eq!(granted[0].holder, Committed::Done);
    }
    store.close().await;
    // Three loads, three writes, what was offered, and a record that was made and taken away.
    let read = database.entries() - before;
    assert!(read < CLAIMS * 12, "entries: {read} in {CLAIMS} rounds");
    let before = database.entries();
    database.sql(
        "set enable_seqscan = off; select version from record where kind = 2 and tenant = 'acme' and id = 'rob_1'",
    );
    let end = Instant::now() + PATIENCE;
    while database.entries() - before < VERSIONS / 20 {
        assert!(Instant::now() < end, "no versions had to be passed over");
    }
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn few_claims_pass_over_all_that_was_done_since_the_last_vacuum() {
    let database = Database::new().await;
    database.sql("alter table record set (autovacuum_enabled = false)");
    database.fill();
    let pages = database.counted("select pg_relation_size('record_ready') / current_setting('block_size')::bigint");

    let before = database.pages();
    let store = database.store().await;
    for _ in 0..CLAIMS {
        assert_eq!(store.lanes("acme/", 10).await.unwrap().len(), 1);
        assert_eq!(offered(&store).await, ["r1", "r2"]);
    }

    // What another process writes before all others is found, even if there is enough without it.
    let beside = database.store().await;
    submit(&beside, job("first", 5, -1)).await;
    beside.close().await;
    let end = Instant::now() + PATIENCE;
    while offered(&store).await != ["first", "r1"] {
        assert!(Instant::now() < end, "what another process wrote is not found");
    }
    store.close().await;

    let visited = database.pages() - before;
    assert!(visited > pages, "nothing had to be passed over: {visited} of {pages}");
    assert!(
        visited < CLAIMS * pages / 2,
        "pages: {visited}, where the claims passed over {} each",
        2 * pages
    );
}

#[tokio::test]
async fn neither_a_claim_nor_a_count_passes_over_all_that_was_done_since_a_transaction_began() {
    let database = Database::new().await;
    let mut dump = PgConnection::connect(&database.url).await.unwrap();
    let mut held = dump.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select from record").fetch_all(&mut *held).await.unwrap();
    database.fill();

    let before = database.entries();
    let store = database.store().await;
    for _ in 0..CLAIMS {
        assert_eq!(store.lanes("acme/", 10).await.unwrap().len(), 1);
        assert_eq!(offered(&store).await, ["r1", "r2"]);
        assert_eq!(store.depth(10).await.unwrap(), 5);
    }

    // What this process writes goes first at once, whatever its priority.
    submit(&store, job("urgent", 1, 1)).await;
    assert_eq!(offered(&store).await, ["urgent", "r1"]);
    submit(&store, job("later", 7, 1)).await;
    submit(&store, job("earlier", 1, 0)).await;
    assert_eq!(offered(&store).await, ["earlier", "urgent"]);
    let other = Lane::from_stored("acme/default//other".to_owned());
    let elsewhere = Record {
        lane: Some(other.clone()),
        ..job("elsewhere", 5, 1)
    };
    submit(&store, elsewhere).await;
    let lanes = store.lanes("acme/", 10).await.unwrap();
    assert_eq!(lanes, [Lane::from_stored(LANE.to_owned()), other]);

    // What another process writes before the floor is found when it is time to look from the beginning.
    let beside = database.store().await;
    submit(&beside, job("first", 1, -1)).await;
    beside.close().await;
    let end = Instant::now() + PATIENCE;
    while offered(&store).await != ["first", "earlier"] {
        assert!(Instant::now() < end, "what another process wrote is not found");
    }

    // So it is where the lane was emptied meanwhile, and only lanes are looked for.
    database.sql("delete from record");
    assert_eq!(store.lanes("acme/", 10).await.unwrap(), []);
    let beside = database.store().await;
    submit(&beside, job("again", 1, -2)).await;
    beside.close().await;
    let end = Instant::now() + PATIENCE;
    while store.lanes("acme/", 10).await.unwrap().is_empty() {
        assert!(
            Instant::now() < end,
            "what another process wrote into an empty lane is not found"
        );
    }

    store.close().await;
    let read = database.entries() - before;
    let passed_over = CLAIMS * DONE;
    assert!(read > DONE, "nothing had to be passed over: {read}");
    assert!(
        read < passed_over / 8,
        "entries: {read}, where the claims passed over {passed_over}"
    );
    held.rollback().await.unwrap();
}
