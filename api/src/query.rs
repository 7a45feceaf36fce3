//! Query strings: every parameter is known, given once and right, or the answer says which is not.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;

use crate::problem::{Mistake, Problem};

/// The parameters of a request. A handler takes those it knows and then calls [`Query::finish`].
pub(crate) struct Query {
    given: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query, Problem> {
        let pairs = Pairs::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let unreadable = |_| Problem::invalid_query(vec![Mistake::parameter("", "the query cannot be read")]);
        let mut query = Query { given: BTreeMap::new(), mistakes: Vec::new() };
        for (name, value) in pairs.map_err(unreadable)?.0 {
            if query.given.insert(name.clone(), value).is_some() {
                query.mistakes.push(Mistake::parameter(name, "is given twice"));
            }
        }
        Ok(query)
    }
}

impl Query {
    /// A parameter that may be left out.
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.given.remove(name)?;
        parse(&text).map_err(|detail| self.mistakes.push(Mistake::parameter(name, detail))).ok()
    }

    /// A parameter that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.given.contains_key(name) {
            self.mistakes.push(Mistake::parameter(name, "is required"));
        }
        self.optional(name, parse)
    }

    /// Refuses the request when a parameter was wrong or nobody took it.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let unknown = self.given.into_keys().map(|name| Mistake::parameter(name, "is not a parameter here"));
        self.mistakes.extend(unknown);
        if self.mistakes.is_empty() { Ok(()) } else { Err(Problem::invalid_query(self.mistakes)) }
    }
}

/// For a parameter whose type parses itself; its error says what would be right.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
