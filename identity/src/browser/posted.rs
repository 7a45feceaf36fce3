//! Forms, which only our own pages can have made.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;

use super::{Person, Visitor};
use crate::Identity;
use crate::next::Next;
use crate::oauth::parameter::{Parameters, is_form};
use crate::page::PageRefusal;

/// A form that one of our pages made for this browser and this sign-in. It is the only way to what was posted, so no handler
/// can forget to check.
pub(crate) struct Posted {
    pub(crate) visitor: Visitor,
    pub(crate) form: Parameters,
}

impl FromRequest<Arc<Identity>> for Posted {
    type Rejection = PageRefusal;

    async fn from_request(request: Request, identity: &Arc<Identity>) -> Result<Self, PageRefusal> {
        let (parts, body) = request.into_parts();
        let visitor = Visitor::read(&parts, identity).await?;
        if is_from_elsewhere(&parts.headers) || !is_form(&parts.headers) {
            return Err(PageRefusal::Forged);
        }
        let body = Bytes::from_request(Request::from_parts(parts, body), identity).await;
        let form = Parameters::parse(&body.map_err(|_| PageRefusal::Unreadable)?).once();
        let form = form.map_err(|_| PageRefusal::Unreadable)?;
        let carried = form.get("csrf").unwrap_or_default();
        verify_slices_are_equal(carried.as_bytes(), visitor.csrf.as_bytes())
            .map_err(|_| PageRefusal::Forged)?;
        Ok(Self { visitor, form })
    }
}

impl Posted {
    /// The person who posted it.
    pub(crate) fn by_person(self) -> Result<(Person, Parameters), PageRefusal> {
        let person = Person::of(self.visitor).ok_or_else(|| PageRefusal::SignIn(Next::default()))?;
        Ok((person, self.form))
    }
}

/// What browsers say by themselves about where a request comes from (Fetch Metadata). Old ones say nothing.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}
