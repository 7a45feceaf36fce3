//! What a person is told about themselves.

use presence::VisitClass;
use protocol::{AccountId, ClientId, DeviceId, GrantId, OrganizationId, Timestamp, VenueId, VisitId, ZoneId};
use serde::Serialize;
use store::{Account, Consent, Device, Grant, SubjectVisit};
use utoipa::ToSchema;

use crate::instant::Instant;

/// Everything about a person but what was counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnData {
    account: OwnAccount,
    /// Those that were removed too.
    phones: Vec<OwnPhone>,
    consents: Vec<OwnConsent>,
    linked_services: Vec<OwnGrant>,
}

/// The account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnAccount {
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    email: String,
    name: String,
    /// A BCP 47 language tag, when one was chosen.
    locale: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
}

/// A phone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnPhone {
    #[schema(value_type = String, format = "uuid")]
    id: DeviceId,
    /// Whose application registered it.
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// Whether it was removed.
    removed: bool,
}

/// What the person agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnConsent {
    /// With whom.
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    purpose: String,
    /// Which version of its text.
    version: String,
    #[schema(value_type = String, format = DateTime)]
    given_at: Instant,
    /// When it was taken back; null while it holds.
    #[schema(value_type = Option<String>, format = DateTime)]
    withdrawn_at: Option<Instant>,
}

/// A service that the person linked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnGrant {
    #[schema(value_type = String, format = "uuid")]
    id: GrantId,
    #[schema(value_type = String, format = "uuid")]
    client: ClientId,
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    /// What was allowed, with spaces in between.
    scopes: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
}

/// A visit of one of the person's phones.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnVisit {
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    #[schema(value_type = String, format = "uuid")]
    venue: VenueId,
    #[schema(value_type = String, format = "uuid")]
    id: VisitId,
    /// What it counts as: `visit`, `bounce`, `passer_by`, `staff` or `transient`.
    class: &'static str,
    /// The first sighting.
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    /// The last sighting, or so far.
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// By start.
    stays: Vec<OwnStay>,
}

/// A stay in one zone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnStay {
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
}

/// What an erasure did.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Erasure {
    /// Phones that are nobody's now.
    pub(super) phones: u64,
    /// Consents to be counted that were taken back.
    pub(super) consents_withdrawn: u64,
    /// Visits that count as somebody's whom nobody knows.
    pub(super) visits: u64,
    /// Stays, the same way.
    pub(super) stays: u64,
    /// In so many venues.
    pub(super) venues: u64,
}

impl OwnData {
    pub(super) fn of(
        account: Account,
        phones: Vec<(Device, bool)>,
        consents: Vec<Consent>,
        grants: Vec<Grant>,
    ) -> OwnData {
        let Account { id, email, name, locale, created_at, .. } = account;
        OwnData {
            account: OwnAccount { id, email, name, locale, created_at: created_at.into() },
            phones: phones.into_iter().map(OwnPhone::from).collect(),
            consents: consents.into_iter().map(OwnConsent::from).collect(),
            linked_services: grants.into_iter().map(OwnGrant::from).collect(),
        }
    }
}

impl From<(Device, bool)> for OwnPhone {
    fn from((device, is_there): (Device, bool)) -> OwnPhone {
        let Device { id, organization, name, created_at, .. } = device;
        OwnPhone { id, organization, name, created_at: created_at.into(), removed: !is_there }
    }
}

impl From<Consent> for OwnConsent {
    fn from(consent: Consent) -> OwnConsent {
        let Consent { organization, purpose, version, given_at, withdrawn_at, .. } = consent;
        let withdrawn_at = withdrawn_at.map(Instant);
        OwnConsent { organization, purpose, version, given_at: given_at.into(), withdrawn_at }
    }
}

impl From<Grant> for OwnGrant {
    fn from(grant: Grant) -> OwnGrant {
        let Grant { id, client, organization, scopes, created_at, .. } = grant;
        OwnGrant { id, client, organization, scopes, created_at: created_at.into() }
    }
}

impl From<SubjectVisit> for OwnVisit {
    fn from(visit: SubjectVisit) -> OwnVisit {
        let SubjectVisit { organization, venue, id, from, to, class, stays } = visit;
        let class = match class {
            VisitClass::Visit => "visit",
            VisitClass::Bounce => "bounce",
            VisitClass::PasserBy => "passer_by",
            VisitClass::Staff => "staff",
            VisitClass::Transient => "transient",
        };
        let stay = |(zone, from, to): (ZoneId, Timestamp, Timestamp)| OwnStay {
            zone,
            from: from.into(),
            to: to.into(),
        };
        let stays = stays.into_iter().map(stay).collect();
        OwnVisit { organization, venue, id, class, from: from.into(), to: to.into(), stays }
    }
}
