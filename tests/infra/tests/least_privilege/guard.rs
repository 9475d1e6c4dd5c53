//! What stands in for IAM: a client's interceptor that refuses calls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::{
    batch_get_item::BatchGetItemInput, batch_write_item::BatchWriteItemInput, delete_item::DeleteItemInput,
    describe_table::DescribeTableInput, describe_time_to_live::DescribeTimeToLiveInput, get_item::GetItemInput,
    put_item::PutItemInput, query::QueryInput, transact_write_items::TransactWriteItemsInput,
    update_item::UpdateItemInput,
};
use aws_sdk_dynamodb::types::TransactWriteItem;
use infra_tests::Statement;

/// An action on the table, or on one of its indexes: `BatchGetItem`, `Query ready`.
pub(crate) type Grant = String;

/// The part of an index's ARN that stands before its name.
const INDEX: &str = "/index/";

/// Holds the calls of one function to what it is granted; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    granted: Arc<BTreeSet<Grant>>,
    used: Arc<Mutex<BTreeSet<Grant>>>,
}

/// What a statement grants on the table.
pub(crate) fn grants(statement: &Statement) -> Vec<Grant> {
    let actions = statement
        .actions
        .iter()
        .filter_map(|action| action.strip_prefix("dynamodb:"));
    let each = actions.flat_map(|action| {
        let on = move |resource: &String| match resource.split_once(INDEX) {
            Some((_, index)) => format!("{action} {index}"),
            None => action.to_owned(),
        };
        statement.resources.iter().map(on)
    });
    each.collect()
}

impl Guard {
    pub(crate) fn new(granted: impl IntoIterator<Item = Grant>) -> Self {
        Self {
            granted: Arc::new(granted.into_iter().collect()),
            used: Arc::default(),
        }
    }

    /// What was called without leave.
    pub(crate) fn refused(&self) -> Vec<Grant> {
        self.used().difference(&self.granted).cloned().collect()
    }

    /// What is granted and was never called.
    pub(crate) fn unused(&self) -> Vec<Grant> {
        self.granted.difference(&self.used()).cloned().collect()
    }

    fn used(&self) -> BTreeSet<Grant> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "guard"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let called = called(context);
        let refused: Vec<&Grant> = called.iter().filter(|call| !self.granted.contains(*call)).collect();
        let answer = if refused.is_empty() {
            Ok(())
        } else {
            Err(format!("AccessDenied: {refused:?}").into())
        };
        self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(called);
        answer
    }
}

/// What IAM asks about a call.
fn called(context: &BeforeSerializationInterceptorContextRef<'_>) -> Vec<Grant> {
    let input = context.input();
    macro_rules! by_type {
        ($($type:ty: $action:literal),* $(,)?) => {
            $(if input.downcast_ref::<$type>().is_some() {
                return vec![$action.to_owned()];
            })*
        };
    }
    if let Some(query) = input.downcast_ref::<QueryInput>() {
        let on = query
            .index_name
            .as_ref()
            .map(|index| format!(" {index}"))
            .unwrap_or_default();
        return vec![format!("Query{on}")];
    }
    if let Some(transaction) = input.downcast_ref::<TransactWriteItemsInput>() {
        return transaction.transact_items().iter().map(in_transaction).collect();
    }
    by_type! {
        BatchGetItemInput: "BatchGetItem",
        BatchWriteItemInput: "BatchWriteItem",
        DeleteItemInput: "DeleteItem",
        DescribeTableInput: "DescribeTable",
        DescribeTimeToLiveInput: "DescribeTimeToLive",
        GetItemInput: "GetItem",
        PutItemInput: "PutItem",
        UpdateItemInput: "UpdateItem",
    }
    vec![format!("{input:?}")]
}

/// A transaction is no action of its own: each of its parts is asked about.
fn in_transaction(item: &TransactWriteItem) -> Grant {
    let action = match item {
        TransactWriteItem {
            condition_check: Some(_),
            ..
        } => "ConditionCheckItem",
        TransactWriteItem { put: Some(_), .. } => "PutItem",
        TransactWriteItem { delete: Some(_), .. } => "DeleteItem",
        _ => "UpdateItem",
    };
    action.to_owned()
}
