//! Every function does its work with what its policy permits of the table, and its policy permits nothing that it never does.
//!
//! The functions run on DynamoDB Local, each with a client that refuses what the planned policy of that function does not
//! permit, as IAM would, and that notes what was used.

mod deployment;
mod guard;
mod work;

use std::collections::BTreeMap;

use guard::{Grant, Guard};
use infra_tests::{Terraform, of_function, package, policies};
use serde_json::Value;

/// The functions, as Terraform names them.
const FUNCTIONS: [&str; 6] = [
    "submit",
    "dispatch",
    "timeout-sweep",
    "robot-callback",
    "control",
    "migrate",
];

#[tokio::test]
async fn each_function_can_do_its_work_and_may_do_nothing_else() {
    let Some(terraform) = Terraform::for_plan("the functions under their policies") else {
        return;
    };
    let package = package(".", "sqs");
    let plan = terraform
        .plan(".", &[("store", "sqs"), ("package", &package)])
        .expect("it can be planned");
    let guards = guards(&plan);
    work::all(&guards).await;
    for (function, guard) in &guards {
        assert_eq!(guard.refused(), [] as [Grant; 0], "{function} wanted what it may not");
    }
    for (function, guard) in &guards {
        assert_eq!(guard.unused(), [] as [Grant; 0], "{function} may do what it never does");
    }
}

/// A guard for each function, by its planned policy.
fn guards(plan: &Value) -> BTreeMap<&'static str, Guard> {
    let policies = policies(plan).expect("the plan shows each policy");
    let guard = |function| {
        let statements = of_function(&policies, function).expect("it has a policy");
        (function, Guard::new(statements.iter().flat_map(guard::grants)))
    };
    FUNCTIONS.into_iter().map(guard).collect()
}
