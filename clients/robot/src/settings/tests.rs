use super::*;

fn read(text: &str) -> Result<Settings, Vec<String>> {
    Settings::from_table(text.parse().unwrap(), Path::new("/"), &Overrides::default(), |_| None)
}

const SMALLEST: &str = r#"
    url = "http://127.0.0.1:9000"
    state_folder = "state"
    name = "builder-1"
    [workflows."*"]
    command = ["true"]
"#;

#[test]
fn the_smallest_file_is_enough() {
    let settings = read(SMALLEST).unwrap();
    assert_eq!(settings.queues, ["default"]);
    assert_eq!(settings.max_jobs, 1);
    assert_eq!(settings.cancel_grace, Duration::from_secs(30));
    assert_eq!(settings.state_folder, Path::new("/state"));
    assert_eq!(settings.registration_key, None);
}

#[test]
fn a_workflow_has_its_own_command_or_that_of_every_workflow() {
    let settings = read(&format!("{SMALLEST}\n[workflows.export]\ncommand = [\"export\"]")).unwrap();
    assert_eq!(settings.workflow("export").unwrap().command, ["export"]);
    assert_eq!(settings.workflow("import").unwrap().command, ["true"]);
    let without = read(&SMALLEST.replace("\"*\"", "export")).unwrap();
    assert_eq!(without.workflow("import"), None);
}

#[test]
fn every_mistake_is_told_at_once() {
    let mistakes = read(
        r#"
        url = "localhost:9000"
        nmae = "builder"
        queues = ["Default", "ok"]
        capabilities = "browser"
        environment = ""
        max_jobs = 0
        [labels]
        team = 3
        [workflows.export]
        comand = ["a"]
        cwd = "/nowhere/at/all"
        "#,
    )
    .unwrap_err();
    let expected = [
        "`max_jobs` must be a whole number from 1 to 100, not 0",
        "`state_folder` is missing: a folder for this robot alone, like \"/var/lib/remuda-robot\"",
        "`name` is missing: what people call this robot",
        "`capabilities` must be a list of texts, like [\"a\", \"b\"], not a value of type string",
        "`environment` must be a text in quotes that is not empty, not an empty text",
        "`labels` must be a table of texts, like { a = \"b\" }, not a value of type table",
        "`workflows.\"export\".command` is missing: give the program and its arguments, like [\"python3\", \"export.py\"]",
        "`workflows.\"export\".cwd` is no folder: /nowhere/at/all; create it",
        "`workflows.\"export\".comand` is no setting; those there are: command, cwd, env",
        "`url`: `localhost:9000` is no address of a server: it must begin with http:// or https://",
        "`queues` holds \"Default\": a name has 1–63 characters, a–z, 0–9, `.`, `_` and `-`, and begins with a letter or a digit",
    ];
    for line in expected {
        assert!(
            mistakes.iter().any(|mistake| mistake == line),
            "{line}\nis not in {mistakes:#?}"
        );
    }
    assert!(
        mistakes
            .last()
            .unwrap()
            .starts_with("`nmae` is no setting; those there are: url, "),
        "{mistakes:#?}"
    );
    assert_eq!(mistakes.len(), expected.len() + 1, "{mistakes:#?}");
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let variable = |name: &str| (name == "REMUDA_URL").then(|| "http://environment".to_owned());
    let table: toml::Table = SMALLEST.parse().unwrap();
    let url = |overrides: &Overrides| {
        Settings::from_table(table.clone(), Path::new("/"), overrides, variable)
            .unwrap()
            .url
    };
    assert_eq!(url(&Overrides::default()), "http://environment");
    let line = Overrides {
        url: Some("http://line".to_owned()),
        ..Overrides::default()
    };
    assert_eq!(url(&line), "http://line");
}

#[test]
fn the_registration_key_stays_out_of_debug() {
    let settings = read(&format!("registration_key = \"rk_secret\"\n{SMALLEST}")).unwrap();
    assert_eq!(settings.registration_key.as_deref(), Some("rk_secret"));
    assert!(!format!("{settings:?}").contains("rk_secret"));
}

#[test]
fn the_annotated_example_is_a_valid_file() {
    let text = include_str!("../../robot.example.toml");
    let settings = read(text).unwrap();
    assert!(settings.workflow("invoice-export").is_some());
}

#[test]
fn a_program_that_is_not_there_is_told_before_any_job_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plain.txt"), "").unwrap();
    let text = SMALLEST.replace("[\"true\"]", "[\"no-such-program-anywhere\"]")
        + "[workflows.by-path]\ncommand = [\"./plain.txt\"]\n[workflows.wrong]\ncommand = \"true\"";
    let variable = |name: &str| (name == "PATH").then(|| "/usr/bin:/bin".to_owned());
    let read = |text: &str| Settings::from_table(text.parse().unwrap(), folder.path(), &Overrides::default(), variable);
    let expected = [
        "`workflows.\"*\".command`: no program \"no-such-program-anywhere\" on the PATH; install it or give its path",
        &format!(
            "`workflows.\"by-path\".command`: {}/./plain.txt is no program that can be run",
            folder.path().display()
        ),
        "`workflows.\"wrong\".command` must be a list of texts, like [\"a\", \"b\"], not a value of type string",
    ];
    assert_eq!(read(&text).unwrap_err(), expected);
    read(SMALLEST).unwrap();
}

#[test]
fn a_program_given_by_a_path_is_taken_from_the_folder_it_runs_in() {
    let settings = read(&SMALLEST.replace("[\"true\"]", "[\"bin/sh\", \"x\"]")).unwrap();
    let workflow = settings.workflow("any").unwrap();
    assert_eq!(
        (workflow.command[0].as_str(), workflow.cwd.as_path()),
        ("/bin/sh", Path::new("/"))
    );
}
