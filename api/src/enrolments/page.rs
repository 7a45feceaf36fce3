//! `GET /enrol`: where a device's QR code leads. It says what to do with the code, and does nothing by itself: whoever follows a
//! link has not compared anything yet (RFC 8628 section 5.4).

use axum::extract::RawQuery;
use axum::response::Response;

use crate::pages::{self, escaped};

/// The longest code as a person types it.
const LONGEST: usize = 32;

/// Shows the code of the address, if there is one.
pub(crate) async fn page(RawQuery(query): RawQuery) -> Response {
    let code = query.as_deref().and_then(code);
    let shown = match code {
        Some(code) => format!(
            "<p>A device asks to come in, with the code <strong>{}</strong>. Go on only if the device before you shows the \
             same.</p>",
            escaped(code)
        ),
        None => "<p>A device that shows a code of eight letters asks to come in.</p>".to_owned(),
    };
    let code = escaped(code.unwrap_or("BCDF-GHJK"));
    let body = format!(
        "{shown}<p>Whoever may <code>devices:write</code> looks at it, and lets it in:</p>\
         <pre>curl -H 'Authorization: Bearer pk_…' http://…/api/v1/enrolments/{code}\n\
         curl -H 'Authorization: Bearer pk_…' -H 'Content-Type: application/json' \\\n  \
         -d '{{\"name\": \"Door\"}}' http://…/api/v1/enrolments/{code}/approve</pre>\
         <p>or refuses it with <code>…/deny</code>. The device fetches what it signs in with by itself.</p>"
    );
    pages::page("A device asks to come in", &body)
}

/// The code in a query: letters and hyphens, which need no decoding.
fn code(query: &str) -> Option<&str> {
    let code = query.split('&').find_map(|pair| pair.strip_prefix("user_code="))?;
    let fits = (1..=LONGEST).contains(&code.len())
        && code.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphabetic());
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_letters() {
        assert_eq!(code("user_code=BCDF-GHJK"), Some("BCDF-GHJK"));
        assert_eq!(code("a=b&user_code=bcdfghjk&c"), Some("bcdfghjk"));
        for wrong in ["", "user_code=", "user_code=%3Cb%3E", "user_code=<b>", "user_code='x'", "xuser_code=B"]
        {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }
}
