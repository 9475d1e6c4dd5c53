//! The store as a whole, for copies.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use queue::store::{Committed, Record, Scanned, StoreError, Version, Write};

use crate::{
    AwsStore,
    errors::{corrupt, unavailable},
    item::{self, Item, PARTITION, SORT, text},
    layout::RECORD,
    reads::AT_ONCE,
};

impl AwsStore {
    /// One page of all records, in the order of DynamoDB's own scan.
    pub(crate) async fn scan_records(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        let start = after.map(start_at).transpose()?;
        let answer = self
            .client
            .scan()
            .table_name(&*self.table)
            .consistent_read(true)
            .filter_expression("sk = :record")
            .expression_attribute_values(":record", text(RECORD))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unavailable)?;
        let mut records = Vec::new();
        for found in answer.items() {
            records.extend(item::record(found)?);
        }
        Ok(Scanned {
            records,
            next: answer.last_evaluated_key().map(mark),
        })
    }

    /// Writes each record as it is, if there is none of its key.
    pub(crate) async fn restore_records(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        let writes: Vec<Write> = records.into_iter().map(Write::Put).collect();
        self.register_lanes(writes.iter()).await?;
        let work: Vec<_> = writes
            .into_iter()
            .filter_map(|write| match write {
                Write::Put(record) => Some(self.restore_record(record)),
                _ => None,
            })
            .collect();
        stream::iter(work).buffered(AT_ONCE).try_collect().await
    }

    async fn restore_record(&self, record: Record) -> Result<Committed, StoreError> {
        let record = Record {
            version: record.version.previous(),
            ..record
        };
        let purger = self.purger_beside(&record).await?;
        self.write_if(&record, Version::ABSENT, purger, Vec::new()).await
    }
}

fn mark(key: &Item) -> String {
    let part = |name| item::get(key, name).unwrap_or_default();
    serde_json::to_string(&[part(PARTITION), part(SORT)]).expect("two texts")
}

fn start_at(mark: &str) -> Result<Item, StoreError> {
    let [pk, sk]: [String; 2] = serde_json::from_str(mark).map_err(|source| corrupt("a mark of a scan", source))?;
    let key: [(String, AttributeValue); 2] = [(PARTITION.to_owned(), text(pk)), (SORT.to_owned(), text(sk))];
    Ok(key.into())
}
