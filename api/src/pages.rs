//! Pages for people: plain HTML of this program's own text, without scripts and without anything from elsewhere.

mod reference;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

pub(crate) use reference::reference;

/// The style sheet of every page.
const STYLE: &str = include_str!("pages/style.css");
/// A page may load the style sheet and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the address of the server itself shows.
const LANDING: &str = "\
<p>This is a <strong>Promenade</strong> server: beacons, gateways, kiosks and phones report here what they hear, and it
counts visits.</p>
<h2>Use it</h2>
<p>Every request under <code>/api/v1</code> needs an API key. Make one on the machine that runs this server, with the
same <code>--data</code>:</p>
<pre>promenade token --name me --scope '*'</pre>
<p>and then ask, for example:</p>
<pre>curl -H 'Authorization: Bearer pk_…' http://…/api/v1/venues</pre>
<h2>Read</h2>
<ul>
<li><a href=\"/api/docs\">What the HTTP interface can do</a></li>
<li><a href=\"/api/openapi.json\">The same for programs (OpenAPI 3.1)</a></li>
<li><a href=\"/readyz\">Whether the server is ready</a></li>
</ul>";

/// `GET /`.
pub(crate) async fn landing() -> Response {
    page("Promenade", LANDING)
}

/// `GET /api/style.css`.
pub(crate) async fn style() -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE).into_response()
}

/// A page with a title and a body that is already HTML.
pub(crate) fn page(title: &str, body: &str) -> Response {
    whole(document(title, body))
}

/// A page that is made already.
pub(crate) fn whole(html: String) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, html).into_response()
}

fn document(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/api/style.css\"></head>\n<body><main>\n<h1>{title}</h1>\n{body}\n</main></body></html>\n"
    )
}

/// Text as it may stand in HTML, in attributes too.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// A paragraph of documentation: escaped, with what stands between backticks as code.
pub(crate) fn prose(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escaped(part);
        if index % 2 == 1 {
            html.push_str("<code>");
            html.push_str(&part);
            html.push_str("</code>");
        } else {
            html.push_str(&part);
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_from_text() {
        assert_eq!(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert_eq!(prose("a `b<c>` d"), "a <code>b&lt;c&gt;</code> d");
    }
}
