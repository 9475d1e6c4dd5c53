//! The table: how it is made, and whether it is as it should be.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
    },
};
use queue::store::StoreError;
use serde_json::{Value, json};

use crate::{
    AwsStore,
    errors::unavailable,
    item::{PARTITION, SORT},
    layout::{INDEXES, TIME_TO_LIVE},
};

/// How long a new table may take until it can be used.
const READY_MAX: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What became of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableState {
    /// There is none of that name.
    Missing,
    /// It lacks these indexes, or has others under their names.
    Lacks(Vec<String>),
    /// It is as it should be, and was made then (RFC 3339, if DynamoDB says).
    Made(Option<String>),
}

impl AwsStore {
    /// Makes the table if it is missing, and says what was done. One that is there is left as it is.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut done = Vec::new();
        if self.state().await? == TableState::Missing {
            match create(&self.client, &self.table).await {
                Ok(()) => done.push(format!("0001 create table {}", self.table)),
                // Somebody else made it just now.
                Err(error) if error.code() == Some("ResourceInUseException") => {}
                Err(error) => return Err(unavailable(error)),
            }
            self.wait_for_table().await?;
        }
        match self.state().await? {
            TableState::Made(_) => {}
            TableState::Lacks(indexes) => {
                let names = indexes.join(", ");
                return Err(StoreError::Unavailable(
                    format!(
                        "the table {} lacks the indexes {names}, and is not changed by this command",
                        self.table
                    )
                    .into(),
                ));
            }
            TableState::Missing => return Err(StoreError::Unavailable("the table is gone again".into())),
        }
        self.keep_time_to_live().await?;
        Ok(done)
    }

    /// Looks whether the table is all that it has to be and changes nothing; an error says what it lacks, and who makes it.
    /// Needs no right but to have the table and its time to live described.
    pub async fn require_whole(&self) -> Result<(), StoreError> {
        let lacking = match self.state().await? {
            TableState::Missing => "is missing".to_owned(),
            TableState::Lacks(indexes) => format!("lacks the indexes {}", indexes.join(", ")),
            TableState::Made(_) if self.keeps_time_to_live().await? => return Ok(()),
            TableState::Made(_) => format!("does not keep the time to live of its attribute `{TIME_TO_LIVE}`"),
        };
        Err(StoreError::Unavailable(
            format!(
                "the table {} {lacking}; it is made by what deploys Remuda (`terraform apply`), or by `remuda store migrate`",
                self.table
            )
            .into(),
        ))
    }

    /// How the table stands.
    pub async fn state(&self) -> Result<TableState, StoreError> {
        let Some(table) = self.describe().await? else {
            return Ok(TableState::Missing);
        };
        let lacking = INDEXES
            .iter()
            .filter(|index| !has_index(&table, **index))
            .map(|(name, ..)| (*name).to_owned());
        let lacking: Vec<String> = lacking.collect();
        if !lacking.is_empty() {
            return Ok(TableState::Lacks(lacking));
        }
        let made = table
            .creation_date_time()
            .and_then(|at| at.fmt(aws_sdk_dynamodb::primitives::DateTimeFormat::DateTime).ok());
        Ok(TableState::Made(made))
    }

    async fn describe(&self) -> Result<Option<TableDescription>, StoreError> {
        match self.client.describe_table().table_name(&*self.table).send().await {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn wait_for_table(&self) -> Result<(), StoreError> {
        let looks = READY_MAX.as_millis() / LOOK_EVERY.as_millis();
        for _ in 0..looks {
            let table = self.describe().await?;
            if table.is_some_and(|table| table.table_status == Some(TableStatus::Active)) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(StoreError::Unavailable(
            format!("the table is not active after {} s", READY_MAX.as_secs()).into(),
        ))
    }

    /// Whether DynamoDB removes what has expired.
    async fn keeps_time_to_live(&self) -> Result<bool, StoreError> {
        let call = self.client.describe_time_to_live().table_name(&*self.table);
        let kept = call.send().await.map_err(unavailable)?;
        let status = kept.time_to_live_description.and_then(|kept| kept.time_to_live_status);
        Ok(matches!(
            status,
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        ))
    }

    /// Has DynamoDB remove what has expired.
    async fn keep_time_to_live(&self) -> Result<(), StoreError> {
        if self.keeps_time_to_live().await? {
            return Ok(());
        }
        let kept = TimeToLiveSpecification::builder()
            .attribute_name(TIME_TO_LIVE)
            .enabled(true)
            .build();
        let call = self.client.update_time_to_live().table_name(&*self.table);
        call.time_to_live_specification(kept.expect("it has a name"))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

async fn create(
    client: &Client,
    table: &str,
) -> Result<(), SdkError<aws_sdk_dynamodb::operation::create_table::CreateTableError>> {
    let attributes = [PARTITION, SORT]
        .into_iter()
        .chain(INDEXES.iter().flat_map(|(_, pk, sk)| [*pk, *sk]));
    let definition = |name: &str| {
        let definition = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        definition.build().expect("it has a name and a type")
    };
    let index = |(name, pk, sk): &(&str, &str, &str)| {
        let index = GlobalSecondaryIndex::builder()
            .index_name(*name)
            .set_key_schema(Some(schema(pk, sk)))
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
        index.build().expect("it has a name and keys")
    };
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.map(definition).collect()))
        .set_key_schema(Some(schema(PARTITION, SORT)))
        .set_global_secondary_indexes(Some(INDEXES.iter().map(index).collect()))
        .send()
        .await?;
    Ok(())
}

fn schema(pk: &str, sk: &str) -> Vec<KeySchemaElement> {
    let element = |name: &str, role: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(role)
            .build()
            .expect("it has a name and a role")
    };
    vec![element(pk, KeyType::Hash), element(sk, KeyType::Range)]
}

fn has_index(table: &TableDescription, (name, pk, sk): (&str, &str, &str)) -> bool {
    table.global_secondary_indexes().iter().any(|index| {
        let names: Vec<&str> = index
            .key_schema()
            .iter()
            .map(KeySchemaElement::attribute_name)
            .collect();
        index.index_name() == Some(name) && names == [pk, sk]
    })
}

/// The table's definition as `aws dynamodb create-table --cli-input-json` takes it, and as Terraform has to make it.
pub fn table_definition(table: &str) -> Value {
    let keys = |pk: &str, sk: &str| json!([{ "AttributeName": pk, "KeyType": "HASH" }, { "AttributeName": sk, "KeyType": "RANGE" }]);
    let attributes = [PARTITION, SORT]
        .into_iter()
        .chain(INDEXES.iter().flat_map(|(_, pk, sk)| [*pk, *sk]));
    let attributes: Vec<Value> = attributes
        .map(|name| json!({ "AttributeName": name, "AttributeType": "S" }))
        .collect();
    let index = |(name, pk, sk): &(&str, &str, &str)| json!({ "IndexName": name, "KeySchema": keys(pk, sk), "Projection": { "ProjectionType": "KEYS_ONLY" } });
    json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(PARTITION, SORT),
        "GlobalSecondaryIndexes": INDEXES.iter().map(index).collect::<Vec<_>>(),
    })
}
