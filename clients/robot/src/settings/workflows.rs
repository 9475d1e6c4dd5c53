//! The commands of a settings file.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Workflow;
use super::reader::Reader;

/// Where commands are looked for.
pub(super) struct Places<'a> {
    /// The folder of the settings file, which relative paths are taken from.
    pub(super) folder: &'a Path,
    /// The robot's `PATH`, if it is to be looked through.
    pub(super) path: Option<String>,
}

pub(super) fn read_workflows(reader: &mut Reader, places: &Places<'_>) -> BTreeMap<String, Workflow> {
    let tables = reader.tables("workflows");
    if tables.is_empty() {
        reader.mistake(
            "no workflow has a command: add [workflows.\"name\"] with command = [\"program\", \"argument\"]".to_owned(),
        );
    }
    tables
        .into_iter()
        .map(|(name, table)| (name.clone(), read_workflow(reader, &name, table, places)))
        .collect()
}

fn read_workflow(outer: &mut Reader, name: &str, table: toml::Table, places: &Places<'_>) -> Workflow {
    let mut reader = Reader::within(format!("workflows.{name:?}."), table);
    let command = reader.texts("command");
    let cwd = reader
        .text("cwd")
        .map_or_else(|| places.folder.to_owned(), |cwd| places.folder.join(cwd));
    if !cwd.is_dir() {
        reader.mistake(format!(
            "`workflows.{name:?}.cwd` is no folder: {}; create it",
            cwd.display()
        ));
    }
    let env = reader.text_table("env");
    for variable in env
        .keys()
        .filter(|variable| variable.is_empty() || variable.contains(['=', '\0']))
    {
        reader.mistake(format!(
            "`workflows.{name:?}.env` holds {variable:?}, which is no variable's name"
        ));
    }
    let mut workflow = Workflow {
        command: command.unwrap_or_default(),
        cwd,
        env,
    };
    check_program(&mut reader, name, &mut workflow, places);
    outer.take_mistakes(reader);
    workflow
}

/// A robot that starts without its programs would fail one job after the other.
fn check_program(reader: &mut Reader, name: &str, workflow: &mut Workflow, places: &Places<'_>) {
    let Some(program) = workflow.command.first_mut().filter(|program| !program.is_empty()) else {
        return reader.mistake_unless_told(
            "command",
            "is missing: give the program and its arguments, like [\"python3\", \"export.py\"]",
        );
    };
    if program.contains('/') {
        let whole = workflow.cwd.join(&*program);
        if !is_program(&whole) {
            reader.mistake(format!(
                "`workflows.{name:?}.command`: {} is no program that can be run",
                whole.display()
            ));
        }
        *program = whole.to_string_lossy().into_owned();
    } else if let Some(path) = places.path.as_deref().filter(|_| !workflow.env.contains_key("PATH"))
        && !std::env::split_paths(path).any(|folder| is_program(&folder.join(&*program)))
    {
        reader.mistake(format!(
            "`workflows.{name:?}.command`: no program {program:?} on the PATH; install it or give its path"
        ));
    }
}

fn is_program(path: &Path) -> bool {
    const ANY_EXECUTE: u32 = 0o111;
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & ANY_EXECUTE != 0)
}
