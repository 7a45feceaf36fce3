//! `POST /voice/google`: fulfilment of Google's Smart Home.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use identity::{Bearer, BearerError};
use protocol::{AccountId, Order, OrganizationId};
use serde_json::Value;
use store::{Assistant, AssistantLink, Author, LinkState, Party, Scope, StoreError};
use tokio::time::{Instant, timeout_at};

use super::bearer::shown;
use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};
use crate::google::{self, Answer, Challenge, Command, ErrorCode, Intent, Refusal, Request, Step};
use crate::linking::sees_venues;
use crate::outcome::Outcome;
use crate::pin::Said;
use crate::reporter::Wish;
use crate::secret::Secret;

const CHALLENGE: &str = "Bearer realm=\"promenade\", error=\"invalid_token\"";

/// Counts what is no request that is known.
const OTHER: &str = "other";

pub(super) async fn fulfil(State(voice): State<Arc<Voice>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(token) = shown(&headers) else { return unauthenticated(&voice) };
    // Another application that the person allowed something is not Google, whatever it may do elsewhere: to fulfilment its token
    // is none.
    let checked = match voice.bearer(&token).await {
        Ok(bearer) if bearer.party == Some(Party::Google) => Ok(bearer),
        Ok(_) | Err(BearerError::Invalid) => return unauthenticated(&voice),
        Err(BearerError::Store(error)) => Err(error),
    };
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        let answer = voice.counted(OTHER, google::refused("", ErrorCode::ProtocolError));
        return (StatusCode::BAD_REQUEST, Json(answer)).into_response();
    };
    let request = match Request::read(&body) {
        Ok(request) => request,
        Err(unreadable) => {
            let answer = google::refused(&unreadable.id, unreadable.error);
            return Json(voice.counted(OTHER, answer)).into_response();
        }
    };
    let answer = match checked {
        Ok(bearer) => {
            let until = Instant::now() + voice.pace.google_patience;
            let answer = voice.fulfilled(&bearer, &request, until);
            timeout_at(until + voice.pace.spare, answer).await.unwrap_or(Err(Unfulfilled::Late))
        }
        Err(error) => Err(Unfulfilled::Store(error)),
    };
    let answer = answer.unwrap_or_else(|why| google::refused(&request.id, why.code()));
    Json(voice.counted(request.intent.as_str(), answer)).into_response()
}

/// Why a request as a whole is not carried out.
enum Unfulfilled {
    Refused(ErrorCode),
    Store(StoreError),
    Late,
}

impl Unfulfilled {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) => *code,
            Self::Late => {
                tracing::warn!("Google is not answered in time");
                ErrorCode::TransientError
            }
            Self::Store(error) => {
                tracing::error!(%error, "a request of Google failed for a reason of ours");
                ErrorCode::TransientError
            }
        }
    }
}

impl From<StoreError> for Unfulfilled {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Voice {
    /// Counts a request that was read, and what of it is refused.
    fn counted(&self, intent: &'static str, answer: Value) -> Value {
        self.metrics.requested(Assistant::Google, intent);
        for cause in google::refusals(&answer) {
            self.metrics.refused(Assistant::Google, cause);
        }
        answer
    }

    async fn fulfilled(
        self: &Arc<Self>,
        bearer: &Bearer,
        request: &Request,
        until: Instant,
    ) -> Result<Value, Unfulfilled> {
        let needed = match request.intent {
            Intent::Execute(_) => Scope::CommandsWrite,
            _ => Scope::DevicesRead,
        };
        let refused = Unfulfilled::Refused(ErrorCode::AuthFailure);
        // An application that acts for itself is nobody whose devices these could be.
        let Some(account) = bearer.account.filter(|_| bearer.scopes.allows(&needed)) else {
            return Err(refused);
        };
        let organization = bearer.organization;
        if matches!(request.intent, Intent::Query(_) | Intent::Execute(_))
            && self.has_unlinked(organization, account).await?
        {
            return Err(refused);
        }
        let venues = sees_venues(bearer);
        Ok(match &request.intent {
            Intent::Sync => {
                let endpoints = self.sight(organization, venues).await?;
                self.link(bearer, account, Assistant::Google).await?;
                let told = endpoints.keys().copied().collect();
                self.wish(Wish::Synced(organization, account, told));
                let agent_user = google::agent_user(organization, account);
                google::sync(&request.id, &agent_user, &endpoints, self.home_graph.is_some())
            }
            Intent::Query(ids) => {
                let asked = ids.iter().map(String::as_str);
                let endpoints = self.sight_of(organization, asked, venues).await?;
                google::query(&request.id, ids, &endpoints)
            }
            Intent::Execute(commands) => {
                let asked = commands.iter().flat_map(|command| &command.devices).map(String::as_str);
                let endpoints = self.sight_of(organization, asked, venues).await?;
                let answers = self.executed(bearer, account, commands, &endpoints, until).await;
                google::executed(&request.id, &answers, &endpoints)
            }
            Intent::Disconnect => {
                let link = (organization, account, Assistant::Google);
                self.end_link(link, bearer.grant, LinkState::Unlinked).await?;
                self.wish(Wish::Look);
                google::disconnected()
            }
        })
    }

    async fn executed(
        self: &Arc<Self>,
        bearer: &Bearer,
        account: AccountId,
        commands: &[Command],
        endpoints: &Endpoints,
        until: Instant,
    ) -> Vec<(String, Answer)> {
        let steps = google::plan(commands, endpoints).into_iter().map(async |(id, step)| {
            let answer = match step {
                Step::Refuse(refusal) => {
                    Answer::Refused(self.refusal(bearer.organization, &id, refusal).await)
                }
                Step::Give { endpoint, orders, pin } => {
                    let may = self.may((bearer.organization, account), &endpoints[&endpoint], pin.as_ref());
                    match may.await {
                        Err(refusal) => Answer::Refused(refusal),
                        Ok(()) => Answer::Came(
                            endpoint,
                            self.came(bearer, account, &endpoints[&endpoint], orders, until).await,
                        ),
                    }
                }
            };
            (id, answer)
        });
        join_all(steps).await
    }

    /// Whether Google said that the person unlinked, and did not ask since what there is.
    async fn has_unlinked(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<bool, StoreError> {
        let links = self.store.assistant_links_of(organization, account).await?;
        let is_so =
            |link: &AssistantLink| link.assistant == Assistant::Google && link.state == LinkState::Unlinked;
        Ok(links.iter().any(is_so))
    }

    /// Why nothing is done. Whoever is asked for the PIN of a device that has none could say nothing that is right.
    async fn refusal(&self, organization: OrganizationId, id: &str, refusal: Refusal) -> Refusal {
        let (Refusal::Challenge(Challenge::Pin), Ok(EndpointId::Device(device))) = (refusal, id.parse())
        else {
            return refusal;
        };
        match self.store.has_device_pin(organization, device).await {
            Ok(true) => refusal,
            Ok(false) => ErrorCode::SecurityRestriction.into(),
            Err(error) => {
                tracing::error!(%error, "whether a device has a PIN is not known");
                ErrorCode::TransientError.into()
            }
        }
    }

    /// Whether a PIN that had to be said is right.
    async fn may(
        &self,
        whose: (OrganizationId, AccountId),
        endpoint: &Endpoint,
        pin: Option<&Secret>,
    ) -> Result<(), Refusal> {
        let (EndpointId::Device(device), Some(pin)) = (endpoint.id, pin) else { return Ok(()) };
        match self.said(whose, (device, &endpoint.name), pin).await {
            Ok(Said::Right) => Ok(()),
            Ok(Said::Wrong) => Err(Refusal::Challenge(Challenge::PinAgain)),
            Ok(Said::TooOften) => Err(ErrorCode::TooManyFailedAttempts.into()),
            Ok(Said::NoPin) => Err(ErrorCode::SecurityRestriction.into()),
            Err(error) => {
                tracing::error!(%error, "a PIN could not be compared");
                Err(ErrorCode::TransientError.into())
            }
        }
    }

    /// What comes of orders while Google waits; what comes later is reported.
    async fn came(
        self: &Arc<Self>,
        bearer: &Bearer,
        account: AccountId,
        endpoint: &Endpoint,
        orders: Vec<Order>,
        until: Instant,
    ) -> Outcome {
        let (organization, author) = (bearer.organization, Author::Account(account));
        let given = self.give(organization, author, endpoint, orders);
        let Ok(given) = timeout_at(until, given).await else {
            return Outcome::Pending;
        };
        let mut given = match given {
            Ok(given) => given,
            Err(outcome) => return outcome,
        };
        let outcome = self.settled(&mut given, until).await;
        if outcome == Outcome::Pending {
            let (voice, id) = (Arc::clone(self), endpoint.id);
            self.behind.spawn(async move {
                voice.settled_at_last(&mut given).await;
                voice.wish(Wish::Again(organization, id));
            });
        }
        outcome
    }
}

fn unauthenticated(voice: &Voice) -> Response {
    voice.metrics.refused(Assistant::Google, "unauthenticated");
    let answer = google::refused("", ErrorCode::AuthFailure);
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, CHALLENGE)], Json(answer)).into_response()
}
