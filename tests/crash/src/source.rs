//! The operations as their source has them: their names, and every place at which something is written.

use std::{
    collections::BTreeSet,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use syn::{
    Expr, ExprAwait, ImplItem, ItemImpl, Visibility,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// What writes: the calls of the seam that do, and what in the queue does nothing else than to make them.
const WRITES: &[&str] = &[
    "commit",
    "commit_jobs",
    "claim",
    "put_blob",
    "put_new_blob",
    "purge",
    "restore",
    "wake",
    "transition",
    "transition_once",
    "write_job",
    "write_jobs",
    "write_robot",
    "make_queues",
    "make_tenant",
    "lose",
    "watch",
];

/// A place in the source at which something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, below the folder of the queue's source.
    pub file: PathBuf,
    /// The lines of the call.
    pub lines: RangeInclusive<u32>,
    /// What is called.
    pub call: String,
}

/// What the source of the queue says of its operations.
#[derive(Debug, Default)]
pub struct Source {
    /// The public async methods of `Engine`.
    pub operations: BTreeSet<String>,
    /// Where they, and what they call, write.
    pub writes: Vec<Place>,
}

impl Source {
    /// Reads the source of the queue at `folder`: the engine, transitions and operations.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut source = Self::default();
        let files = ["engine.rs", "transition.rs"].map(PathBuf::from);
        for file in files.into_iter().chain(files_below(folder, Path::new("operations"))?) {
            let text =
                fs::read_to_string(folder.join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
            let parsed = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
            Reader {
                file,
                source: &mut source,
            }
            .visit_file(&parsed);
        }
        Ok(source)
    }
}

fn files_below(folder: &Path, below: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files.extend(files_below(folder, &path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

struct Reader<'a> {
    file: PathBuf,
    source: &'a mut Source,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if matches!(&*item.self_ty, syn::Type::Path(path) if path.path.is_ident("Engine")) {
            let methods = item.items.iter().filter_map(|item| match item {
                ImplItem::Fn(method) => Some(method),
                _ => None,
            });
            let public = methods.filter(|it| matches!(it.vis, Visibility::Public(_)) && it.sig.asyncness.is_some());
            self.source
                .operations
                .extend(public.map(|method| method.sig.ident.to_string()));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_await(&mut self, it: &'ast ExprAwait) {
        if let Expr::MethodCall(call) = &*it.base
            && WRITES.contains(&call.method.to_string().as_str())
        {
            self.source.writes.push(Place {
                file: self.file.clone(),
                lines: line(call.method.span().start())..=line(it.span().end()),
                call: call.method.to_string(),
            });
        }
        visit::visit_expr_await(self, it);
    }
}

fn line(at: proc_macro2::LineColumn) -> u32 {
    u32::try_from(at.line).expect("a file is not that long")
}
