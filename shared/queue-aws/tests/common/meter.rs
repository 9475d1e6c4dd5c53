//! Counts what calls of AWS cost, by what AWS itself says: an interceptor in the SDK's clients.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Sub,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut},
    },
    error::BoxError,
    operation::{
        batch_get_item::{BatchGetItemInput, BatchGetItemOutput},
        batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput},
        delete_item::{DeleteItemInput, DeleteItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        scan::{ScanInput, ScanOutput},
        transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity, ReturnValue},
};

/// The attribute and the value by which a robot's item is known.
const SHELF: (&str, &str) = ("h", "robots");

/// What calls came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bill {
    /// Calls of DynamoDB, by name.
    pub(crate) calls: BTreeMap<&'static str, u64>,
    /// Read units.
    pub(crate) reads: f64,
    /// Write units.
    pub(crate) writes: f64,
    /// Of these, what a robot's own record took.
    pub(crate) robots: f64,
    /// Calls of DynamoDB that failed: their units are in no answer.
    pub(crate) failed: u64,
    /// Requests to SQS.
    pub(crate) sqs: u64,
}

impl Bill {
    /// How many calls of DynamoDB there were.
    pub(crate) fn dynamodb(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl Sub<&Bill> for Bill {
    type Output = Bill;

    fn sub(mut self, earlier: &Bill) -> Bill {
        for (name, calls) in &earlier.calls {
            *self.calls.entry(name).or_default() -= calls;
        }
        self.calls.retain(|_, calls| *calls > 0);
        self.reads -= earlier.reads;
        self.writes -= earlier.writes;
        self.robots -= earlier.robots;
        self.failed -= earlier.failed;
        self.sqs -= earlier.sqs;
        self
    }
}

/// Writes down what calls cost.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Bill>>);

impl Meter {
    /// What all calls came to so far.
    pub(crate) fn bill(&self) -> Bill {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, note: impl FnOnce(&mut Bill)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Meter")
    }
}

/// The meter on a client of DynamoDB.
#[derive(Clone, Debug)]
pub(crate) struct OnDynamoDb(pub(crate) Meter);

macro_rules! ask_for_units {
    ($context:expr, $($input:ty),*) => {
        $(if let Some(input) = $context.input_mut().downcast_mut::<$input>() {
            input.return_consumed_capacity = Some(ReturnConsumedCapacity::Indexes);
        })*
    };
}

macro_rules! note_units {
    ($bill:expr, $output:expr, $($name:literal $kind:ident $type:ty),*) => {
        $(if let Some(output) = $output.downcast_ref::<$type>() {
            *$bill.calls.entry($name).or_default() += 1;
            $bill.$kind += units(output.consumed_capacity.iter());
        })*
    };
}

macro_rules! note_units_of_many {
    ($bill:expr, $output:expr, $($name:literal $kind:ident $type:ty),*) => {
        $(if let Some(output) = $output.downcast_ref::<$type>() {
            *$bill.calls.entry($name).or_default() += 1;
            $bill.$kind += units(output.consumed_capacity().iter());
        })*
    };
}

fn units<'a>(consumed: impl Iterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.filter_map(|consumed| consumed.capacity_units).sum()
}

impl Intercept for OnDynamoDb {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        ask_for_units!(
            context,
            BatchGetItemInput,
            BatchWriteItemInput,
            DeleteItemInput,
            GetItemInput,
            PutItemInput,
            QueryInput,
            ScanInput,
            TransactWriteItemsInput,
            UpdateItemInput
        );
        // To tell whose item it was; it costs nothing.
        if let Some(input) = context.input_mut().downcast_mut::<UpdateItemInput>() {
            input.return_values = Some(ReturnValue::UpdatedNew);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else {
            self.0.add(|bill| bill.failed += 1);
            return Ok(());
        };
        // The emulator forgives a query that finds nothing. AWS takes half a unit for it, and a whole one from the table,
        // which is only ever read strongly.
        let forgiven = output.downcast_ref::<QueryOutput>().and_then(|output| {
            let consumed = output.consumed_capacity.as_ref()?;
            let least = if consumed.global_secondary_indexes.is_some() {
                0.5
            } else {
                1.0
            };
            Some((least - consumed.capacity_units.unwrap_or(0.0)).max(0.0))
        });
        let of_robot = |output: &&UpdateItemOutput| {
            let shelf = output
                .attributes
                .as_ref()
                .and_then(|attributes| attributes.get(SHELF.0));
            shelf.is_some_and(|shelf| shelf.as_s().is_ok_and(|shelf| shelf == SHELF.1))
        };
        let written = output.downcast_ref::<UpdateItemOutput>().filter(of_robot);
        self.0.add(|bill| {
            bill.robots += units(written.iter().filter_map(|output| output.consumed_capacity.as_ref()));
            bill.reads += forgiven.unwrap_or(0.0);
            note_units!(bill, output,
                "get" reads GetItemOutput, "query" reads QueryOutput, "scan" reads ScanOutput,
                "put" writes PutItemOutput, "update" writes UpdateItemOutput, "delete" writes DeleteItemOutput);
            note_units_of_many!(bill, output,
                "batch get" reads BatchGetItemOutput, "batch write" writes BatchWriteItemOutput,
                "transaction" writes TransactWriteItemsOutput);
        });
        Ok(())
    }
}

/// The meter on a client of SQS.
#[derive(Clone, Debug)]
pub(crate) struct OnSqs(pub(crate) Meter);

impl Intercept for OnSqs {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn read_after_deserialization(
        &self,
        _: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.add(|bill| bill.sqs += 1);
        Ok(())
    }
}
