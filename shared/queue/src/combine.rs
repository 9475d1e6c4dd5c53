//! A store in front of another one, that has calls which come at the same time go together.
//!
//! A server with many robots makes many small calls at once, each of which costs the store below a round trip, a
//! transaction and a flush to disk. Here those that come while others are under way become one call; what is alone goes
//! at once. Nothing is kept between calls, and each caller is answered what it would have been by itself, except that all who
//! went together are told that the store is away, and those who wrote together any error: to none of them is it known whether
//! theirs was done.

mod rounds;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    error::Error,
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use futures::channel::oneshot;

use self::rounds::Rounds;
use crate::store::{
    Blob, BlobKey, BlobPut, BoxError, Change, Committed, Count, Decide, Grant, Granted, Key, Kind, Lane, Position,
    Record, Scanned, Store, StoreError, Write,
};

/// How many rounds of commits are under way: one more than the store works on, so that it never waits for us.
const COMMIT_TURNS: usize = 2;

/// How many rounds of reads of one kind. The fewer there are the less they cost together; a slow one holds up those that
/// come after it, of other tenants too, as long as it takes.
const READ_TURNS: usize = 1;

/// How many rounds of one tenant's claims: two would be offered the same.
const CLAIM_TURNS: usize = 1;

/// The rounds of one tenant's claims.
type Claims = Rounds<Claim, Answer<Vec<Granted>>>;

/// One call's answer of a round.
type Answer<T> = Result<T, StoreError>;

/// What lies under each of some keys of blobs.
type Bodies = Vec<Option<Vec<u8>>>;

/// A claim that waits for its round.
struct Claim {
    lanes: Vec<Lane>,
    limit: usize,
    decide: Decide,
}

/// A look for lanes that waits for its round.
struct Prefixes {
    prefixes: Vec<String>,
    limit: usize,
}

/// Has calls that come at the same time go together to the store below.
pub struct Combined {
    below: Arc<dyn Store>,
    loads: Rounds<Vec<Key>, Answer<Vec<Option<Record>>>>,
    commits: Rounds<Vec<Change>, Answer<Vec<Committed>>>,
    /// By tenant: no tenant's jobs are offered to another's robots, and none waits for another.
    claims: Mutex<HashMap<String, Arc<Claims>>>,
    blobs: Rounds<Vec<BlobKey>, Answer<Bodies>>,
    lanes: Rounds<Prefixes, Answer<Vec<Vec<Lane>>>>,
}

impl Combined {
    /// In front of `below`.
    pub fn new(below: Arc<dyn Store>) -> Self {
        let [load, commit, blobs, lanes] = [(); 4].map(|()| Arc::clone(&below));
        Self {
            below,
            loads: Rounds::new(READ_TURNS, move |calls| load_all(Arc::clone(&load), calls)),
            commits: Rounds::new(COMMIT_TURNS, move |calls| commit_all(Arc::clone(&commit), calls)),
            claims: Mutex::default(),
            blobs: Rounds::new(READ_TURNS, move |calls| blobs_all(Arc::clone(&blobs), calls)),
            lanes: Rounds::new(READ_TURNS, move |calls| lanes_all(Arc::clone(&lanes), calls)),
        }
    }

    /// The rounds of the claims of the tenant whose `lanes` these are.
    fn claims_of(&self, lanes: &[Lane]) -> Arc<Claims> {
        let tenant = lanes.first().map_or("", Lane::tenant);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rounds) = claims.get(tenant) {
            return Arc::clone(rounds);
        }
        let below = Arc::clone(&self.below);
        let rounds = Arc::new(Rounds::new(CLAIM_TURNS, move |calls| {
            claim_all(Arc::clone(&below), calls)
        }));
        claims.insert(tenant.to_owned(), Arc::clone(&rounds));
        rounds
    }
}

async fn load_all(below: Arc<dyn Store>, calls: Vec<Vec<Key>>) -> Vec<Answer<Vec<Option<Record>>>> {
    read_all(calls, |keys| {
        let below = Arc::clone(&below);
        async move { below.load(&keys).await }
    })
    .await
}

async fn blobs_all(below: Arc<dyn Store>, calls: Vec<Vec<BlobKey>>) -> Vec<Answer<Bodies>> {
    read_all(calls, |keys| {
        let below = Arc::clone(&below);
        async move { below.blobs(&keys).await }
    })
    .await
}

/// Reads what all `calls` ask for at once. What cannot be read is told to who asked for it, and not to all.
async fn read_all<K: Clone, T, R>(calls: Vec<Vec<K>>, read: impl Fn(Vec<K>) -> R) -> Vec<Answer<Vec<T>>>
where
    R: Future<Output = Answer<Vec<T>>>,
{
    if calls.len() > 1 {
        match read(calls.concat()).await {
            Ok(found) => return dealt(found, calls.iter().map(Vec::len)),
            Err(error @ StoreError::Unavailable(_)) => return told_to_all(error, calls.len()),
            Err(StoreError::Corrupt { .. }) => {}
        }
    }
    let mut answers = Vec::with_capacity(calls.len());
    for keys in calls {
        answers.push(read(keys).await);
    }
    answers
}

/// Robots of one queue look for the same lanes: each prefix is looked for once.
async fn lanes_all(below: Arc<dyn Store>, calls: Vec<Prefixes>) -> Vec<Answer<Vec<Vec<Lane>>>> {
    let distinct: BTreeSet<&String> = calls.iter().flat_map(|call| &call.prefixes).collect();
    let distinct: Vec<String> = distinct.into_iter().cloned().collect();
    let limit = calls.iter().map(|call| call.limit).max().unwrap_or(0);
    let found = match below.lanes_of(&distinct, limit).await {
        Ok(found) => found,
        Err(error) => return told_to_all(error, calls.len()),
    };
    let found: HashMap<String, Vec<Lane>> = distinct.into_iter().zip(found).collect();
    let of = |call: &Prefixes| {
        let lanes = |prefix| {
            found
                .get(prefix)
                .into_iter()
                .flatten()
                .take(call.limit)
                .cloned()
                .collect()
        };
        call.prefixes.iter().map(lanes).collect()
    };
    calls.iter().map(|call| Ok(of(call))).collect()
}

/// Those that are about one record go one after the other: a record may occur in one change of a call only.
async fn commit_all(below: Arc<dyn Store>, calls: Vec<Vec<Change>>) -> Vec<Answer<Vec<Committed>>> {
    let mut answers = Vec::with_capacity(calls.len());
    let (mut together, mut sizes, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for changes in calls {
        let keys: Vec<Key> = changes.iter().flat_map(keys_of).cloned().collect();
        if keys.iter().any(|key| seen.contains(key)) {
            answers.extend(commit_together(&*below, mem::take(&mut together), mem::take(&mut sizes)).await);
            seen.clear();
        }
        seen.extend(keys);
        sizes.push(changes.len());
        together.extend(changes);
    }
    answers.extend(commit_together(&*below, together, sizes).await);
    answers
}

fn keys_of(change: &Change) -> impl Iterator<Item = &Key> {
    change.writes.iter().map(Write::key)
}

async fn commit_together(below: &dyn Store, changes: Vec<Change>, sizes: Vec<usize>) -> Vec<Answer<Vec<Committed>>> {
    match below.commit(changes).await {
        Ok(outcomes) => dealt(outcomes, sizes.into_iter()),
        Err(error) => told_to_all(error, sizes.len()),
    }
}

/// Those who look at the same lanes are offered what lies there one after the other, each what the ones before it left.
async fn claim_all(below: Arc<dyn Store>, mut calls: Vec<Claim>) -> Vec<Answer<Vec<Granted>>> {
    let mut answers: Vec<Option<Answer<Vec<Granted>>>> = calls.iter().map(|_| None).collect();
    let mut places: Vec<usize> = (0..calls.len()).collect();
    while let Some(first) = places.first() {
        let lanes = calls[*first].lanes.clone();
        let (same, others): (Vec<usize>, Vec<usize>) =
            places.into_iter().partition(|place| calls[*place].lanes == lanes);
        places = others;
        let claims = same.iter().map(|place| {
            let call = &mut calls[*place];
            (call.limit, mem::replace(&mut call.decide, Box::new(|_| Vec::new())))
        });
        let answered = claim_together(&*below, &lanes, claims.collect()).await;
        for (place, answer) in same.into_iter().zip(answered) {
            answers[place] = Some(answer);
        }
    }
    answers
        .into_iter()
        .map(|answer| answer.expect("each is in one group"))
        .collect()
}

async fn claim_together(below: &dyn Store, lanes: &[Lane], claims: Vec<(usize, Decide)>) -> Vec<Answer<Vec<Granted>>> {
    let count = claims.len();
    let limit = claims.iter().map(|(limit, _)| limit).sum();
    let (tell, mut told) = oneshot::channel();
    let decide = move |offered: Vec<Record>| {
        let (grants, sizes) = decided(offered, claims);
        tell.send(sizes).ok();
        grants
    };
    match below.claim(lanes, limit, Box::new(decide)).await {
        Ok(granted) => {
            let sizes = told.try_recv().ok().flatten().unwrap_or_default();
            dealt(granted, sizes.into_iter())
        }
        Err(error) => told_to_all(error, count),
    }
}

/// The grants of all `claims`, and how many each made: each is offered the best of what those before it left.
fn decided(mut offered: Vec<Record>, claims: Vec<(usize, Decide)>) -> (Vec<Grant>, Vec<usize>) {
    let (mut grants, mut sizes) = (Vec::new(), Vec::with_capacity(claims.len()));
    for (limit, decide) in claims {
        let best = offered[..limit.min(offered.len())].to_vec();
        let made = decide(best);
        let taken: HashSet<&Key> = made.iter().flat_map(|grant| &grant.jobs).map(|job| &job.key).collect();
        offered.retain(|record| !taken.contains(&record.key));
        sizes.push(made.len());
        grants.extend(made);
    }
    (grants, sizes)
}

/// Deals `found` out again to those who asked for so many each.
fn dealt<T>(found: Vec<T>, sizes: impl Iterator<Item = usize>) -> Vec<Answer<Vec<T>>> {
    let mut found = found.into_iter();
    sizes.map(|size| Ok(found.by_ref().take(size).collect())).collect()
}

/// The one error of a call that was made for `count` callers, for each of them.
fn told_to_all<T>(error: StoreError, count: usize) -> Vec<Answer<T>> {
    let shared = Arc::new(error);
    let told = |_| {
        let cause: BoxError = Box::new(Together(Arc::clone(&shared)));
        Err(match &*shared {
            StoreError::Unavailable(_) => StoreError::Unavailable(cause),
            StoreError::Corrupt { what, .. } => StoreError::Corrupt {
                what: what.clone(),
                source: cause,
            },
        })
    };
    (0..count).map(told).collect()
}

/// The cause of an error that several callers are told.
#[derive(Debug)]
struct Together(Arc<StoreError>);

impl Together {
    fn cause(&self) -> &(dyn Error + 'static) {
        match &*self.0 {
            StoreError::Unavailable(cause) | StoreError::Corrupt { source: cause, .. } => &**cause,
        }
    }
}

impl fmt::Display for Together {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), out)
    }
}

impl Error for Together {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source()
    }
}

#[async_trait]
impl Store for Combined {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.below.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.loads.call(keys.to_vec(), keys.len()).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let weight = changes
            .iter()
            .map(|change| change.writes.len() + change.blobs.len())
            .sum();
        self.commits.call(changes, weight).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let lanes = lanes.to_vec();
        self.claims_of(&lanes).call(Claim { lanes, limit, decide }, limit).await
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        let found = self.lanes_of(&[prefix.to_owned()], limit).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn lanes_of(&self, prefixes: &[String], limit: usize) -> Result<Vec<Vec<Lane>>, StoreError> {
        let call = Prefixes {
            prefixes: prefixes.to_vec(),
            limit,
        };
        self.lanes.call(call, prefixes.len()).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.below.ready(lanes, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.below.due(now, limit).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.below.list(kind, partition, shelves, after, limit).await
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.below.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.below.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.blobs.call(keys.to_vec(), keys.len()).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.below.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.below.put_blob(blob).await
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.below.put_new_blob(blob).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.below.purge(now, limit).await
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.below.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.below.restore(records).await
    }
}
