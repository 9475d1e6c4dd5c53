//! `remuda demo` as a person or a script runs it: what it says, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

/// These start servers and robots of their own, and take their time.
mod heavy {
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Output, Stdio};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use serde_json::Value;
    use tempfile::TempDir;

    /// How long something may take that is waited for.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// How often it is looked for, where nobody tells.
    const LOOK: Duration = Duration::from_millis(50);

    /// The smallest demo, with temporary files in this folder.
    fn demo(temporary: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remuda"));
        command
            .args(["demo", "--json", "--seed", "7"])
            .env("TMPDIR", temporary)
            // What stands here is for other commands: a demo that listened to it would run on somebody's server.
            .env("REMUDA_URL", "http://127.0.0.1:1")
            .env("REMUDA_KEY", "rk_of_another_server")
            .stdin(Stdio::null());
        command
    }

    /// A table and a queue for hints that are not there yet, on the servers that tests share.
    fn sqs() -> String {
        let name = format!("demo-{}", std::process::id());
        let (dynamodb, sqs) = (servers::shared_dynamodb().unwrap(), servers::shared_sqs().unwrap());
        let made = sqs
            .call("CreateQueue", &format!(r#"{{"QueueName":"{name}"}}"#))
            .unwrap();
        let queue = serde_json::from_str::<Value>(&made).unwrap()["QueueUrl"].clone();
        format!(
            "sqs://{name}?queue={}&dynamodb={}",
            queue.as_str().unwrap(),
            dynamodb.endpoint()
        )
    }

    /// How many hints lie in the queue of this store.
    fn hints(store: &str) -> u64 {
        let queue = store
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("queue="))
            .unwrap();
        let name = "ApproximateNumberOfMessages";
        let input = format!(r#"{{"QueueUrl":"{queue}","AttributeNames":["{name}"]}}"#);
        let answer = servers::shared_sqs()
            .unwrap()
            .call("GetQueueAttributes", &input)
            .unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["Attributes"][name].as_str().unwrap().parse().unwrap()
    }

    fn summary(output: &Output) -> Value {
        let stdout = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
    }

    fn number(value: &Value) -> u64 {
        value.as_u64().unwrap()
    }

    fn sum(counts: &Value) -> u64 {
        counts.as_object().unwrap().values().map(number).sum()
    }

    fn is_empty(folder: &Path) -> bool {
        fs::read_dir(folder).unwrap().next().is_none()
    }

    fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "waited too long until {what}");
            pause();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "other processes' ends and files come without an event that this one could wait for"
    )]
    fn pause() {
        std::thread::sleep(LOOK);
    }

    /// The processes that name this folder on their command line or stand in it.
    #[cfg(target_os = "linux")]
    fn processes_in(folder: &Path) -> Vec<String> {
        let named = folder.to_string_lossy().into_owned();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let process = entry.ok()?.path();
                let line = fs::read(process.join("cmdline")).ok()?;
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                let stands_there = fs::read_link(process.join("cwd")).is_ok_and(|at| at.starts_with(folder));
                (stands_there || line.contains(&named)).then_some(line)
            })
            .collect()
    }

    /// A demo whose robots are at work.
    #[cfg(target_os = "linux")]
    fn in_full_swing(temporary: &TempDir) -> Child {
        let demo = demo(temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("a robot has done something", || {
            let folder = fs::read_dir(temporary.path()).unwrap().next();
            let effects = folder.map(|folder| folder.unwrap().path().join("effects"));
            effects.is_some_and(|effects| fs::metadata(effects).is_ok_and(|effects| effects.len() > 0))
        });
        demo
    }

    #[cfg(target_os = "linux")]
    fn send(signal: Signal, demo: &Child) {
        kill(Pid::from_raw(i32::try_from(demo.id()).unwrap()), signal).unwrap();
    }

    #[cfg(target_os = "linux")]
    fn nothing_is_left(temporary: &TempDir) {
        wait_until("every process has ended", || processes_in(temporary.path()).is_empty());
        wait_until("the folder is removed", || is_empty(temporary.path()));
    }

    /// Runs the demo with so many jobs to its end, and requires its verdict.
    fn every_promise_holds(mut demo: Command, store: &str, jobs: u64) {
        let output = demo.args(["--jobs", &jobs.to_string()]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{told}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let summary = summary(&output);
        assert_eq!(summary["violations"], Value::Array(Vec::new()));
        let ended = number(&summary["succeeded"])
            + sum(&summary["failed"])
            + number(&summary["timed_out"])
            + sum(&summary["cancelled"]);
        let counts = ["accepted", "lost", "duplicated"].map(|name| number(&summary[name]));
        assert_eq!((counts, ended), ([jobs, 0, 0], jobs));
        let robots = summary["robots"].as_array().unwrap();
        let counted = |field: &str| robots.iter().map(|robot| number(&robot[field])).sum::<u64>();
        assert_eq!((robots.len(), counted("kills"), counted("starts")), (6, 2, 7));
        assert_eq!(summary["store"], store);
    }

    #[test]
    fn every_promise_holds_though_two_robots_are_killed() {
        let temporary = TempDir::new().unwrap();
        every_promise_holds(demo(temporary.path()), "sqlite", 60);
        assert!(is_empty(temporary.path()));
    }

    #[test]
    fn every_promise_holds_on_dynamodb_and_sqs_too() {
        let temporary = TempDir::new().unwrap();
        let store = sqs();
        let mut demo = demo(temporary.path());
        demo.args(["--store", &store]);
        // On a busy machine the emulators are slow, and with few jobs the second robot is not met in the middle of one.
        every_promise_holds(demo, "sqs", 120);
        assert!(is_empty(temporary.path()));
        assert!(hints(&store) > 0, "no hint was sent");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_demo_that_is_interrupted_clears_away_and_says_so() {
        let temporary = TempDir::new().unwrap();
        let demo = in_full_swing(&temporary);
        send(Signal::SIGINT, &demo);
        let output = demo.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert!(String::from_utf8_lossy(&output.stderr).contains("stopped before its end"));
        nothing_is_left(&temporary);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_demo_that_is_killed_leaves_no_process_and_no_folder() {
        let temporary = TempDir::new().unwrap();
        let mut demo = in_full_swing(&temporary);
        assert!(!processes_in(temporary.path()).is_empty());
        send(Signal::SIGKILL, &demo);
        demo.wait().unwrap();
        nothing_is_left(&temporary);
    }
}
