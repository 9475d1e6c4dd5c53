//! `cargo xtask package`: every function as Lambda takes it, and the manifest that a deployment reads.
//!
//! The same sources give the same bytes, wherever they lie: paths are mapped, times fixed, the linker and its C library pinned.

mod archive;
mod build;
mod functions;
mod manifest;
mod sources;
mod target;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::TempDir;

use crate::say;
use build::{Builder, Store};
use functions::Function;
use manifest::{Manifest, Packed};
use target::Architecture;

/// The manifest, beside the archives.
const MANIFEST: &str = "manifest.json";

/// Where archives go that came out otherwise the second time, within the output.
const DIFFERENT: &str = "different";

/// How often a bar moves while a function is built.
const TICK: Duration = Duration::from_millis(200);

/// How many digits of a hash tell two builds apart for a person.
const HASH_SHOWN: usize = 16;

/// What is packaged, for what, and where to.
#[derive(Debug, Args)]
pub(crate) struct Package {
    /// The store that the functions are built for; they can be set to no other
    #[arg(long, value_enum, default_value_t = Store::Sqs)]
    store: Store,
    /// The processor to build for; without it arm64, or `x86_64` where Rust's library for arm64 is not installed
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
    /// The folder for the archives and the manifest [default: target/package]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Package only these functions; the manifest names them alone
    #[arg(long = "function", value_name = "NAME", num_args = 1..)]
    functions: Vec<String>,
    /// Print the manifest in place of a table
    #[arg(long)]
    json: bool,
    /// Build all of it a second time, from a copy of the sources in another folder, and fail if any byte differs
    #[arg(long)]
    verify: bool,
}

/// Packages; a failed build, a missing tool or a difference is an error that says what to do.
pub(crate) fn run(package: &Package) -> anyhow::Result<()> {
    let root = crate::root()?;
    let functions = functions::of(&root, package.store, &package.functions)?;
    let architecture = target::choose(package.arch, &mut |target| target::has_library(&root, target))?;
    let builder = Builder::new(package.store, architecture)?;
    let target = crate::target(&root);
    let output = package.output.clone().unwrap_or_else(|| target.join("package"));
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;

    // Copied before anything is built: what is edited meanwhile is to be no difference between two builds.
    let elsewhere = package.verify.then(|| Elsewhere::new(&root, &output)).transpose()?;
    let bar = bar(functions.len() * if package.verify { 2 } else { 1 });
    let packed = functions
        .iter()
        .map(|function| pack(&builder, function, (&root, &target), &output, &bar))
        .collect::<anyhow::Result<Vec<Packed>>>()?;
    let manifest = Manifest::new(package.store, architecture, &functions, &packed)?;
    let differing = match &elsewhere {
        Some(elsewhere) => elsewhere.differing(&builder, &functions, &manifest, &bar)?,
        None => Vec::new(),
    };
    bar.finish_and_clear();
    manifest.write(&output.join(MANIFEST))?;
    show(&manifest, package.json)?;
    ensure!(
        differing.is_empty(),
        "not reproducible, for a build in another folder gave other bytes: {}; both are kept, the second in {}",
        differing.join(", "),
        output.join(DIFFERENT).display()
    );
    if package.verify {
        say("reproducible: a second build in another folder gave the same bytes");
    }
    Ok(())
}

/// Builds a function of the sources at `from`, and writes its archive.
fn pack(
    builder: &Builder,
    function: &Function,
    (from, target): (&Path, &Path),
    output: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<Packed> {
    bar.set_message(format!("building {}", function.name));
    let program = builder.build(function, from, target)?;
    let archive = archive::of(&program).with_context(|| format!("cannot archive {}", function.name))?;
    let packed = Packed::new(&function.name, &archive);
    let path = output.join(&packed.file);
    fs::write(&path, &archive).with_context(|| format!("cannot write {}", path.display()))?;
    bar.inc(1);
    Ok(packed)
}

/// Another folder, with a copy of the sources, in which everything is built again.
struct Elsewhere {
    folder: TempDir,
    /// Where archives that are not the same are kept.
    different: PathBuf,
}

impl Elsewhere {
    /// The sources at `root` as they are now, in a folder within the output that goes when this does.
    fn new(root: &Path, output: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("again-").tempdir_in(output);
        let folder = folder.context("cannot make a folder for the second build")?;
        sources::copy(root, &folder.path().join("sources"))?;
        Ok(Self {
            folder,
            different: output.join(DIFFERENT),
        })
    }

    /// Builds everything again, and names the functions whose archives are not the ones of the manifest.
    fn differing(
        &self,
        builder: &Builder,
        functions: &[Function],
        manifest: &Manifest,
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<String>> {
        let [sources, target, archives] = ["sources", "target", "archives"].map(|name| self.folder.path().join(name));
        fs::create_dir(&archives).context("cannot make a folder for the second build")?;
        let mut differing = Vec::new();
        for function in functions {
            let again = pack(builder, function, (&sources, &target), &archives, bar)?;
            if !manifest.has(&function.name, &again) {
                self.keep(&archives.join(&again.file))?;
                differing.push(function.name.clone());
            }
        }
        Ok(differing)
    }

    fn keep(&self, archive: &Path) -> anyhow::Result<()> {
        let name = archive.file_name().context("an archive has a name")?;
        fs::create_dir_all(&self.different)
            .and_then(|()| fs::copy(archive, self.different.join(name)))
            .with_context(|| format!("cannot keep {}", archive.display()))?;
        Ok(())
    }
}

fn show(manifest: &Manifest, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", manifest.to_json()?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["function", "MB", "sha256"]);
    for (name, packed) in &manifest.functions {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let megabytes = packed.bytes as f64 / 1e6;
        let hash = packed.sha256.get(..HASH_SHOWN).unwrap_or(&packed.sha256);
        table.add_row([name, &format!("{megabytes:.2}"), hash]);
    }
    println!("{table}");
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {elapsed}");
    let bar = ProgressBar::new(steps as u64).with_style(style.expect("the template is well-formed"));
    bar.enable_steady_tick(TICK);
    bar
}
