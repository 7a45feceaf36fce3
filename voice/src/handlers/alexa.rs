//! `POST /voice/alexa`: directives, as the Lambda function of the skill hands them on.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use identity::{Bearer, BearerError};
use protocol::{AccountId, CommandReason, GrantId, Order, OrganizationId};
use serde_json::Value;
use store::{Assistant, Author, LinkState, Party, Scope, StoreError};
use tokio::time::{Instant, timeout_at};

use super::bearer::is_over;
use crate::Voice;
use crate::alexa::{self, Directive, ErrorType, Failure, Intent, Stamp};
use crate::endpoint::Endpoint;
use crate::giving::Given;
use crate::linking::sees_venues;
use crate::metrics::Told;
use crate::outcome::Outcome;
use crate::reporter::Wish;
use crate::secret::Secret;
use crate::telling::Untold;

/// Every directive is answered with a message, whose status is 200: the Lambda function hands it back as it is.
pub(super) async fn answer(State(voice): State<Arc<Voice>>, body: Bytes) -> Response {
    let stamp = match voice.stamp() {
        Ok(stamp) => stamp,
        Err(error) => {
            tracing::error!(%error, "a directive could not be answered");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let read = Directive::read(&body);
    let word = read.as_ref().map_or("other", Directive::word);
    let answer = match read {
        Ok(directive) => {
            let until = Instant::now() + voice.pace.alexa_patience;
            let answer = voice.answered(&stamp, &directive, until);
            let answered = timeout_at(until + voice.pace.spare, answer).await.unwrap_or_else(|_| {
                tracing::warn!("Alexa is not answered in time");
                Err(Failure::new(ErrorType::InternalError, "the request takes too long"))
            });
            // Each kind of directive has its own word for a failure ("Alexa.Authorization Interface": an `AcceptGrant` that did not
            // work is `ACCEPT_GRANT_FAILED`).
            answered.unwrap_or_else(|failure| match directive.intent() {
                Intent::AcceptGrant { .. } => alexa::grant_refused(&stamp, &failure.message),
                _ => alexa::error(&stamp, Some(&directive), &failure),
            })
        }
        Err(unreadable) => alexa::unreadable(&stamp, &unreadable),
    };
    voice.metrics.requested(Assistant::Alexa, word);
    if let Some(cause) = alexa::refusal(&answer) {
        voice.metrics.refused(Assistant::Alexa, cause);
    }
    Json(answer).into_response()
}

impl Voice {
    async fn answered(
        self: &Arc<Self>,
        stamp: &Stamp,
        directive: &Directive,
        until: Instant,
    ) -> Result<Value, Failure> {
        let (bearer, account) = self.person(directive).await?;
        self.done(stamp, directive, (&bearer, account), until).await
    }

    /// The person whose token the directive has.
    async fn person(&self, directive: &Directive) -> Result<(Bearer, AccountId), Failure> {
        let invalid = |message: &str| Failure::new(ErrorType::InvalidAuthorizationCredential, message);
        let token = directive.token.as_ref().ok_or_else(|| invalid("there is no access token"))?;
        let bearer = match self.bearer(token).await {
            Ok(bearer) => bearer,
            Err(BearerError::Invalid) if is_over(token, self.now()) => {
                return Err(Failure::new(
                    ErrorType::ExpiredAuthorizationCredential,
                    "the access token is over",
                ));
            }
            Err(BearerError::Invalid) => return Err(invalid("the access token is not valid")),
            Err(BearerError::Store(error)) => return Err(ours(&error)),
        };
        // Another application that the person allowed something is not Alexa, whatever it may do elsewhere.
        if bearer.party != Some(Party::Amazon) {
            return Err(invalid("the access token is not of Alexa's client"));
        }
        let needed = match directive.intent() {
            Intent::Control => Scope::CommandsWrite,
            Intent::Discover | Intent::AcceptGrant { .. } | Intent::ReportState => Scope::DevicesRead,
        };
        if !bearer.scopes.allows(&needed) {
            let message = "the access token does not reach so far";
            return Err(Failure::new(ErrorType::InsufficientPermissions, message));
        }
        let account = bearer.account.ok_or_else(|| invalid("the access token is no person's"))?;
        Ok((bearer, account))
    }

    async fn done(
        self: &Arc<Self>,
        stamp: &Stamp,
        directive: &Directive,
        (bearer, account): (&Bearer, AccountId),
        until: Instant,
    ) -> Result<Value, Failure> {
        let organization = bearer.organization;
        let venues = sees_venues(bearer);
        let asked = || async {
            let asked = directive.endpoint.as_deref().into_iter();
            self.sight_of(organization, asked, venues).await.map_err(|error| ours(&error))
        };
        match directive.intent() {
            Intent::Discover => {
                self.link(bearer, account, Assistant::Alexa).await.map_err(|error| ours(&error))?;
                self.wish(Wish::Look);
                let endpoints = self.sight(organization, venues).await.map_err(|error| ours(&error))?;
                let reports = self.may_tell_alexa(organization, account).await;
                let reports = reports.map_err(|error| ours(&error))?;
                Ok(alexa::discovered(stamp, directive, &endpoints, reports))
            }
            Intent::AcceptGrant { code } => {
                self.accepted(bearer, account, code.as_ref(), until).await?;
                Ok(alexa::grant_accepted(stamp))
            }
            Intent::ReportState => Ok(alexa::state_report(stamp, directive, &asked().await?)),
            Intent::Control => {
                let endpoints = asked().await?;
                let (endpoint, order) = alexa::control(directive, &endpoints)?;
                self.controlled(stamp, directive, (bearer, account), (endpoint, order), until).await
            }
        }
    }

    /// Exchanges the code with which Alexa allows to be told of changes.
    async fn accepted(
        &self,
        bearer: &Bearer,
        account: AccountId,
        code: Option<&Secret>,
        until: Instant,
    ) -> Result<(), Failure> {
        let refused = |message: &str| Failure::new(ErrorType::InternalError, message);
        let code = code.ok_or_else(|| refused("there is no code"))?;
        let gateway = self.event_gateway.as_ref();
        let gateway = gateway.ok_or_else(|| refused("this server tells Alexa nothing"))?;
        self.link(bearer, account, Assistant::Alexa).await.map_err(|error| ours(&error))?;
        let accepted = timeout_at(until, gateway.accept(bearer.organization, account, code)).await;
        if let Err(untold) = accepted.unwrap_or(Err(Untold::Later(None))) {
            tracing::warn!(?untold, "a grant of Alexa could not be accepted; it is told of no changes");
            // What it gave before was for the link before: kept, the person would see a link that reports, and would be unlinked
            // by the first report.
            let forgotten =
                self.store.forget_assistant_tokens(bearer.organization, account, Assistant::Alexa).await;
            forgotten.map_err(|error| ours(&error))?;
            return Err(refused("Login with Amazon did not take the code"));
        }
        self.wish(Wish::Allowed(bearer.organization, account, Assistant::Alexa));
        Ok(())
    }

    async fn controlled(
        self: &Arc<Self>,
        stamp: &Stamp,
        directive: &Directive,
        (bearer, account): (&Bearer, AccountId),
        (endpoint, order): (&Endpoint, Order),
        until: Instant,
    ) -> Result<Value, Failure> {
        let (organization, author) = (bearer.organization, Author::Account(account));
        let given = self.give(organization, author, endpoint, vec![order]);
        let Ok(given) = timeout_at(until, given).await else {
            return Err(Failure::new(ErrorType::InternalError, "the order could not be given in time"));
        };
        let mut given = match given {
            Ok(given) => given,
            Err(outcome) => return Ok(alexa::answer(stamp, directive, endpoint, &outcome)),
        };
        let outcome = self.settled(&mut given, until).await;
        if outcome == Outcome::Pending && !alexa::is_answered_at_its_start(directive) {
            let can_be_told = self.may_tell_alexa(organization, account).await;
            if !can_be_told.map_err(|error| ours(&error))? {
                let message = "the device did not answer in time";
                return Err(Failure::new(ErrorType::EndpointUnreachable, message));
            }
            let voice = Arc::clone(self);
            let (directive, endpoint, grant) = (directive.clone(), endpoint.clone(), bearer.grant);
            self.behind.spawn(async move {
                voice.answer_later((organization, account, grant), &directive, &endpoint, &mut given).await;
            });
        }
        Ok(alexa::answer(stamp, directive, endpoint, &outcome))
    }

    /// The answer that was deferred, with the same correlation token.
    async fn answer_later(
        &self,
        (organization, account, grant): (OrganizationId, AccountId, GrantId),
        directive: &Directive,
        endpoint: &Endpoint,
        given: &mut Given,
    ) {
        let outcome = match self.settled_at_last(given).await {
            Outcome::Pending => Outcome::Failed(CommandReason::Unanswered),
            outcome => outcome,
        };
        let (Some(gateway), Ok(stamp)) = (&self.event_gateway, self.stamp()) else { return };
        let write = |token: &Secret| {
            let mut message = alexa::answer(&stamp, directive, endpoint, &outcome);
            alexa::add_scope(&mut message, token);
            message
        };
        let told = gateway.tell(organization, account, write).await;
        self.metrics.reported(Assistant::Alexa, if told.is_ok() { Told::Sent } else { Told::Failed });
        match told {
            Ok(()) => {}
            Err(Untold::Gone) => {
                let link = (organization, account, Assistant::Alexa);
                if let Err(error) = self.end_link(link, grant, LinkState::Unlinked).await {
                    tracing::error!(%error, "that a link has ended could not be written");
                }
                self.wish(Wish::Look);
            }
            Err(untold) => tracing::warn!(?untold, "Alexa could not be answered later"),
        }
    }
}

/// 500, so to speak: the cause is logged and kept from Alexa.
fn ours(error: &StoreError) -> Failure {
    tracing::error!(%error, "a directive of Alexa failed for a reason of ours");
    Failure::new(ErrorType::InternalError, "the request failed")
}
