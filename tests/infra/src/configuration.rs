//! What the HCL says, read without Terraform.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use hcl::{Block, Body, Expression};

use crate::place::infra;

/// Which function serves what: by path and method.
pub type Routes = BTreeMap<(String, String), String>;

/// The table as `infra/modules/table` makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The names of its partition key and its sort key.
    pub keys: (String, String),
    /// Its indexes by name.
    pub indexes: BTreeMap<String, Index>,
    /// The attribute by which finished records go.
    pub time_to_live: String,
}

/// The names of an index's partition key and sort key.
pub type Index = (String, String);

/// The routes that `infra/routes.tf` lists, but for those that it derives.
pub fn routes() -> anyhow::Result<Routes> {
    let by_function = local(&infra().join("routes.tf"), "routes_by_function")?;
    let mut routes = Routes::new();
    for (function, keys) in object(&by_function)? {
        for key in array(keys)? {
            let key = text(key)?;
            let (method, path) = key.split_once(' ').context("a route key is a method and a path")?;
            let before = routes.insert((path.to_owned(), method.to_owned()), function.clone());
            ensure!(before.is_none(), "{key} is listed twice");
        }
    }
    Ok(routes)
}

/// The table that `infra/modules/table` makes.
pub fn table() -> anyhow::Result<Table> {
    let file = infra().join("modules/table/main.tf");
    let name = |of: &str| text(&local(&file, of)?).map(str::to_owned);
    let indexes = local(&file, "indexes")?;
    let mut read = BTreeMap::new();
    for (index, keys) in object(&indexes)? {
        let keys = object(keys)?;
        let key = |of: &str| text(keys.get(of).context("an index has two keys")?).map(str::to_owned);
        read.insert(index, (key("partition")?, key("sort")?));
    }
    Ok(Table {
        keys: (name("partition_key")?, name("sort_key")?),
        indexes: read,
        time_to_live: name("time_to_live")?,
    })
}

/// What a local value in a file is set to.
fn local(file: &Path, name: &str) -> anyhow::Result<Expression> {
    let source = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let body: Body = hcl::parse(&source).with_context(|| format!("cannot read {}", file.display()))?;
    let blocks = body.into_blocks().filter(|block| block.identifier() == "locals");
    let mut attributes = blocks.flat_map(|block: Block| block.body.into_attributes());
    let found = attributes.find(|attribute| attribute.key() == name);
    let found = found.with_context(|| format!("{} has no local value {name}", file.display()))?;
    Ok(found.expr)
}

fn object(expression: &Expression) -> anyhow::Result<BTreeMap<String, &Expression>> {
    let Expression::Object(object) = expression else {
        anyhow::bail!("this is no object: {expression}")
    };
    // A key is a bare word or a text.
    let key = |key: &hcl::ObjectKey| key.to_string().trim_matches('"').to_owned();
    Ok(object.iter().map(|(name, value)| (key(name), value)).collect())
}

fn array(expression: &Expression) -> anyhow::Result<&[Expression]> {
    match expression {
        Expression::Array(values) => Ok(values),
        other => anyhow::bail!("this is no list: {other}"),
    }
}

fn text(expression: &Expression) -> anyhow::Result<&str> {
    match expression {
        Expression::String(text) => Ok(text),
        other => anyhow::bail!("this is no text: {other}"),
    }
}
