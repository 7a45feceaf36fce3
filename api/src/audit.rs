//! The audit log of an organization: what was done with it here and what happened to its people, for its admins to read.

mod reads;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{AccountId, AuditId, OrganizationId, Timestamp, VenueId};
use serde::Serialize;
use serde_json::{Value, json};
use store::{NewAuditEntry, Store};
use utoipa::ToSchema;

use crate::App;
use crate::caller::{Caller, Credential};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

pub(crate) use reads::Reads;

/// What is written down of the requests to this interface. Words are for ever; `identity` and `voice` write others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    MemberChanged,
    MemberRemoved,
    RoleMade,
    RoleChanged,
    RoleDeleted,
    Invited,
    InvitationWithdrawn,
    ClientMade,
    ClientChanged,
    ClientSecretRenewed,
    ClientDisabled,
    /// The same word as when a person unlinks a service.
    Unlinked,
    KeyMade,
    KeyDeleted,
    PhoneRegistered,
    PhoneRemoved,
    ConsentGiven,
    ConsentWithdrawn,
    PinSet,
    PinRemoved,
    HomeAssistantEnabled,
    HomeAssistantDisabled,
    EnrolmentApproved,
    EnrolmentDenied,
    /// The device fetched its credentials.
    EnrolmentCollected,
    /// The device got its next certificate.
    CertificateRenewed,
    ClaimKeyMade,
    ClaimKeyChanged,
    ClaimKeyRevoked,
    DevicesImported,
    StaysRead,
    /// A live stream of movements was opened.
    MovementsRead,
    /// A person read what there is about them.
    OwnDataRead,
    /// A person had it erased.
    OwnDataErased,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    #[schema(value_type = String, format = "uuid")]
    id: AuditId,
    /// Who did it, or to whom it happened; null when neither is a person.
    #[schema(value_type = Option<String>, format = "uuid")]
    account: Option<AccountId>,
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// What happened; later versions know more words.
    #[schema(example = "member_changed")]
    what: String,
    /// More about it. What was done by this interface has `by`: the API key, the grant of the access token, or the claim key that
    /// let a device in. What a device did by itself has none.
    #[schema(value_type = Object)]
    detail: Value,
    /// Where the request came from, when that is known.
    address: Option<String>,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            What::MemberChanged => "member_changed",
            What::MemberRemoved => "member_removed",
            What::RoleMade => "role_made",
            What::RoleChanged => "role_changed",
            What::RoleDeleted => "role_deleted",
            What::Invited => "invited",
            What::InvitationWithdrawn => "invitation_withdrawn",
            What::ClientMade => "client_made",
            What::ClientChanged => "client_changed",
            What::ClientSecretRenewed => "client_secret_renewed",
            What::ClientDisabled => "client_disabled",
            What::Unlinked => "unlinked",
            What::KeyMade => "key_made",
            What::KeyDeleted => "key_deleted",
            What::PhoneRegistered => "phone_registered",
            What::PhoneRemoved => "phone_removed",
            What::ConsentGiven => "consent_given",
            What::ConsentWithdrawn => "consent_withdrawn",
            What::PinSet => "pin_set",
            What::PinRemoved => "pin_removed",
            What::HomeAssistantEnabled => "home_assistant_enabled",
            What::HomeAssistantDisabled => "home_assistant_disabled",
            What::EnrolmentApproved => "enrolment_approved",
            What::EnrolmentDenied => "enrolment_denied",
            What::EnrolmentCollected => "enrolment_collected",
            What::CertificateRenewed => "certificate_renewed",
            What::ClaimKeyMade => "claim_key_made",
            What::ClaimKeyChanged => "claim_key_changed",
            What::ClaimKeyRevoked => "claim_key_revoked",
            What::DevicesImported => "devices_imported",
            What::StaysRead => "stays_read",
            What::MovementsRead => "movements_read",
            What::OwnDataRead => "own_data_read",
            What::OwnDataErased => "own_data_erased",
        }
    }
}

impl From<store::AuditEntry> for AuditEntry {
    fn from(entry: store::AuditEntry) -> AuditEntry {
        let store::AuditEntry { id, account, at, what, detail, address, .. } = entry;
        AuditEntry { id, account, at: at.into(), what, detail, address }
    }
}

/// Writes down what the caller did, in the log of their organization and of the account whom it concerns. It has happened
/// already, so a database that does not answer only costs the entry.
pub(crate) async fn record<S>(
    app: &App,
    caller: &Caller<S>,
    what: What,
    account: Option<AccountId>,
    mut detail: Value,
) {
    add_author(caller, &mut detail);
    let organization = Some(caller.organization());
    let entry = NewAuditEntry { organization, account, what: what.as_str(), detail, address: None };
    write(&app.store, entry, app.clock.now()).await;
}

/// Writes down that the caller read exact data, in the log of their organization and their own: what of, and from where. Who reads the
/// same again within a minute is not written down again.
pub(crate) async fn record_read<S>(
    app: &App,
    reads: &Reads,
    caller: &Caller<S>,
    (what, venue): (What, Option<VenueId>),
    peer: SocketAddr,
    mut detail: Value,
) {
    let now = app.clock.now();
    if !reads.is_news(caller.credential().id(), what, venue, now) {
        return;
    }
    add_author(caller, &mut detail);
    if let (Some(venue), Some(detail)) = (venue, detail.as_object_mut()) {
        detail.insert("venue".to_owned(), json!(venue));
    }
    let entry = NewAuditEntry {
        organization: Some(caller.organization()),
        account: caller.account(),
        what: what.as_str(),
        detail,
        address: Some(peer.ip().to_canonical()),
    };
    write(&app.store, entry, now).await;
}

/// Writes down that a person had their data erased, in the logs of all organizations that it concerns.
pub(crate) async fn record_erasure<S>(
    app: &App,
    caller: &Caller<S>,
    organizations: BTreeSet<OrganizationId>,
    mut detail: Value,
) {
    add_author(caller, &mut detail);
    for organization in organizations {
        let what = What::OwnDataErased.as_str();
        let (organization, account, detail) = (Some(organization), caller.account(), detail.clone());
        let entry = NewAuditEntry { organization, account, what, detail, address: None };
        write(&app.store, entry, app.clock.now()).await;
    }
}

fn add_author<S>(caller: &Caller<S>, detail: &mut Value) {
    let by = match caller.credential() {
        Credential::Key(key) => json!({"key": key}),
        Credential::Grant(grant, _) => json!({"grant": grant, "account": caller.account()}),
    };
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("by".to_owned(), by);
    }
}

/// Writes down what a device did by itself, in the log of its organization.
pub(crate) async fn record_of(
    store: &Store,
    organization: OrganizationId,
    what: What,
    detail: Value,
    address: Option<IpAddr>,
    now: Timestamp,
) {
    let (organization, address) = (Some(organization), address.map(|address| address.to_canonical()));
    let entry = NewAuditEntry { organization, account: None, what: what.as_str(), detail, address };
    write(store, entry, now).await;
}

async fn write(store: &Store, entry: NewAuditEntry<'_>, now: Timestamp) {
    let what = entry.what;
    if let Err(error) = store.record_audit(&entry, now).await {
        tracing::error!(%error, what, "an entry of the audit log could not be written");
    }
}

/// Lists what happened in the organization, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    summary = "Read the audit log",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of entries", body = Items<AuditEntry>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<AuditEntry>>, Problem> {
    let page = paging::only_page(query, List::Audit)?;
    let listed = app.store.audit_of_organization(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Audit, listed, AuditEntry::from)))
}
