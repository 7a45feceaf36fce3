//! Pages for people: plain HTML, which a phone and a screen reader can use. Passkeys need a script, and nothing else does.

pub(crate) mod account;
pub(crate) mod authorize;
pub(crate) mod consent;
pub(crate) mod device;
mod form;
pub(crate) mod invitation;
pub(crate) mod logout;
pub(crate) mod passkey;
pub(crate) mod provider;
mod refusal;
pub(crate) mod reset;
pub(crate) mod second_factor;
pub(crate) mod set_up;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod sign_up;
pub(crate) mod verify;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::Identity;
use crate::browser::Visitor;
use crate::words;

pub(crate) use form::{Field, form};
pub(crate) use refusal::PageRefusal;

/// The style sheet of every page.
const STYLE: &str = include_str!("page/style.css");
/// What stands beside the title of every page.
const ICON: &str = include_str!("page/icon.svg");

/// A page for a visitor.
pub(crate) struct Page<'a> {
    title: &'a str,
    body: Markup,
    status: StatusCode,
    leads_to: LeadsTo,
    has_script: bool,
}

/// Where a form of the page may lead in the end. Browsers hold a redirect after a form to `form-action` too (CSP 3 section
/// 6.4.1).
enum LeadsTo {
    Ourselves,
    /// Where the client of an authorization request waits, as a source of a content security policy.
    Client(String),
    /// To whichever client: a sign-in may be followed by a consent that was given before.
    Anywhere,
}

impl<'a> Page<'a> {
    pub(crate) fn new(title: &'a str, body: Markup) -> Self {
        Self { title, body, status: StatusCode::OK, leads_to: LeadsTo::Ourselves, has_script: false }
    }

    /// A page that shows a form again, with what is wrong with it.
    pub(crate) fn wrong(title: &'a str, body: Markup) -> Self {
        Self::new(title, body).status(StatusCode::UNPROCESSABLE_ENTITY)
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Its form may end at a client.
    pub(crate) fn leading_to(mut self, source: Option<String>) -> Self {
        self.leads_to = source.map_or(LeadsTo::Ourselves, LeadsTo::Client);
        self
    }

    /// Its form may end at a client that is not known yet.
    pub(crate) fn leading_anywhere(mut self) -> Self {
        self.leads_to = LeadsTo::Anywhere;
        self
    }

    /// It has the script of passkeys.
    pub(crate) fn with_script(mut self) -> Self {
        self.has_script = true;
        self
    }

    /// The answer to somebody who has just signed out.
    pub(crate) fn show_to_nobody(self, identity: &Identity, visitor: &Visitor) -> Response {
        let html = layout(self.title, None, &visitor.csrf, &self.body);
        visitor.remembered(identity, whole(self.status, &html, &policy(&self.leads_to, self.has_script)))
    }

    /// The answer.
    pub(crate) fn show(self, identity: &Identity, visitor: &Visitor) -> Response {
        let name = visitor.account().map(|account| account.name.as_str());
        let html = layout(self.title, name, &visitor.csrf, &self.body);
        visitor.remembered(identity, whole(self.status, &html, &policy(&self.leads_to, self.has_script)))
    }
}

/// `GET /identity/icon.svg`.
pub(crate) async fn icon() -> Response {
    let headers = [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "public, max-age=86400")];
    (headers, ICON).into_response()
}

/// `GET /identity/style.css`.
pub(crate) async fn style() -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE).into_response()
}

fn layout(title: &str, name: Option<&str>, csrf: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · " (words::PRODUCT) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                link rel="stylesheet" href="/identity/style.css";
                link rel="icon" type="image/svg+xml" href="/identity/icon.svg";
            }
            body {
                header {
                    a href="/account" { (words::PRODUCT) }
                    @if let Some(name) = name {
                        span { (if name.is_empty() { words::SIGNED_IN } else { name }) }
                        (form(csrf, "/sign-out", &html! { button.link type="submit" { (words::SIGN_OUT) } }))
                    }
                }
                main {
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

fn whole(status: StatusCode, html: &Markup, policy: &str) -> Response {
    let mut response = (status, html.0.clone()).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // A link by mail has its secret in its address.
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page loads its style sheet and pictures of clients, and is never part of another page (RFC 9700 section 4.16).
fn policy(leads_to: &LeadsTo, has_script: bool) -> String {
    let form_action = match leads_to {
        LeadsTo::Ourselves => "; form-action 'self'".to_owned(),
        LeadsTo::Client(source) => format!("; form-action 'self' {source}"),
        LeadsTo::Anywhere => String::new(),
    };
    let script = if has_script { "; script-src 'self'; connect-src 'self'" } else { "" };
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' https:; base-uri 'none'; frame-ancestors 'none'{form_action}{script}"
    )
}
