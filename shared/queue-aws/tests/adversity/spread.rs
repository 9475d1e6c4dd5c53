//! One queue with all the jobs there are: which partitions of the index its ready jobs lie in.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, Select, WriteRequest},
};
use futures::{StreamExt, future::join_all, stream};
use queue::Store;
use queue_aws::{client_configs, layout};
use queue_conformance::kit::Kit;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::common;

/// How many jobs are ready: about as many as the emulator takes in within ten seconds or twenty.
const JOBS: usize = 20_000;

/// How many items one request writes, which is as many as DynamoDB takes, and how many requests are under way at once.
const BATCH: usize = 25;
const AT_ONCE: usize = 4;

/// How many percent above an even share the fullest partition may hold. With so many jobs, chance alone gives about one.
const ABOVE_MEAN_MAX: usize = 3;

/// The queue as the index names it.
const QUEUE: &str = "default/default";

/// An item as DynamoDB keeps it.
type Item = HashMap<String, AttributeValue>;

/// A partition takes 1,000 writes a second, and a queue as many times more as it has partitions, but only if none of them gets
/// more than its share: here of jobs that were all made in one millisecond, whose ids are as alike as ids can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_one_deep_queue_are_spread_evenly_over_its_partitions() {
    let options = common::options();
    let store = common::new_store(options.clone()).await;
    let client = Client::from_conf(client_configs(&options).await.dynamodb);
    let sample = Sample::of(&store, &client, &options.table).await;
    sample.fill(&client, &options.table, JOBS - 1).await;
    assert_eq!(store.depth(u64::MAX).await.expect("it answers"), JOBS as u64);

    let partitions = (0..layout::READY_SHARDS).map(|shard| layout::ready_partition(QUEUE, shard));
    let spread = join_all(
        partitions
            .clone()
            .map(|partition| entries(&client, &options.table, partition)),
    )
    .await;
    let mean = JOBS / spread.len();
    println!("{JOBS} ready jobs of one queue, by partition of the index:");
    for (partition, entries) in partitions.zip(&spread) {
        println!("{partition:<20} {entries:>8} {:>4} % of the mean", entries * 100 / mean);
    }
    assert_eq!(spread.iter().sum::<usize>(), JOBS);
    let fullest = spread.iter().max().expect("there are partitions");
    assert!(fullest * 100 <= mean * (100 + ABOVE_MEAN_MAX), "{spread:?}");
}

/// A ready job's item, as the store wrote it.
struct Sample {
    id: String,
    item: Item,
}

impl Sample {
    async fn of(store: &queue_aws::AwsStore, client: &Client, table: &str) -> Self {
        let id = Kit::new(Arc::new(store.clone())).submit_plain().await.to_string();
        let items = client.scan().table_name(table).send().await.expect("it answers").items;
        let is_it = |item: &Item| item.contains_key("rp") && text(item, "pk").ends_with(&id);
        let item = items.into_iter().flatten().find(is_it).expect("the job has an item");
        let sample = Self { id, item };
        // What the loop below makes of it is what the store makes of a job.
        assert_eq!(sample.with_id(&sample.id), sample.item);
        sample
    }

    /// The item of the same job with another id: all of its keys, for the store reads nothing else to find it.
    fn with_id(&self, id: &str) -> Item {
        let mut item = self.item.clone();
        for name in ["pk", "rs"] {
            let key = text(&item, name).replace(&self.id, id);
            item.insert(name.to_owned(), AttributeValue::S(key));
        }
        let shard = layout::shard(text(&item, "pk"), layout::READY_SHARDS);
        let partition = layout::ready_partition(QUEUE, shard);
        item.insert("rp".to_owned(), AttributeValue::S(partition));
        item
    }

    /// Writes so many more of them.
    async fn fill(&self, client: &Client, table: &str, jobs: usize) {
        let mut chance = StdRng::seed_from_u64(1);
        let items: Vec<Item> = (0..jobs).map(|_| self.with_id(&id(&mut chance))).collect();
        stream::iter(items.chunks(BATCH))
            .for_each_concurrent(AT_ONCE, |batch| write(client, table, batch))
            .await;
    }
}

/// An id as the engine makes them, all in the same millisecond.
fn id(chance: &mut StdRng) -> String {
    let [high, low] = [chance.random_range(0..1 << 12), chance.random_range(0..1 << 12)];
    format!(
        "019aa64e-7400-7{high:03x}-8{low:03x}-{:012x}",
        chance.random_range(0..1_u64 << 48)
    )
}

async fn write(client: &Client, table: &str, items: &[Item]) {
    let request = |item: &Item| {
        let put = PutRequest::builder().set_item(Some(item.clone()));
        WriteRequest::builder()
            .put_request(put.build().expect("it has an item"))
            .build()
    };
    let call = client
        .batch_write_item()
        .request_items(table, items.iter().map(request).collect());
    let answer = call.send().await.expect("it answers");
    let left = answer.unprocessed_items.unwrap_or_default();
    assert!(left.is_empty(), "the emulator throttles nothing");
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().expect("it is a text")
}

/// How many entries a partition of the ready index holds, counted page by page.
async fn entries(client: &Client, table: &str, partition: String) -> usize {
    let mut pages = client
        .query()
        .table_name(table)
        .index_name("ready")
        .select(Select::Count)
        .key_condition_expression("rp = :p")
        .expression_attribute_values(":p", AttributeValue::S(partition))
        .into_paginator()
        .send();
    let mut entries = 0;
    while let Some(page) = pages.next().await {
        entries += usize::try_from(page.expect("it answers").count).expect("no count is negative");
    }
    entries
}
