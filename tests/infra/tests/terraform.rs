//! The configuration is formatted, valid, passes its own tests, and settles: a second plan finds nothing to do.

use std::collections::BTreeSet;

use infra_tests::{ALARMS, Terraform, checkov, package, planned, routes};

/// The database for plans of the root module, where everything is known beforehand.
const POSTGRES: &str = r#"{"host":"proxy.example","database":"remuda","user":"remuda","resource_id":"prx-0123","vpc_id":"vpc-1","subnet_ids":["subnet-1","subnet-2"],"security_group_id":"sg-1","instance_id":"remuda","endpoints":["xray"]}"#;

/// Values of variables by name.
type Variables<'a> = &'a [(&'a str, &'a str)];

#[test]
fn it_is_formatted() {
    if let Some(checked) = Terraform::fmt() {
        checked.expect("it is formatted");
    }
}

#[test]
fn the_root_module_and_the_examples_are_valid() {
    let Some(terraform) = Terraform::for_check("terraform validate") else {
        return;
    };
    for folder in [".", "examples/sqs", "examples/postgres"] {
        terraform
            .validate(folder)
            .unwrap_or_else(|error| panic!("{folder}: {error:#}"));
    }
}

#[test]
fn it_passes_its_own_tests() {
    let Some(terraform) = Terraform::for_check("terraform test") else {
        return;
    };
    let said = terraform.test().expect("the tests pass");
    assert!(said.contains("Success!"), "{said}");
}

#[test]
fn the_examples_settle() {
    let Some(terraform) = Terraform::for_plan("plans of the examples") else {
        return;
    };
    for (store, alarms) in ALARMS {
        let folder = format!("examples/{store}");
        let plan = terraform.plan(&folder, &[("package", &package(&folder, store))]);
        let plan = plan.unwrap_or_else(|error| panic!("{folder}: {error:#}"));
        assert_eq!(planned(&plan, "aws_lambda_function").len(), 6, "{folder}");
        let made = planned(&plan, "aws_cloudwatch_metric_alarm").len();
        assert_eq!(made, alarms as usize, "{folder}");
    }
}

#[test]
fn switched_options_settle() {
    let Some(terraform) = Terraform::for_plan("plans of switched options") else {
        return;
    };
    let (sqs, postgres) = (package(".", "sqs"), package(".", "postgres"));
    let key = ("kms_key_arn", "arn:aws:kms:eu-central-1:123456789012:key/mine");
    let on_sqs = [("store", "sqs"), ("package", &*sqs)];
    let on_postgres = [("store", "postgres"), ("package", &*postgres), ("postgres", POSTGRES)];
    let domain = r#"{"name":"remuda.example.com","certificate_arn":"arn:aws:acm:eu-central-1:123456789012:certificate/x","zone_id":"Z1"}"#;
    let cases: [(&str, Variables, Variables); 5] = [
        ("a key of one's own", &on_sqs, &[key]),
        (
            "a name of one's own, and a web page",
            &on_sqs,
            &[("domain", domain), ("cors", r#"{"origins":["https://a.example"]}"#)],
        ),
        (
            "paused, no alarms, no traces, no protection, nothing reserved",
            &on_sqs,
            &[
                ("alarms", r#"{"enabled":false}"#),
                ("deletion_protection", "false"),
                ("tracing", "false"),
                ("paused", "true"),
                ("sizes", r#"{"sweep_concurrency":null}"#),
            ],
        ),
        ("Postgres", &on_postgres, &[]),
        ("Postgres with a key of one's own", &on_postgres, &[key]),
    ];
    for (what, base, switched) in cases {
        let variables: Vec<(&str, &str)> = base.iter().chain(switched).copied().collect();
        terraform
            .plan(".", &variables)
            .unwrap_or_else(|error| panic!("{what}: {error:#}"));
    }
}

/// Beside the routes that are served: one for the other methods of each path that `control` does not know, and the rest.
#[test]
fn the_planned_routes_are_those_that_are_served_and_what_says_404_and_405() {
    let Some(terraform) = Terraform::for_plan("the planned routes") else {
        return;
    };
    let package = package(".", "sqs");
    let plan = terraform
        .plan(".", &[("store", "sqs"), ("package", &package)])
        .expect("it can be planned");
    let planned: BTreeSet<String> = planned(&plan, "aws_apigatewayv2_route")
        .values()
        .map(|route| route["route_key"].as_str().expect("a route has a key").to_owned())
        .collect();
    let served = routes().expect("the routes can be read");
    let known_to_control: BTreeSet<&str> = served
        .iter()
        .filter(|(_, function)| *function == "control")
        .map(|((path, _), _)| path.as_str())
        .collect();
    let mut expected: BTreeSet<String> = served.keys().map(|(path, method)| format!("{method} {path}")).collect();
    let others = served
        .keys()
        .map(|(path, _)| path)
        .filter(|path| !known_to_control.contains(path.as_str()));
    expected.extend(others.map(|path| format!("ANY {path}")));
    expected.insert("$default".to_owned());
    assert_eq!(planned, expected);
}

#[test]
fn checkov_finds_nothing_that_has_no_written_reason() {
    if let Some(checked) = checkov() {
        let said = checked.expect("checkov finds nothing");
        assert!(said.trim().is_empty() || said.contains("Failed checks: 0"), "{said}");
    }
}
