//! `GET /devices/{device}/explain`: one answer to why a device is offline, refused, throttled or silent.
//!
//! [`Explanation::of`] puts together what the registry knows, what the broker saw ([`Facts`]), and what is refused and may
//! still be sent again; [`finding`] makes sentences of it. `promenade explain` prints the same.

mod air;
pub(crate) mod claim_key;
mod facts;
mod finding;
mod judge;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{DeviceId, DeviceKind, OrganizationId, Timestamp, VenueId, ZoneId};
use serde::Serialize;
use store::{Page, Registered, Store, StoreError};
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::devices::certificates::Certificate;
use crate::devices::losses::Loss;
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::Problem;
use crate::scopes;

pub use crate::devices::certificates::CertificateState;
use air::Air;
pub use claim_key::ClaimKeyExplanation;
pub use facts::{Disconnected, Facts, RefusedSignIn, Scanned, SignIn, Tally, Unread};
pub use finding::{Code, Finding};
use judge::{Evidence, Ordered, Place};

/// Losses that are looked through for open ones; more are those of a device that is broken, and told by the first.
const LOOKED_THROUGH: u32 = 500;
/// Open losses that are shown; the rest is in the ledger.
const SHOWN: usize = 20;

/// How it is known whether a device is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The broker of this process tells, and since when.
    Told(Option<Timestamp>),
    /// A server may be running elsewhere: as it saved last.
    Saved,
    /// No server is running, so nobody is connected.
    Stopped,
}

/// What is known of a device. Whether it is connected, when it last said something, and whether it is well are three facts:
/// none follows from another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Explanation {
    /// The device.
    #[schema(value_type = String, format = "uuid")]
    pub device: DeviceId,
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// When what the broker saw was last saved, which it does every few seconds; null when nothing ever was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Instant>,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub connected_since: Option<Instant>,
    /// When its last message came, of whatever kind.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_message_at: Option<Instant>,
    /// Whether nothing keeps it from its work; null for what only transmits, where nothing is known of it.
    pub healthy: Option<bool>,
    /// What was found, the most likely cause first.
    pub findings: Vec<Finding>,
    /// What the registry knows.
    pub registration: Registration,
    /// Its last sign-in that was let in.
    pub sign_in: Option<LastSignIn>,
    /// The last one that was refused.
    pub refused_sign_in: Option<LastRefusal>,
    /// How its last connection ended.
    pub disconnected: Option<LastEnd>,
    /// When its last batch of pings was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_batch_at: Option<Instant>,
    /// When its newest ping was heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_ping_at: Option<Instant>,
    /// The server's clock minus the device's when it last told it, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// The limits that it ran into, by name.
    pub limits: BTreeMap<String, Count>,
    /// What it was refused, by cause.
    pub refusals: BTreeMap<String, Count>,
    /// What came of the messages of a scanner that reports in a format of its own: `read`, `empty` (no signal strength in it),
    /// `unreadable`, or `aside` (on others of its topics).
    pub reported: BTreeMap<String, Count>,
    /// The last of them that could not be read.
    pub unread: Option<LastUnread>,
    /// Its certificates in the order they were signed.
    pub certificates: Vec<Certificate>,
    /// What was refused and may still be sent again, the newest first, 20 at most.
    pub open_losses: Vec<Loss>,
}

/// A device as it is registered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Registration {
    /// Whose it is.
    #[schema(value_type = String, format = "uuid")]
    pub organization: OrganizationId,
    /// `beacon`, `gateway`, `kiosk`, `phone`, `tag` or `appliance`.
    #[schema(value_type = String, example = "gateway")]
    pub kind: DeviceKind,
    /// A name for people.
    pub name: String,
    /// Where it stands now; null for nowhere.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub venue: Option<VenueId>,
    /// The zone it stands in now.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub zone: Option<ZoneId>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
}

/// A sign-in that was let in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastSignIn {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// From where.
    pub address: Option<String>,
    /// `tcp`, `tls`, `ws` or `wss`.
    pub transport: Option<String>,
    /// `3.1.1` or `5`.
    pub version: Option<String>,
    /// As what.
    pub client_id: Option<String>,
    /// With which certificate; null for its secret.
    pub certificate: Option<String>,
}

/// A sign-in that was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastRefusal {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// From where.
    pub address: Option<String>,
    /// Why, as `docs/mqtt.md` lists causes.
    pub cause: String,
}

/// How a connection ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastEnd {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// Why.
    pub cause: String,
}

/// A message of a scanner that could not be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastUnread {
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// The filter of the topics that it came on.
    pub filter: String,
    /// Where in it: a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What should be there.
    pub expected: String,
}

/// How often, and when the last time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// When the last time.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Instant,
}

impl Explanation {
    /// Puts together what is known of a device of an organization; not found when there is no such device, or it is deleted.
    pub async fn of(
        store: &Store,
        organization: OrganizationId,
        device: DeviceId,
        connection: Connection,
        now: Timestamp,
    ) -> Result<Explanation, StoreError> {
        let registered = store.registered(device).await?.ok_or(StoreError::NotFound)?;
        if registered.device.organization != organization {
            return Err(StoreError::NotFound);
        }
        let saved = store.facts(organization, device).await?;
        let seen_at = saved.as_ref().map(|(_, at)| *at);
        let facts = saved.and_then(|(text, _)| Facts::read(&text)).unwrap_or_default();
        let certificates = store.certificates(organization, device).await?;
        let losses = store.losses(organization, device, Page::first(LOOKED_THROUGH)).await?.items;
        let open_losses = losses.into_iter().map(Loss::from).filter(|loss| loss.open).collect();
        let evidence = Evidence {
            kind: registered.device.kind,
            has_format: registered.device.profile.as_ref().is_some_and(|profile| profile.reporter.is_some()),
            place: Place::of(&registered, now),
            connected_since: connection.since(&facts),
            is_stopped: connection == Connection::Stopped,
            facts,
            certificates: certificates.into_iter().map(|kept| Certificate::at(now, kept)).collect(),
            open_losses,
            air: Air::of(store, &registered).await?,
            ordered: Ordered::of(store, organization, device).await?,
            now,
        };
        Ok(Explanation::new(&registered, evidence, seen_at))
    }

    fn new(registered: &Registered, evidence: Evidence, seen_at: Option<Timestamp>) -> Explanation {
        let (healthy, findings) = judge::judge(&evidence);
        let Evidence { facts, certificates, mut open_losses, connected_since, now, .. } = evidence;
        open_losses.truncate(SHOWN);
        let (device, place) = (&registered.device, registered.placement_at(now));
        let counts = |tallies: BTreeMap<String, Tally>| {
            let count = |tally: Tally| Count { count: tally.count, last_at: tally.last_at.into() };
            tallies.into_iter().map(|(name, tally)| (name, count(tally))).collect()
        };
        Explanation {
            device: device.id,
            at: now.into(),
            seen_at: seen_at.map(Instant),
            connected: connected_since.is_some(),
            connected_since: connected_since.map(Instant),
            last_message_at: facts.last_message_at.map(Instant),
            healthy,
            findings,
            registration: Registration {
                organization: device.organization,
                kind: device.kind,
                name: device.name.clone(),
                venue: place.map(|place| place.venue),
                zone: place.and_then(|place| place.zone),
                created_at: device.created_at.into(),
            },
            sign_in: facts.sign_in.map(LastSignIn::from),
            refused_sign_in: facts.refused_sign_in.map(LastRefusal::from),
            disconnected: facts.disconnected.map(LastEnd::from),
            last_batch_at: facts.last_batch_at.map(Instant),
            last_ping_at: facts.last_ping_at.map(Instant),
            clock_offset_ms: facts.clock_offset_ms,
            limits: counts(facts.limits),
            refusals: counts(facts.refusals),
            reported: counts(facts.scanned.messages),
            unread: facts.scanned.unread.map(LastUnread::from),
            certificates,
            open_losses,
        }
    }
}

impl Connection {
    fn since(self, facts: &Facts) -> Option<Timestamp> {
        match self {
            Connection::Told(since) => since,
            Connection::Saved => facts.connected_since,
            Connection::Stopped => None,
        }
    }
}

impl From<SignIn> for LastSignIn {
    fn from(sign_in: SignIn) -> LastSignIn {
        let SignIn { at, address, transport, version, client_id, certificate } = sign_in;
        LastSignIn { at: at.into(), address, transport, version, client_id, certificate }
    }
}

impl From<RefusedSignIn> for LastRefusal {
    fn from(refused: RefusedSignIn) -> LastRefusal {
        LastRefusal { at: refused.at.into(), address: refused.address, cause: refused.cause }
    }
}

impl From<Unread> for LastUnread {
    fn from(unread: Unread) -> LastUnread {
        let Unread { at, filter, pointer, expected } = unread;
        LastUnread { at: at.into(), filter, pointer, expected }
    }
}

impl From<Disconnected> for LastEnd {
    fn from(ended: Disconnected) -> LastEnd {
        LastEnd { at: ended.at.into(), cause: ended.cause }
    }
}

/// Says why a device is offline, refused, throttled or silent, and what to do.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/explain",
    tag = "devices",
    summary = "Explain a device's state",
    security(("key" = ["devices:read"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 200, description = "What is known and what to do", body = Explanation))
)]
pub(crate) async fn explain(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<Json<Explanation>, Problem> {
    let connection = Connection::Told(app.live.connection(device));
    let now = app.clock.now();
    let explanation = Explanation::of(&app.store, caller.organization(), device, connection, now).await?;
    Ok(Json(explanation))
}
