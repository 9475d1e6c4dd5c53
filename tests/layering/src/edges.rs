//! Which crate may name which: `functions, clients → app → {queue-postgres, queue-sqlite, queue-aws} → queue → domain`.

/// Who may build on whom among our crates outside `tests/`. What is not in this table is refused.
const ALLOWED: &[(&str, &[&str])] = &[
    // The core: what decides, what loads and commits, and what keeps.
    ("domain", &[]),
    ("queue", &["domain"]),
    ("queue-aws", &["domain", "queue"]),
    ("queue-postgres", &["domain", "queue"]),
    ("queue-sqlite", &["domain", "queue"]),
    (
        "app",
        &["domain", "queue", "queue-aws", "queue-postgres", "queue-sqlite"],
    ),
    // What runs as Lambda functions. None knows another.
    ("control", &["app", "domain", "queue"]),
    ("dispatch", &["app", "domain", "queue"]),
    ("migrate", &["app", "domain", "queue"]),
    ("robot-callback", &["app", "domain", "queue"]),
    ("submit", &["app", "domain", "queue"]),
    ("timeout-sweep", &["app", "domain", "queue"]),
    // What people and robots run. A robot knows the server by HTTP alone; `remuda dev` is the server, and `remuda aws-local`
    // starts what tests start.
    ("remuda-client", &[]),
    ("remuda-robot", &["remuda-client"]),
    (
        "remuda",
        &[
            "app",
            "control",
            "dispatch",
            "domain",
            "queue",
            "remuda-client",
            "remuda-robot",
            "robot-callback",
            "servers",
            "submit",
            "timeout-sweep",
        ],
    ),
    // What only tests use.
    ("queue-conformance", &["domain", "queue"]),
    ("simulation", &["domain", "queue", "queue-conformance"]),
];

/// Crates for tests: outside `tests/` a dev-dependency at most, unless the table says otherwise.
const ONLY_FOR_TESTS: &[&str] = &["queue-conformance", "runtime-api", "servers", "simulation"];

const ADAPTERS_AND_APP: &[&str] = &["app", "queue-aws", "queue-postgres", "queue-sqlite"];

/// Other people's crates (a `*` at the end stands for any ending) that only these of ours may name.
const ONLY_FOR: &[(&str, &[&str], &str)] = &[
    ("sqlx*", ADAPTERS_AND_APP, "SQL is the adapters' matter"),
    ("aws-*", ADAPTERS_AND_APP, "AWS is the adapters' matter"),
    ("chrono", &[], "time is jiff"),
    ("time", &[], "time is jiff"),
];

const CORE: &[&str] = &["domain", "queue"];
const BELOW_HTTP: &[&str] = &[
    "domain",
    "queue",
    "queue-aws",
    "queue-conformance",
    "queue-postgres",
    "queue-sqlite",
];

/// Other people's crates that these of ours may not name.
const NEVER_IN: &[(&str, &[&str], &str)] = &[
    ("tokio*", &["domain"], "what decides does not wait"),
    ("futures*", &["domain"], "what decides does not wait"),
    ("async-*", &["domain"], "what decides does not wait"),
    ("smol", &["domain"], "what decides does not wait"),
    ("rand*", CORE, "chance is passed in"),
    ("fastrand", CORE, "chance is passed in"),
    ("getrandom", CORE, "chance is passed in"),
    ("axum*", BELOW_HTTP, "HTTP ends at the functions"),
    ("hyper*", BELOW_HTTP, "HTTP ends at the functions"),
    ("reqwest", BELOW_HTTP, "HTTP ends at the functions"),
    ("lambda_*", BELOW_HTTP, "Lambda ends at the functions"),
];

/// One of our crates, as its manifest tells it.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Whether it lies under `tests/` or is `xtask`, and so may use any of ours.
    pub is_for_tests: bool,
    /// What it names, in any section.
    pub dependencies: Vec<Dependency>,
}

/// A crate that another names in its manifest.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Its name, not the name it is given.
    pub name: String,
    /// Whether it is one of ours.
    pub is_ours: bool,
    /// Whether only tests, examples and benches use it.
    pub is_dev: bool,
}

/// Every edge of this crate that is not allowed, as a sentence that names both ends and the rule.
pub fn forbidden(from: &Crate) -> Vec<String> {
    from.dependencies.iter().filter_map(|to| complaint(from, to)).collect()
}

fn complaint(from: &Crate, to: &Dependency) -> Option<String> {
    if from.is_for_tests {
        return None;
    }
    let rule = if to.is_ours {
        among_ours(from, to)
    } else {
        of_others(from, to)
    };
    rule.map(|rule| format!("{} → {}: {rule}", from.name, to.name))
}

fn among_ours(from: &Crate, to: &Dependency) -> Option<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == from.name) else {
        return Some(format!("{} has no row in the table of allowed edges", from.name));
    };
    let for_tests = ONLY_FOR_TESTS.contains(&to.name.as_str());
    if allowed.contains(&to.name.as_str()) || (for_tests && to.is_dev) {
        None
    } else if for_tests {
        Some("it is only for tests, so at most a dev-dependency".to_owned())
    } else {
        Some(format!("not among what {} may build on: {allowed:?}", from.name))
    }
}

fn of_others(from: &Crate, to: &Dependency) -> Option<String> {
    let reserved = ONLY_FOR
        .iter()
        .find(|(pattern, allowed, _)| matches(pattern, &to.name) && !allowed.contains(&from.name.as_str()));
    let banned = NEVER_IN.iter().find(|(pattern, banned, _)| {
        // A test may well run what it tests on a runtime and with chance.
        matches(pattern, &to.name) && banned.contains(&from.name.as_str()) && !to.is_dev
    });
    reserved.or(banned).map(|(_, _, rule)| (*rule).to_owned())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, is_ours: bool, is_dev: bool) -> Vec<String> {
        forbidden(&Crate {
            name: from.to_owned(),
            is_for_tests: from == "bench",
            dependencies: vec![Dependency {
                name: to.to_owned(),
                is_ours,
                is_dev,
            }],
        })
    }

    #[test]
    fn dependencies_point_inwards_only() {
        for (from, to) in [
            ("submit", "app"),
            ("app", "queue-sqlite"),
            ("queue", "domain"),
            ("remuda", "control"),
        ] {
            assert_eq!(edge(from, to, true, false), [] as [String; 0], "{from} → {to}");
        }
        for (from, to) in [
            ("domain", "queue"),
            ("queue", "app"),
            ("queue-postgres", "queue-sqlite"),
            ("queue-sqlite", "app"),
            ("submit", "queue-postgres"),
            ("submit", "dispatch"),
            ("remuda-robot", "app"),
            ("remuda-client", "queue"),
        ] {
            assert_eq!(edge(from, to, true, false).len(), 1, "{from} → {to}");
        }
    }

    #[test]
    fn a_complaint_names_both_ends() {
        let complaints = edge("remuda-robot", "app", true, false);
        assert!(complaints[0].starts_with("remuda-robot → app: "), "{complaints:?}");
    }

    #[test]
    fn a_crate_for_tests_is_at_most_a_dev_dependency() {
        assert_eq!(edge("queue-postgres", "servers", true, true).len(), 0);
        assert_eq!(edge("queue-postgres", "servers", true, false).len(), 1);
        assert_eq!(edge("bench", "servers", true, false).len(), 0);
    }

    #[test]
    fn a_crate_without_a_row_may_build_on_none_of_ours() {
        assert_eq!(edge("newcomer", "domain", true, false).len(), 1);
    }

    #[test]
    fn sql_and_aws_are_named_by_adapters_and_app_alone() {
        assert_eq!(edge("queue-postgres", "sqlx", false, false).len(), 0);
        assert_eq!(edge("queue-aws", "aws-sdk-dynamodb", false, false).len(), 0);
        assert_eq!(edge("control", "sqlx", false, false).len(), 1);
        assert_eq!(edge("control", "sqlx", false, true).len(), 1);
        assert_eq!(edge("remuda", "aws-sdk-sqs", false, false).len(), 1);
    }

    #[test]
    fn what_decides_neither_waits_nor_rolls_dice() {
        assert_eq!(edge("domain", "tokio", false, false).len(), 1);
        assert_eq!(edge("domain", "async-trait", false, false).len(), 1);
        assert_eq!(edge("queue", "rand", false, false).len(), 1);
        assert_eq!(edge("queue", "rand", false, true).len(), 0);
        assert_eq!(edge("queue", "tokio", false, false).len(), 0);
    }
}
