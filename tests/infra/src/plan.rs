//! What a plan, as JSON, says that it will make.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

/// What will be made of one type, by address.
pub fn planned<'a>(plan: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let changes = plan["resource_changes"].as_array().into_iter().flatten();
    let of_kind = changes.filter(|change| change["mode"] == "managed" && change["type"] == kind);
    of_kind
        .filter_map(|change| Some((change["address"].as_str()?, &change["change"]["after"])))
        .collect()
}

/// Every policy of a role that is planned, by its address. One that the plan does not show is an error.
pub fn policies(plan: &Value) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut policies = BTreeMap::new();
    for (address, role_policy) in planned(plan, "aws_iam_role_policy") {
        let text = role_policy["policy"].as_str();
        let text = text.with_context(|| format!("the plan does not show the policy {address}"))?;
        policies.insert(address.to_owned(), serde_json::from_str(text)?);
    }
    Ok(policies)
}
