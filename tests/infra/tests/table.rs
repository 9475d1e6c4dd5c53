//! The table of Terraform is the one that the store makes.

use infra_tests::{Terraform, package, planned, table};
use queue_aws::{layout, table_definition};
use serde_json::Value;

#[test]
fn the_keys_and_indexes_are_the_stores() {
    let (table, definition) = (table().expect("the table can be read"), table_definition("remuda"));
    let keys = |schema: &Value| {
        let name = |place: usize| schema[place]["AttributeName"].as_str().expect("a name").to_owned();
        (name(0), name(1))
    };
    assert_eq!(table.keys, keys(&definition["KeySchema"]));
    let indexes = definition["GlobalSecondaryIndexes"]
        .as_array()
        .expect("there are indexes");
    assert_eq!(table.indexes.len(), indexes.len());
    for index in indexes {
        let name = index["IndexName"].as_str().expect("a name");
        assert_eq!(table.indexes.get(name), Some(&keys(&index["KeySchema"])), "{name}");
    }
    assert_eq!(table.time_to_live, layout::TIME_TO_LIVE);
}

#[test]
fn the_planned_table_is_the_stores() {
    let Some(terraform) = Terraform::for_plan("the planned table") else {
        return;
    };
    let package = package(".", "sqs");
    let plan = terraform.plan(".", &[("store", "sqs"), ("package", &package), ("name", "jobs")]);
    let plan = plan.expect("it can be planned");
    let tables = planned(&plan, "aws_dynamodb_table");
    let table = tables.values().next().expect("there is a table");
    let definition = table_definition("jobs");
    assert_eq!(table["name"], definition["TableName"]);
    assert_eq!(table["billing_mode"], definition["BillingMode"]);
    let wanted = definition["AttributeDefinitions"]
        .as_array()
        .expect("there are attributes");
    let mut wanted: Vec<(&str, &str)> = wanted
        .iter()
        .map(|it| (word(it, "AttributeName"), word(it, "AttributeType")))
        .collect();
    let made = table["attribute"].as_array().expect("there are attributes");
    let mut made: Vec<(&str, &str)> = made.iter().map(|it| (word(it, "name"), word(it, "type"))).collect();
    wanted.sort_unstable();
    made.sort_unstable();
    assert_eq!(made, wanted);
    let indexes = table["global_secondary_index"].as_array().expect("there are indexes");
    assert_eq!(indexes.len(), layout::INDEXES.len());
    for (name, partition, sort) in layout::INDEXES {
        let index = indexes
            .iter()
            .find(|index| index["name"] == name)
            .expect("it is planned");
        let keys = (
            word(index, "hash_key"),
            word(index, "range_key"),
            word(index, "projection_type"),
        );
        assert_eq!(keys, (partition, sort, "KEYS_ONLY"), "{name}");
    }
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
