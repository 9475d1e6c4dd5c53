//! `remuda store copy`: a whole store into another one, of any kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::settings::StoreUrl;
use app::{OpenStore, Settings};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use queue::StoreError;
use queue::copy::{Copied, Copy, CopyError, Progress, Side, Tally};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::local::{StoreOption, of_store};
use crate::output::Output;
use crate::render::{self, Style, counted};

/// How long robots are listened for before anything is written: an idle robot of a local server syncs every 2 seconds.
const LISTEN: Duration = Duration::from_secs(3);

/// The first wait for a store that is out of reach; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_millis(250);

/// How often a bar that has nothing new to show moves.
const TICK: Duration = Duration::from_millis(120);

/// Which store is copied, and where to.
#[derive(Debug, Args)]
pub(crate) struct CopyStore {
    /// The store to copy: sqlite:PATH, or the URL of any other kind; it is only read
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to copy to; it has to be empty
    #[arg(long, value_name = "STORE")]
    to: String,
}

/// Copies, and shows what there is of each kind.
pub(crate) async fn run(command: &CopyStore, output: Output) -> Result<(), Failure> {
    let route = Route::new(command)?;
    let bar = bar(output);
    let copied = stoppable(Box::pin(route.copy(&bar))).await;
    bar.finish_and_clear();
    let copied = copied?;
    if output.is_json() {
        return output.line(&summary(&route, &copied).to_string());
    }
    output.line(&table(output.style(), &copied))?;
    output.hint("both sides are the same; start the servers on the target");
    Ok(())
}

async fn stoppable(work: impl Future<Output = Result<Copied, Failure>> + Unpin) -> Result<Copied, Failure> {
    tokio::select! {
        copied = work => copied,
        pressed = tokio::signal::ctrl_c() => {
            pressed.map_err(|source| Failure::System { task: "hear ctrl-c", source })?;
            Err(Failure::Interrupted("stopped; the same command goes on from here".to_owned()))
        }
    }
}

/// From where to where.
struct Route {
    from: Settings,
    to: Settings,
}

impl Route {
    fn new(command: &CopyStore) -> Result<Self, Failure> {
        let (from, to) = (at("--from", &command.from)?, at("--to", &command.to)?);
        if from.store == to.store {
            return Err(Failure::Usage("--from and --to are the same store".to_owned()));
        }
        Ok(Self { from, to })
    }

    async fn copy(&self, bar: &ProgressBar) -> Result<Copied, Failure> {
        let from = OpenStore::open(&self.from)
            .await
            .map_err(|error| of_side(Side::Source, error))?;
        let to = OpenStore::open(&self.to)
            .await
            .map_err(|error| of_side(Side::Target, error))?;
        let copied = self.copy_open(&from, &to, bar).await;
        from.close().await;
        to.close().await;
        copied
    }

    async fn copy_open(&self, from: &OpenStore, to: &OpenStore, bar: &ProgressBar) -> Result<Copied, Failure> {
        // A source that is not there is told before a target is made for it.
        from.shared()
            .scan(None, 1)
            .await
            .map_err(|error| of_side(Side::Source, error))?;
        make_schema(to).await?;
        let copy = Copy::new(from.shared(), to.shared(), self.from.store.to_string()).with_wait(wait(bar));
        listen(&copy, bar).await.map_err(of_copy)?;
        copy.run(&|progress| show(bar, progress)).await.map_err(of_copy)
    }
}

/// The settings of this process, with the store that `option` names.
fn at(option: &str, text: &str) -> Result<Settings, Failure> {
    let store: StoreUrl = text
        .parse()
        .map_err(|mistake| Failure::Usage(format!("{option} {mistake}")))?;
    let store = match store {
        StoreUrl::SqliteMemory => {
            return Err(Failure::Usage(format!(
                "{option} is in memory: nothing of it would be left when this command ends"
            )));
        }
        StoreUrl::Sqlite(path) => StoreUrl::Sqlite(one_path(&path)),
        other => other,
    };
    let option = StoreOption { store: text.to_owned() };
    Ok(Settings {
        store,
        ..option.settings()?
    })
}

/// The one path of a file that may go by several, wherever the command is run from.
fn one_path(path: &Path) -> PathBuf {
    path.canonicalize()
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// Makes the schema where there is none. One of another version is for its owner to change.
async fn make_schema(to: &OpenStore) -> Result<(), Failure> {
    let of_target = |error| of_side(Side::Target, error);
    let steps = to.migrations().await.map_err(of_target)?;
    if steps.iter().all(|step| step.applied_at.is_none()) {
        to.migrate().await.map_err(of_target)?;
    } else if steps.iter().any(|step| step.applied_at.is_none() || !step.intact) {
        return Err(Failure::unsuccessful(
            "the target has the schema of another version: look with 'remuda store status', then run 'remuda store migrate'",
        ));
    }
    Ok(())
}

/// Waits a little for robots to be heard at the source, and fails if one is: then a server still runs there.
async fn listen(copy: &Copy, bar: &ProgressBar) -> Result<(), CopyError> {
    let pulse = copy.pulse().await?;
    if pulse.is_empty() {
        return Ok(());
    }
    bar.set_message("listening for robots at the source");
    tokio::time::sleep(LISTEN).await;
    copy.listen(&pulse).await
}

fn wait(bar: &ProgressBar) -> queue::copy::Wait {
    let bar = bar.clone();
    Arc::new(move |failures| {
        bar.set_message("a store is out of reach; asking again");
        let wait = WAIT_FIRST * 2_u32.saturating_pow(failures.saturating_sub(1));
        Box::pin(tokio::time::sleep(wait))
    })
}

/// A spinner while nobody knows how much there is to copy, and nothing where nobody watches.
fn bar(output: Output) -> ProgressBar {
    if !output.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg} {elapsed}"));
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed")
}

fn show(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Copied { records } => bar.set_message(format!("{} copied", counted(records, "record"))),
        Progress::Verified { records, of } => {
            // Once all is copied, it is known how much there is to compare.
            if bar.length().is_none() {
                bar.set_style(style("{bar:30} {percent:>3} %  {wide_msg} {eta}"));
                bar.set_length(of);
            }
            bar.set_message("comparing both sides");
            bar.set_position(records);
        }
    }
}

fn table(style: Style, copied: &Copied) -> String {
    let row = |name: &str, tally: &Tally| {
        let Tally {
            records, blobs, bytes, ..
        } = tally;
        vec![
            name.to_owned(),
            records.to_string(),
            blobs.to_string(),
            bytes.to_string(),
        ]
    };
    let kinds = copied.kinds.iter().map(|(kind, tally)| row(kind.plural(), tally));
    let rows = kinds.chain([row("all", &total(copied))]);
    render::plain_table(style, &["KIND", "RECORDS", "BLOBS", "BYTES"], rows)
}

fn summary(route: &Route, copied: &Copied) -> Value {
    let kind = |(kind, tally): (&queue::store::Kind, &Tally)| {
        json!({
            "kind": kind.plural().replace(' ', "_"),
            "records": tally.records,
            "blobs": tally.blobs,
            "bytes": tally.bytes,
            "checksum": tally.checksum.to_string(),
        })
    };
    let total = total(copied);
    json!({
        "from": route.from.store.to_string(),
        "to": route.to.store.to_string(),
        "resumed": copied.resumed,
        "kinds": copied.kinds.iter().map(kind).collect::<Vec<_>>(),
        "records": total.records,
        "blobs": total.blobs,
        "bytes": total.bytes,
    })
}

fn total(copied: &Copied) -> Tally {
    let mut total = Tally::default();
    copied.kinds.values().for_each(|tally| total += *tally);
    total
}

/// What one of the stores says when it does not do its part, and which of them it is.
fn of_side(side: Side, error: StoreError) -> Failure {
    match of_store(error) {
        Failure::Unsuccessful { message, exit } => Failure::Unsuccessful {
            message: format!("the {side}: {message}"),
            exit,
        },
        other => other,
    }
}

/// What a copy says when it does not come to its end, with what to do.
fn of_copy(error: CopyError) -> Failure {
    let advice = match &error {
        CopyError::SameStore => return Failure::Usage(error.to_string()),
        CopyError::Store { .. } | CopyError::TwoAtOnce => "the same command goes on from here",
        CopyError::InUse { .. } => "then run the same command again",
        CopyError::SourceUnfinished { .. } => "finish that copy first",
        CopyError::NotEmpty { .. } | CopyError::OtherCopy { .. } => "name a target that is empty",
        CopyError::Clash { .. } | CopyError::Differs(_) => {
            "stop every server on both stores, empty the target, and copy again"
        }
    };
    match error {
        CopyError::Store { side, source } => match of_side(side, source) {
            Failure::Unsuccessful { message, exit } => Failure::Unsuccessful {
                message: format!("{message}\n  {advice}"),
                exit,
            },
            other => other,
        },
        other => Failure::unsuccessful(format!("{other}\n  {advice}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use queue::store::{Blob, BlobKey, Change, Key, Kind, Record, Version};
    use tempfile::TempDir;

    use super::*;
    use crate::failure::Exit;

    fn command(folder: &TempDir, from: &str, to: &str) -> CopyStore {
        let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        CopyStore {
            from: url(from),
            to: url(to),
        }
    }

    async fn copy(command: &CopyStore) -> Result<Copied, Failure> {
        Route::new(command)?.copy(&ProgressBar::hidden()).await
    }

    async fn filled(command: &CopyStore) -> OpenStore {
        let store = OpenStore::open(&at("--from", &command.from).unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        let record = Record {
            key: Key::common(Kind::Tenant, "acme"),
            version: Version::ABSENT,
            lane: None,
            rank: None,
            due_at: None,
            shelf: "tenants".to_owned(),
            listed_at: domain::Timestamp::default(),
            expires_at: None,
            body: "{}".to_owned(),
        };
        let key = BlobKey {
            owner: record.key.clone(),
            name: "note".to_owned(),
        };
        let body = b"hello".to_vec();
        let change = Change {
            blobs: vec![Blob { key, body }],
            ..record.into()
        };
        store.shared().commit(vec![change]).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_file_is_copied_into_one_that_is_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let command = command(&folder, "a.db", "b.db");
        filled(&command).await.close().await;
        let copied = copy(&command).await.unwrap();
        assert_eq!(
            table(Style::PLAIN, &copied),
            "KIND     RECORDS  BLOBS  BYTES\ntenants  1        1      7\nall      1        1      7"
        );
        let summary = summary(&Route::new(&command).unwrap(), &copied);
        let kind = &summary["kinds"][0];
        assert_eq!((&kind["kind"], &kind["records"]), (&json!("tenants"), &json!(1)));
        assert_eq!(kind["checksum"].as_str().map(str::len), Some(32));
        assert_eq!((&summary["resumed"], &summary["bytes"]), (&json!(false), &json!(7)));

        let again = copy(&command).await.unwrap_err();
        assert_eq!(again.exit(), Exit::Refused);
        assert!(
            again
                .to_string()
                .contains("the target is not empty: it holds Tenant /acme"),
            "{again}"
        );
    }

    #[tokio::test]
    async fn a_source_that_is_not_there_makes_no_target() {
        let folder = tempfile::tempdir().unwrap();
        let error = copy(&command(&folder, "a.db", "b.db")).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable);
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[tokio::test]
    async fn one_file_by_two_names_is_one_store() {
        let folder = tempfile::tempdir().unwrap();
        let once = command(&folder, "a.db", "./a.db");
        filled(&once).await.close().await;
        assert_eq!(copy(&once).await.unwrap_err().exit(), Exit::Usage);
    }

    #[tokio::test]
    async fn a_target_that_holds_something_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (command(&folder, "a.db", "b.db"), command(&folder, "b.db", "c.db"));
        filled(&first).await.close().await;
        filled(&second).await.close().await;
        let target = folder.path().join("b.db");
        let bytes = fs::read(&target).unwrap();
        assert_eq!(copy(&first).await.unwrap_err().exit(), Exit::Refused);
        assert_eq!(fs::read(&target).unwrap(), bytes);
    }

    #[test]
    fn a_store_that_cannot_be_copied_is_a_mistake_of_the_command_line() {
        for (from, to, said) in [
            ("sqlite::memory:", "sqlite:b.db", "--from is in memory"),
            ("sqlite:a.db", "sqlite::memory:", "--to is in memory"),
            ("sqlite:a.db", "mysql://me:secret@h/x", "--to must be"),
            ("postgres://h/x", "postgres://h/x", "the same store"),
        ] {
            let command = CopyStore {
                from: from.to_owned(),
                to: to.to_owned(),
            };
            let Err(error) = Route::new(&command) else {
                panic!("{from} to {to}")
            };
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
