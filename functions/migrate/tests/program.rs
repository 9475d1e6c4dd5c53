//! The program, as Lambda starts it.

use std::process::Command;

#[test]
fn on_lambda_it_does_not_start_without_a_store_and_says_so() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_migrate"));
    program.env_clear().env("AWS_LAMBDA_FUNCTION_NAME", "migrate");
    let output = program.output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("REMUDA_STORE"), "{said}");
}

#[cfg(feature = "sqlite")]
mod against_the_runtime_api {
    use std::{path::Path, time::Duration};

    use runtime_api::{Observed, RuntimeApi, Start};
    use serde_json::Value;

    /// More than a run takes on a machine that does much else.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// What becomes of `events` on a new store, with everything logged that is logged without a wish for payloads.
    async fn observe(events: &[&str]) -> Result<Observed, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let store = format!("sqlite:{}", folder.path().join("store.db").display());
        let environment = [("REMUDA_STORE", &*store), ("REMUDA_LOG", "debug")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let api = RuntimeApi::serve().await.expect("it serves");
        let run = api.observe(Start {
            program: Path::new(env!("CARGO_BIN_EXE_migrate")),
            environment: &environment,
            events: events.iter().map(ToString::to_string).collect(),
            patience: PATIENCE,
        });
        run.await.map_err(|error| format!("{error:#}"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_is_answered() {
        let observed = observe(&["{}", r#"{"action": "create_key"}"#])
            .await
            .expect("it answers");
        let answer: Value = serde_json::from_slice(&observed.answers[1].body).expect("JSON");
        assert!(answer["key"].as_str().is_some_and(|key| key.starts_with("rk_")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_is_not_logged_and_a_wrong_event_is_an_error_by_its_name() {
        let events = [
            "{}",
            r#"{"action": "create_key"}"#,
            r#"{"action": "create_key", "role": "x"}"#,
        ];
        // What it had logged is told with the failure.
        let told = observe(&events).await.expect_err("the last event is wrong");
        assert!(told.contains("Made key key_"), "{told}");
        assert!(!told.contains("rk_"), "the key was logged");
        assert!(told.contains(r#""errorType":"WrongEvent""#), "{told}");
        assert!(told.contains("errorMessage") && told.contains("/role"), "{told}");
    }
}
