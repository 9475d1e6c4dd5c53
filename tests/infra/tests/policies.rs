//! What the planned policies permit is what is kept in `infra/permissions-*.md`, and none of it is wider than it has to be.

use expect_test::expect_file;
use infra_tests::{Terraform, package, policies, refused, told};

const HEAD: &str = "Every statement of every role, out of the plan: a test prints this and fails when a policy says anything else \
                    (`UPDATE_EXPECT=1 cargo test -p infra-tests --test policies` writes it anew). The reasons stand beside the \
                    statements, in `policies.tf` and in `modules/`.\n";

const POSTGRES: &str = r#"{"host":"proxy.example","database":"remuda","user":"remuda","resource_id":"prx-0123","vpc_id":"vpc-1","subnet_ids":["subnet-1","subnet-2"],"security_group_id":"sg-1"}"#;

fn permissions(store: &str, more: &[(&str, &str)]) -> Option<String> {
    let terraform = Terraform::for_plan("the planned policies")?;
    let package = package(".", store);
    let variables: Vec<(&str, &str)> = [("store", store), ("package", &*package)]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let plan = terraform.plan(".", &variables).expect("it can be planned");
    let policies = policies(&plan).expect("the plan shows each policy");
    assert_eq!(
        policies.len(),
        8,
        "six functions and two schedules: {:?}",
        policies.keys()
    );
    assert_eq!(refused(&policies).expect("they can be read"), [] as [String; 0]);
    Some(told(&policies).expect("they can be told"))
}

#[test]
fn on_dynamodb_and_sqs_they_permit_what_is_kept() {
    if let Some(told) = permissions("sqs", &[]) {
        expect_file!["../../../infra/permissions-sqs.md"]
            .assert_eq(&format!("# Permissions on DynamoDB and SQS\n\n{HEAD}{told}"));
    }
}

#[test]
fn on_postgres_they_permit_what_is_kept() {
    if let Some(told) = permissions("postgres", &[("postgres", POSTGRES)]) {
        expect_file!["../../../infra/permissions-postgres.md"]
            .assert_eq(&format!("# Permissions on Postgres\n\n{HEAD}{told}"));
    }
}

/// With a key of one's own each function may use it too, by the stores and by nothing else.
#[test]
fn a_key_of_ones_own_adds_the_use_of_it_and_nothing_else() {
    let key = ("kms_key_arn", "arn:aws:kms:us-east-1:123456789012:key/mine");
    let (Some(without), Some(with)) = (permissions("sqs", &[]), permissions("sqs", &[key])) else {
        return;
    };
    let added: Vec<&str> = with.lines().filter(|line| !without.contains(line)).collect();
    assert!(added.len() > 6, "{added:?}");
    for line in added {
        assert!(
            line.contains("`kms:") && line.contains(key.1) && !line.contains("kms:*"),
            "{line}"
        );
    }
    assert!(without.lines().all(|line| with.contains(line)));
}
