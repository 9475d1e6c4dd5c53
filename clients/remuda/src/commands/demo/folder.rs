//! The folder of one demo: the store, the workflows, the effects, and what every process wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::failure::Failure;

/// The commands of the sample's workflows, and what they share.
const COMMON: &str = include_str!("../../../demo/workflows/common.sh");
const WORKFLOWS: [(&str, &str); 13] = [
    (
        "broken-report",
        include_str!("../../../demo/workflows/broken-report.sh"),
    ),
    (
        "flaky-download",
        include_str!("../../../demo/workflows/flaky-download.sh"),
    ),
    (
        "invoice-export",
        include_str!("../../../demo/workflows/invoice-export.sh"),
    ),
    (
        "ledger-update",
        include_str!("../../../demo/workflows/ledger-update.sh"),
    ),
    ("long-haul", include_str!("../../../demo/workflows/long-haul.sh")),
    ("month-end", include_str!("../../../demo/workflows/month-end.sh")),
    ("newsletter", include_str!("../../../demo/workflows/newsletter.sh")),
    ("order-sync", include_str!("../../../demo/workflows/order-sync.sh")),
    (
        "payment-order",
        include_str!("../../../demo/workflows/payment-order.sh"),
    ),
    ("sap-posting", include_str!("../../../demo/workflows/sap-posting.sh")),
    ("slow-start", include_str!("../../../demo/workflows/slow-start.sh")),
    ("stuck-upload", include_str!("../../../demo/workflows/stuck-upload.sh")),
    ("web-check", include_str!("../../../demo/workflows/web-check.sh")),
];

/// How often its removal is tried: a command that its robot's watchdog is about to kill may still write.
const REMOVALS_MAX: u32 = 25;
const REMOVAL_WAIT: Duration = Duration::from_millis(200);

/// A temporary folder that only this user can read.
#[derive(Debug)]
pub(super) struct Folder {
    root: TempDir,
}

impl Folder {
    /// Makes it, with the workflows in it.
    pub(super) fn create() -> Result<Self, Failure> {
        let failed = |source| Failure::System {
            task: "make a temporary folder",
            source,
        };
        let root = tempfile::Builder::new()
            .prefix("remuda-demo-")
            .tempdir()
            .map_err(failed)?;
        let folder = Folder { root };
        for sub in ["logs", "robots", "workflows"] {
            std::fs::create_dir(folder.path().join(sub)).map_err(failed)?;
        }
        std::fs::write(folder.effects(), "").map_err(failed)?;
        std::fs::write(folder.common(), COMMON).map_err(failed)?;
        for (workflow, script) in folder.workflows() {
            let text = WORKFLOWS
                .iter()
                .find(|(name, _)| *name == workflow)
                .map(|(_, text)| text);
            std::fs::write(script, text.expect("the list is made from this table")).map_err(failed)?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    /// The store that is used where none is named.
    pub(super) fn store(&self) -> String {
        format!("sqlite:{}", self.path().join("remuda.db").display())
    }

    /// The world outside.
    pub(super) fn effects(&self) -> PathBuf {
        self.path().join("effects")
    }

    /// What workflows share.
    pub(super) fn common(&self) -> PathBuf {
        self.path().join("workflows").join("common.sh")
    }

    /// Each workflow with its script.
    pub(super) fn workflows(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let folder = self.path().join("workflows");
        WORKFLOWS
            .iter()
            .map(move |(name, _)| (*name, folder.join(name).with_extension("sh")))
    }

    /// The log of the process of that name.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path().join("logs").join(name).with_extension("log")
    }

    /// The folder of the robot of that name.
    pub(super) fn robot(&self, name: &str) -> PathBuf {
        self.path().join("robots").join(name)
    }

    /// Leaves it where it is, and says where.
    pub(super) fn keep(self) -> PathBuf {
        self.root.keep()
    }

    /// Removes it with all that is in it.
    pub(super) async fn remove(self) {
        let path = self.root.keep();
        for _ in 0..REMOVALS_MAX {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => tokio::time::sleep(REMOVAL_WAIT).await,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::workload;
    use super::*;

    #[test]
    fn every_workflow_of_the_sample_has_a_command_but_the_one_that_no_robot_can_do() {
        let commands: BTreeSet<&str> = WORKFLOWS.iter().map(|(name, _)| *name).collect();
        let sample = workload::orders(workload::SAMPLE_JOBS, 1);
        let asked: BTreeSet<&str> = sample.iter().map(|order| order.workflow.as_str()).collect();
        assert!(commands.is_subset(&asked));
        assert_eq!(asked.difference(&commands).copied().collect::<Vec<_>>(), ["fax-letter"]);
    }

    #[tokio::test]
    async fn a_folder_that_is_removed_leaves_nothing() {
        let folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        assert!(folder.workflows().all(|(_, script)| script.is_file()));
        folder.remove().await;
        assert!(!path.exists());
    }
}
