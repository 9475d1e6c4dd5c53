//! Terraform, with the provider's schema alone where that is at hand, and else with the provider itself.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::place::{infra, not_run, root};

/// Names the program that runs Terraform against the provider's schema, without a network.
const OFFLINE: &str = "REMUDA_TERRAFORM_OFFLINE";

/// Where that program is, beside the repository, when it is not named.
const BESIDE: &str = "../shared/terraform-offline/tf_offline.py";

/// How Terraform can be run here.
pub enum Terraform {
    /// By a program that stands in for the provider, and can plan and apply as well.
    Offline(PathBuf),
    /// With the provider, on a copy. To plan it needs an account.
    Provider(TempDir),
}

/// What came of a check.
pub type Check = anyhow::Result<String>;

impl Terraform {
    /// Terraform, or nothing after it was said what is missing for `what`.
    pub fn for_check(what: &str) -> Option<Self> {
        match Self::found() {
            Ok(found) => Some(found),
            Err(missing) => {
                not_run(what, &format!("{missing:#}"));
                None
            }
        }
    }

    /// Terraform that can plan without an account, or nothing after it was said what is missing for `what`.
    pub fn for_plan(what: &str) -> Option<Self> {
        match Self::for_check(what)? {
            Self::Provider(_) => {
                not_run(what, &format!("a plan needs an account, or {OFFLINE}"));
                None
            }
            offline @ Self::Offline(_) => Some(offline),
        }
    }

    fn found() -> anyhow::Result<Self> {
        terraform_is_here()?;
        if let Some(named) = std::env::var_os(OFFLINE).map(PathBuf::from) {
            assert!(named.is_file(), "{OFFLINE} names no file: {}", named.display());
            return Ok(Self::Offline(named));
        }
        let beside = root().join(BESIDE);
        if beside.is_file() {
            return Ok(Self::Offline(beside));
        }
        Self::with_provider()
    }

    fn with_provider() -> anyhow::Result<Self> {
        let copy = tempfile::tempdir().context("cannot make a folder")?;
        copy_folder(&infra(), copy.path())?;
        for folder in ["", "examples/sqs", "examples/postgres"] {
            let mut init = Command::new("terraform");
            init.args(["init", "-backend=false", "-input=false", "-no-color"]);
            if let Err(error) = output(init.current_dir(copy.path().join(folder))) {
                let said = format!("{error:#}");
                // Anything else that is wrong is wrong with the configuration.
                assert!(is_unreachable(&said), "{said}");
                bail!("the provider cannot be fetched");
            }
        }
        Ok(Self::Provider(copy))
    }

    /// `terraform fmt -check`, which needs no provider; nothing after it was said that there is no Terraform.
    pub fn fmt() -> Option<Check> {
        if let Err(missing) = terraform_is_here() {
            not_run("terraform fmt", &format!("{missing:#}"));
            return None;
        }
        let mut fmt = Command::new("terraform");
        Some(output(fmt.args(["fmt", "-check", "-diff", "-recursive"]).arg(infra())))
    }

    /// `terraform validate` of a folder below `infra`.
    pub fn validate(&self, folder: &str) -> Check {
        self.run("validate", folder, &[])
    }

    /// `terraform test`: the files `infra/tests/*.tftest.hcl`.
    pub fn test(&self) -> Check {
        self.run("test", ".", &[])
    }

    /// Plans a folder with `variables`, applies that to nothing, plans again, which must find nothing to do, and gives the
    /// first plan as JSON.
    pub fn plan(&self, folder: &str, variables: &[(&str, &str)]) -> anyhow::Result<Value> {
        let file = tempfile::NamedTempFile::new().context("cannot make a file")?;
        let mut arguments = vec!["--apply".to_owned(), "--plan-json".to_owned()];
        arguments.push(file.path().to_string_lossy().into_owned());
        for (name, value) in variables {
            arguments.extend(["-var".to_owned(), format!("{name}={value}")]);
        }
        let said = self.run("plan", folder, &arguments)?;
        ensure!(said.contains("the second plan is empty"), "it never settles:\n{said}");
        let plan = fs::read_to_string(file.path()).context("there is no plan")?;
        serde_json::from_str(&plan).context("the plan is no JSON")
    }

    fn run(&self, command: &str, folder: &str, arguments: &[String]) -> Check {
        match self {
            Self::Offline(program) => {
                let mut python = Command::new("python3");
                python
                    .arg(program)
                    .arg(command)
                    .arg(infra().join(folder))
                    .args(arguments);
                output(&mut python)
            }
            Self::Provider(copy) => {
                let mut terraform = Command::new("terraform");
                terraform.arg(command).arg("-no-color").args(arguments);
                output(terraform.current_dir(copy.path().join(folder)))
            }
        }
    }
}

fn terraform_is_here() -> anyhow::Result<()> {
    let version = output(Command::new("terraform").arg("version"));
    version.map(drop).context("terraform is not on the path")
}

/// Whether `terraform init` failed because there is no way to the registry of providers.
fn is_unreachable(said: &str) -> bool {
    [
        "could not connect to",
        "Failed to query available provider packages",
        "Failed to install provider",
    ]
    .iter()
    .any(|complaint| said.contains(complaint))
}

/// What a program prints, if it succeeds; else all that it printed as the error.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output: Output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{name} failed ({}):\n{said}\n{complaint}",
        output.status
    );
    Ok(said)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or(OsStr::new(""));
        if path.is_dir() && name != ".terraform" {
            copy_folder(&path, &to.join(name))?;
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
