//! Reading a list page by page.

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::answers::Page;
use crate::context::{Context, read};
use crate::failure::Failure;

/// The most items the API gives in one page.
const PAGE_ITEMS_MAX: usize = 200;

/// How much of a list is wanted.
#[derive(Debug, Clone, Args)]
pub(crate) struct Extent {
    /// Show at most so many; above 200 several pages are read
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all there are, however many pages that takes
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Begin where an earlier answer ended (its `next_cursor`)
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Extent {
    /// The most items that are wanted.
    fn items_max(&self) -> usize {
        if self.all {
            usize::MAX
        } else {
            usize::try_from(self.limit).unwrap_or(usize::MAX)
        }
    }
}

/// Items as the server wrote them, and where the list goes on.
pub(crate) struct Listing {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

impl Listing {
    /// Each item as `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, Failure> {
        self.items.iter().map(|item| read(item)).collect()
    }

    /// Whether the list goes on.
    pub(crate) fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    /// The items as one document in the shape of a page.
    pub(crate) fn to_json(&self) -> String {
        let items: Vec<&str> = self.items.iter().map(|item| item.get()).collect();
        let next = serde_json::to_string(&self.next_cursor).expect("a text is JSON");
        format!("{{\"items\":[{}],\"next_cursor\":{next}}}", items.join(","))
    }
}

/// The list at `path`, as far as `extent` wants it.
pub(crate) async fn list(
    context: &Context,
    path: &str,
    filter: &[(String, String)],
    extent: &Extent,
) -> Result<Listing, Failure> {
    let mut listing = Listing {
        items: Vec::new(),
        next_cursor: extent.cursor.clone(),
    };
    // Ends with the list, or with a server that repeats a cursor.
    loop {
        let wanted = extent.items_max() - listing.items.len();
        let page = next_page(context, path, filter, &listing, wanted.min(PAGE_ITEMS_MAX)).await?;
        listing.items.extend(page.items);
        if page.next_cursor.is_some() && page.next_cursor == listing.next_cursor {
            return Err(Failure::Answer(format!("the list {path} does not come to an end")));
        }
        listing.next_cursor = page.next_cursor;
        if listing.next_cursor.is_none() || listing.items.len() >= extent.items_max() {
            return Ok(listing);
        }
    }
}

async fn next_page(
    context: &Context,
    path: &str,
    filter: &[(String, String)],
    listing: &Listing,
    limit: usize,
) -> Result<RawPage, Failure> {
    let mut query: Vec<(&str, String)> = filter
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    query.push(("limit", limit.to_string()));
    if let Some(cursor) = &listing.next_cursor {
        query.push(("cursor", cursor.clone()));
    }
    context.get(path, &query).await?.read()
}

type RawPage = Page<Box<RawValue>>;
