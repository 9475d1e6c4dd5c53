//! Jobs from their assignment to their report, with real commands.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod common;

use common::fixture::Fixture;
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_is_given_all_it_needs_and_its_answers_arrive() {
    let script = r#"
        read -r payload
        echo "stdin $payload file $(cat "$REMUDA_PAYLOAD_FILE")"
        echo "$REMUDA_JOB_ID $REMUDA_ATTEMPT $REMUDA_IDEMPOTENCY_KEY $REMUDA_WORKFLOW $REMUDA_WORKFLOW_VERSION"
        echo "$REMUDA_LABELS $REMUDA_LABEL_COST_CENTRE $TRACEPARENT $(cat "$REMUDA_CHECKPOINT_DIR/page") ${REMUDA_KEY-none}"
        echo '{"page": 4}' > "$REMUDA_CHECKPOINT_DIR/page"
        echo "40 page 4" > "$REMUDA_PROGRESS_FILE"
        echo '::remuda result {"from": "line"}'
        echo '{"from": "file", "rows": 12345678901234567890123}' > "$REMUDA_RESULT_FILE"
        echo "to stderr" >&2
    "#;
    let fixture = Fixture::new(1, &[("export", script)]).await;
    let more = json!({ "workflow_version": "7", "labels": { "cost-centre": "42" }, "checkpoints": { "page": {"page": 3} },
                       "payload": {"text": "Zürich"}, "traceparent": "00-aa-bb-01" });
    fixture.server.submit_with("job-1", "export", &more);
    let robot = fixture.start();
    let finish = fixture.server.until_finished("job-1").await;
    robot.drain().await;

    assert_eq!(finish["outcome"], "succeeded");
    assert_eq!(
        finish["result"],
        serde_json::from_str::<Value>(r#"{"from": "file", "rows": 12345678901234567890123}"#).unwrap()
    );
    let job = fixture.server.state().jobs["job-1"].clone();
    let log = job.log_text();
    for line in [
        "stdin {\"text\":\"Zürich\"} file {\"text\":\"Zürich\"}\n",
        "job-1 1 job-1 export 7\n",
        "{\"cost-centre\":\"42\"} 42 00-aa-bb-01 {\"page\":3} none\n",
        "to stderr\n",
    ] {
        assert!(log.contains(line), "{line:?} is not in {log:?}");
    }
    assert!(!log.contains("::remuda"), "{log}");
    assert_eq!(job.checkpoints["page"], json!({"page": 4}));
    let story = fixture.server.state().story.join("\n");
    let expected = ["registered", "session holding []", "job-1 assigned", "job-1 listed"].join("\n");
    assert!(story.starts_with(&expected), "{story}");
    assert!(story.rfind("job-1 logged") < story.find("job-1 finished"), "{story}");
    assert!(
        story.rfind("job-1 checkpointed") < story.find("job-1 finished"),
        "{story}"
    );
    assert_eq!(
        std::fs::read_dir(fixture.path("state/work")).unwrap().count(),
        0,
        "the work folder is removed"
    );
    assert_eq!(fixture.outbox(), 0);
}

#[tokio::test]
async fn a_robot_registers_once_with_what_its_settings_say() {
    let fixture = Fixture::new(3, &[("w", "true")]).await;
    for job in ["a", "b"] {
        fixture.server.submit(job, "w");
        let robot = fixture.start();
        fixture.server.until_finished(job).await;
        robot.drain().await;
    }
    let expected = json!([{ "name": "robot under test", "queues": ["default"], "capabilities": ["sh"], "environment": null,
        "max_jobs": 3, "version": env!("CARGO_PKG_VERSION"), "labels": { "site": "here" } }]);
    assert_eq!(json!(fixture.server.state().registrations), expected);
}

#[tokio::test]
async fn a_failure_is_told_by_its_kind_its_code_and_its_last_words() {
    let missing = "the command [\"sh\"";
    let scripts = [
        (
            "fails",
            "echo first >&2; echo 'no such invoice' >&2; exit 3",
            "application",
            "exit_3",
            "no such invoice",
        ),
        (
            "business",
            "echo 'no IBAN' >&2; exit 65",
            "business",
            "exit_65",
            "no IBAN",
        ),
        (
            "killed",
            "kill -9 $$",
            "application",
            "signal_9",
            "the command was killed (signal_9) and wrote nothing to stderr",
        ),
        (
            "says",
            "echo '::remuda error business NO_IBAN the customer has none'; exit 1",
            "business",
            "NO_IBAN",
            "the customer has none",
        ),
        (
            "broken-result",
            "echo '{' > $REMUDA_RESULT_FILE",
            "business",
            "result_unusable",
            "the result file is no JSON: EOF",
        ),
    ];
    let workflows: Vec<(&str, &str)> = scripts.iter().map(|(name, script, ..)| (*name, *script)).collect();
    let fixture = Fixture::new(8, &workflows).await;
    let robot = fixture.start();
    for (name, ..) in scripts {
        fixture.server.submit(name, name);
    }
    fixture.server.submit("unknown", "nobody-knows");
    for (name, _, kind, code, message) in scripts {
        let finish = fixture.server.until_finished(name).await;
        assert_eq!(finish["outcome"], "failed", "{name}");
        assert_eq!(
            (&finish["error"]["kind"], &finish["error"]["code"]),
            (&json!(kind), &json!(code)),
            "{name}"
        );
        assert!(
            finish["error"]["message"].as_str().unwrap().starts_with(message),
            "{name}: {finish}, {missing}"
        );
    }
    let finish = fixture.server.until_finished("unknown").await;
    assert_eq!(finish["error"]["code"], "cannot_start");
    assert_eq!(finish["error"]["kind"], "application");
    assert!(
        finish["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no command for workflow \"nobody-knows\""),
        "{finish}"
    );
    robot.drain().await;
}

#[tokio::test]
async fn progress_is_told_while_the_job_runs() {
    let fixture = Fixture::new(
        1,
        &[(
            "w",
            "echo '::remuda progress 40 page 3'; read -r _; until [ -e \"$HERE/go\" ]; do sleep 0.05; done",
        )],
    )
    .await;
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    let progress = fixture.server.until_progress("a").await;
    assert_eq!(progress, json!({ "percent": 40, "message": "page 3" }));
    std::fs::write(fixture.path("go"), "").unwrap();
    assert_eq!(fixture.server.until_finished("a").await["outcome"], "succeeded");
    robot.drain().await;
}

#[tokio::test]
async fn several_jobs_run_at_once_and_never_more_than_allowed() {
    // Each waits until two have begun: one alone would never end.
    let script =
        "touch \"$HERE/$REMUDA_JOB_ID.begun\"; until [ $(ls \"$HERE\"/*.begun | wc -l) -ge 2 ]; do sleep 0.02; done";
    let fixture = Fixture::new(2, &[("w", script)]).await;
    for job in ["a", "b", "c", "d"] {
        fixture.server.submit(job, "w");
    }
    let robot = fixture.start();
    for job in ["a", "b", "c", "d"] {
        fixture.server.until_finished(job).await;
    }
    robot.drain().await;
    let mut open: i32 = 0;
    for line in &fixture.server.state().story {
        open += i32::from(line.ends_with(" assigned")) - i32::from(line.ends_with(" finished"));
        assert!(open <= 2, "{line}");
    }
}

#[tokio::test]
async fn a_flood_of_output_is_bounded_and_does_not_fail_the_job() {
    let fixture = Fixture::new(
        1,
        &[(
            "w",
            "head -c 30000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo the end",
        )],
    )
    .await;
    let refusal = json!({ "code": "store_unavailable" });
    fixture
        .server
        .change(|state| state.refusals.insert("log", (3, 503, refusal)));
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    assert_eq!(fixture.server.until_finished("a").await["outcome"], "succeeded");
    robot.drain().await;
    let log = fixture.server.state().jobs["a"].log_text();
    assert!(log.len() < 12_000_000, "{} bytes", log.len());
    assert!(log.contains("bytes of output left out"), "the gap is told");
}

#[tokio::test]
async fn a_log_goes_on_where_the_server_wants_it() {
    let script = "echo one; until [ -e \"$HERE/go\" ]; do sleep 0.05; done; echo two";
    let fixture = Fixture::new(1, &[("w", script)]).await;
    fixture.server.change(|state| state.answers_lost.insert("log", 1));
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    // The first chunk is there twice: its answer was lost, and the server knows it again.
    fixture
        .server
        .until("the chunk again", |state| {
            (state.story.iter().filter(|told| *told == "a logged").count() == 2).then_some(())
        })
        .await;
    fixture.server.change(|state| {
        let job = state.jobs.get_mut("a").unwrap();
        assert_eq!(job.log, ["one\n"]);
        job.log.clear();
    });
    std::fs::write(fixture.path("go"), "").unwrap();
    fixture.server.until_finished("a").await;
    robot.drain().await;
    assert_eq!(fixture.server.state().jobs["a"].log, ["two\n"]);
}
