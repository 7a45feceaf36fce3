//! `GET /api/problems/{slug}`: what a problem's `type` leads to, taken from the documentation's own text.

use axum::response::Response;

use super::{Document, Kind, Problem};
use crate::pages;
use crate::path::Ids;

/// The documentation of every kind: a heading per slug.
const TEXT: &str = include_str!("../../../docs/problems.md");

/// The page of one kind.
#[utoipa::path(
    get,
    path = "/api/problems/{slug}",
    tag = "documentation",
    summary = "What a problem's type means",
    params(("slug" = String, Path, description = "The last part of a problem's `type`")),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 404, description = "No such kind", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn page(Ids(slug): Ids<String>) -> Result<Response, Problem> {
    let kind = Kind::with_slug(&slug)
        .ok_or_else(|| Problem::new(Kind::NotFound, "there is no such kind of problem"))?;
    let mut body = format!(
        "<p class=\"quiet\">{} <code>{}</code></p>",
        kind.status().as_u16(),
        pages::escaped(&kind.uri())
    );
    for paragraph in section(kind).unwrap_or_default().split("\n\n") {
        body.push_str("<p>");
        body.push_str(&pages::prose(paragraph));
        body.push_str("</p>");
    }
    Ok(pages::page(kind.title(), &body))
}

/// The text under the heading of a kind.
fn section(kind: Kind) -> Option<&'static str> {
    let heading = format!("\n## {}\n", kind.slug());
    let (_, after) = TEXT.split_once(&heading)?;
    Some(after.split_once("\n## ").map_or(after, |(text, _)| text).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_documented_with_its_status() {
        for kind in Kind::ALL {
            let text = section(*kind).unwrap_or_else(|| panic!("docs/problems.md lacks `{}`", kind.slug()));
            let status = format!("{}. ", kind.status().as_u16());
            assert!(text.starts_with(&status), "`{}` must start with its status {status}", kind.slug());
        }
    }

    #[test]
    fn every_documented_kind_exists() {
        let headings: Vec<&str> = TEXT.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        let mut sorted = (headings.clone(), kinds.clone());
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        assert_eq!(sorted.0, sorted.1);
    }
}
