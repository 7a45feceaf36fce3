//! Another password.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde_json::json;

use super::super::form::{mistake, new_password};
use super::super::{Page, PageRefusal, form};
use super::{about, confirmation, is_confirmed, unconfirmed};
use crate::audit::What;
use crate::browser::{Person, Posted};
use crate::next::Next;
use crate::{Identity, password, words};

/// `GET /account/password`.
pub(crate) async fn get(State(identity): State<Arc<Identity>>, person: Person) -> Response {
    page(&person, None).show(&identity, &person.visitor)
}

/// `POST /account/password`: other browsers are signed out, and this one gets a new session.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let wrong = |text| Ok(page(&person, Some(text)).show(&identity, &person.visitor));
    let [current, chosen] = ["password", "new_password"].map(|field| form.get(field).unwrap_or_default());
    if let Err(mistake) = password::check(chosen, &person.account.email) {
        return wrong(words::password_mistake(mistake));
    }
    if !is_confirmed(&identity, &person, current).await? {
        return wrong(unconfirmed(&person));
    }
    let hash = identity.passwords.hash(chosen.to_owned()).await?;
    let account = person.account.id;
    identity.store.set_password(account, Some(&hash)).await?;
    person.end_other_sessions(&identity).await?;
    identity.record(What::PasswordChanged, about(&person), json!({})).await;
    person.visitor.sign_in(&identity, account, &person.session.methods, &Next::default()).await
}

fn page<'a>(person: &Person, wrong: Option<&str>) -> Page<'a> {
    let inner = html! {
        (confirmation(person, "password", "password"))
        (new_password().show())
        button type="submit" { (words::SET_PASSWORD) }
    };
    let body = html! { (mistake(wrong)) (form(&person.visitor.csrf, "/account/password", &inner)) };
    if wrong.is_some() { Page::wrong(words::PASSWORD, body) } else { Page::new(words::PASSWORD, body) }
}
