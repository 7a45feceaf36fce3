//! Another e-mail address, which counts once mail to it arrived.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::{Field, Page, PageRefusal};
use super::{confirmation, is_confirmed, unconfirmed};
use crate::Identity;
use crate::browser::{Person, Posted};
use crate::words;

/// `POST /account/email`. Whether somebody has the address already is not told: the link says so to whoever reads its mail.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    if !is_confirmed(&identity, &person, form.get("password").unwrap_or_default()).await? {
        return Err(PageRefusal::Invalid(unconfirmed(&person).to_owned()));
    }
    let email = form.get("new_email").ok_or(PageRefusal::Invalid(words::NO_ADDRESS.to_owned()))?;
    identity.send_change(&person.account, email).await?;
    let body = html! { p { (words::CHANGE_SENT) } };
    Ok(Page::new(words::CHECK_MAIL, body).show(&identity, &person.visitor))
}

pub(super) fn form(person: &Person) -> Markup {
    let email = Field {
        name: "new_email",
        label: words::NEW_EMAIL,
        kind: "email",
        autocomplete: "email",
        value: "",
        hint: None,
    };
    let inner = html! {
        (email.show())
        (confirmation(person, "password", "password"))
        button type="submit" { (words::SEND_LINK) }
    };
    super::super::form(&person.visitor.csrf, "/account/email", &inner)
}
