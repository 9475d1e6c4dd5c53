//! Query parameters: every mistake is told, unknown ones included.

use std::ops::RangeInclusive;

use axum::{
    extract::{FromRequestParts, RawQuery},
    http::request::Parts,
};
use queue::{Page, store::Position};
use utoipa::IntoParams;

use super::cursor;
use crate::{
    problem::{Mistake, Problem},
    state::App,
    views::PageView,
};

/// How many entries a page has unless it is said otherwise.
pub const LIMIT_DEFAULT: usize = 50;

/// How many entries a page has at most.
pub const LIMIT_MAX: usize = 200;

/// How many parameters are looked at.
const PARAMS_MAX: usize = 100;

/// The parameters of a query on their way to becoming values.
#[derive(Clone, Debug)]
pub struct Query {
    params: Vec<(String, String)>,
    mistakes: Vec<Mistake>,
}

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let RawQuery(raw) = RawQuery::from_request_parts(parts, app).await.unwrap_or(RawQuery(None));
        Ok(Self::read(raw.as_deref().unwrap_or_default()))
    }
}

impl Query {
    pub(super) fn read(raw: &str) -> Self {
        let mut params: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes())
            .take(PARAMS_MAX + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let mut mistakes = Vec::new();
        if params.len() > PARAMS_MAX {
            mistakes.push(Mistake::new("query", format!("has more than {PARAMS_MAX} parameters")));
        }
        params.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = params.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        mistakes.extend(twice.map(|pair| Mistake::new(pointer(&pair[0].0), "is given more than once")));
        params.dedup_by(|one, other| one.0 == other.0);
        Self { params, mistakes }
    }

    /// What is given as `name`, read by `reader`, which says what is wrong with it.
    pub fn optional<T>(&mut self, name: &str, reader: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let place = self.params.iter().position(|(param, _)| param == name)?;
        let (name, value) = self.params.remove(place);
        reader(&value)
            .map_err(|message| self.mistakes.push(Mistake::new(pointer(&name), message)))
            .ok()
    }

    /// The integer that is given as `name`, if it is within `range`.
    pub fn integer<T>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        self.optional(name, |text| {
            let value = text.parse().ok().filter(|value| range.contains(value));
            value.ok_or_else(|| format!("must be an integer from {} to {}", range.start(), range.end()))
        })
    }

    /// Every parameter whose name begins with `prefix`, with the rest of that name.
    pub fn prefixed<T>(&mut self, prefix: &str, reader: impl Fn(&str, &str) -> Result<T, String>) -> Vec<T> {
        let (met, rest) = std::mem::take(&mut self.params)
            .into_iter()
            .partition(|(name, _)| name.starts_with(prefix));
        self.params = rest;
        let mut read = Vec::new();
        for (name, value) in met {
            match reader(&name[prefix.len()..], &value) {
                Ok(value) => read.push(value),
                Err(message) => self.mistakes.push(Mistake::new(pointer(&name), message)),
            }
        }
        read
    }

    /// The page that is asked for of the list of that name.
    pub fn page(&mut self, list: &'static str) -> PageQuery {
        let limit = self.integer("limit", 1..=LIMIT_MAX).unwrap_or(LIMIT_DEFAULT);
        let after = self.optional("cursor", |text| {
            cursor::read(list, text).ok_or_else(|| "must be the next_cursor of a page of this list".to_owned())
        });
        PageQuery { list, limit, after }
    }

    /// Refuses unless every parameter was asked for and right.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown = self
            .params
            .iter()
            .map(|(name, _)| Mistake::new(pointer(name), "is not known here"));
        self.mistakes.extend(unknown);
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.mistakes))
        }
    }
}

fn pointer(name: &str) -> String {
    format!("query/{name}")
}

/// The parameters of a list, for the `OpenAPI` document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many entries the page may have.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    list: &'static str,
    /// How many entries, 1 to [`LIMIT_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Position>,
}

impl PageQuery {
    /// `page` as it is answered.
    pub fn answer<T, V>(&self, page: Page<T>, view: impl Fn(T) -> V) -> PageView<V> {
        PageView {
            items: page.items.into_iter().map(view).collect(),
            next_cursor: page.next.map(|position| cursor::written(self.list, &position)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(raw: &str) -> Vec<String> {
        let mut query = Query::read(raw);
        query.page("jobs");
        query.prefixed("label.", |name, _| {
            if name.is_empty() {
                Err("is empty".to_owned())
            } else {
                Ok(())
            }
        });
        let Err(problem) = query.finish() else {
            return Vec::new();
        };
        let document = problem.document("r");
        let errors = document["errors"].as_array().expect("errors");
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn what_is_known_and_right_is_taken() {
        assert_eq!(mistakes("limit=200&label.team=a%20b&label.x="), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_parameter_is_told() {
        for limit in ["0", "201", "-1", "x", "", "1.5"] {
            assert_eq!(mistakes(&format!("limit={limit}")), ["query/limit"], "{limit}");
        }
        assert_eq!(
            mistakes("limit=0&cursor=x&label.=1&nope=1"),
            ["query/limit", "query/cursor", "query/label.", "query/nope"]
        );
        assert_eq!(mistakes("limit=1&limit=2"), ["query/limit"]);
    }
}
