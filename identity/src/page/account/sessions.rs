//! The browsers that a person is signed in with.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use protocol::BrowserSessionId;
use serde_json::json;

use super::super::{Page, PageRefusal, form};
use super::{about, when};
use crate::Identity;
use crate::audit::What;
use crate::browser::{Person, Posted, redirect};
use crate::words;

/// `GET /account/sessions`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    let sessions = identity.store.browser_sessions(person.account.id, identity.clock.now()).await?;
    let csrf = &person.visitor.csrf;
    let others = html! { button type="submit" { (words::END_OTHERS) } };
    let body = html! {
        ul.rows {
            @for session in &sessions {
                li {
                    p { strong { (if session.agent.is_empty() { words::NO_AGENT } else { &session.agent }) } }
                    p.quiet { (words::session_seen(&when(session.seen_at), &session.address)) }
                    @if session.id == person.session.id {
                        p { (words::THIS_BROWSER) }
                    } @else {
                        (form(csrf, "/account/sessions/end", &html! {
                            input type="hidden" name="session" value=(session.id);
                            button.second type="submit" { (words::END_SESSION) }
                        }))
                    }
                }
            }
        }
        (form(csrf, "/account/sessions/end-others", &others))
    };
    Ok(Page::new(words::SESSIONS, body).show(&identity, &person.visitor))
}

/// `POST /account/sessions/end`.
pub(crate) async fn end(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let id = form.get("session").and_then(|id| id.parse::<BrowserSessionId>().ok());
    let id = id.ok_or(PageRefusal::NotFound)?;
    identity.store.revoke_browser_session(person.account.id, id, identity.clock.now()).await?;
    identity.tell_signed_out(person.account.id, Some(id));
    identity.record(What::SessionsEnded, about(&person), json!({"count": 1})).await;
    Ok(redirect("/account/sessions"))
}

/// `POST /account/sessions/end-others`.
pub(crate) async fn end_others(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, _) = posted.by_person()?;
    let count = person.end_other_sessions(&identity).await?;
    identity.record(What::SessionsEnded, about(&person), json!({"count": count})).await;
    Ok(redirect("/account/sessions"))
}
