//! Parameters of a request, each given once (RFC 6749 section 3.1).

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use super::error::Refusal;

/// The parameters of a query or of a form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`, which every text is.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(encoded);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// A parameter's value; none when it is missing or empty, which is the same (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that has to be there.
    pub(crate) fn require(&self, name: &str, missing: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::invalid_request(missing))
    }

    /// Whether a parameter is given more than once, empty or not.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        self.0.iter().filter(|(known, _)| known == name).count() > 1
    }

    /// Refuses a request with any parameter given twice, known to us or not.
    pub(crate) fn once(self) -> Result<Self, Refusal> {
        if self.0.iter().any(|(name, _)| self.repeats(name)) {
            return Err(Refusal::invalid_request("a parameter is given more than once"));
        }
        Ok(self)
    }

    /// Every parameter as it was given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The body of a request to one of the endpoints that clients post to. What stands in the query is not looked at: no
/// secret belongs there (RFC 6749 section 2.3.1).
impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_form(request.headers()) {
            return Err(Refusal::invalid_request("the body must be application/x-www-form-urlencoded"));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::invalid_request("the body is too large or ended early"))?;
        Self::parse(&body).once()
    }
}

/// Whether the body says that it is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once() {
        let parameters = Parameters::parse(b"a=1&b=&c=x%20y+z").once().unwrap();
        assert_eq!(parameters.get("a"), Some("1"));
        assert_eq!(parameters.get("b"), None, "empty is missing");
        assert_eq!(parameters.get("c"), Some("x y z"));
        for twice in ["a=1&a=1", "a=1&a=", "unknown=1&unknown=2", "a&a"] {
            assert!(Parameters::parse(twice.as_bytes()).once().is_err(), "{twice}");
        }
    }
}
