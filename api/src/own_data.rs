//! What Promenade has about the person who asks: to read, and to have erased.

mod shape;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use protocol::{AccountId, OrganizationId, Subject};
use serde_json::json;
use store::{Change, Device, PRESENCE, StoreError, Unlinked};

use self::shape::{Erasure, OwnData, OwnVisit};
use crate::App;
use crate::audit::{self, Reads, What};
use crate::caller::Caller;
use crate::paging::{self, Items};
use crate::problem::{Document, Kind, Problem};
use crate::query::Query;
use crate::scopes;

/// Everything about the person but what was counted of their phones, which is the list of visits: the account, phones, what they
/// agreed to, and the services that they linked. In all organizations, whichever application asks.
#[utoipa::path(
    get,
    path = "/api/v1/me/data",
    tag = "phones",
    summary = "Read all about oneself",
    security(("key" = ["me:data"])),
    responses(
        (status = 200, description = "What there is", body = OwnData),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn own_data(
    caller: Caller<scopes::MeData>,
    State(app): State<Arc<App>>,
    reads: Reads,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    query: Query,
) -> Result<Json<OwnData>, Problem> {
    let account = caller.person()?.account;
    query.finish()?;
    let data = OwnData::of(
        app.store.account(account).await?,
        app.store.phones_ever(account).await?,
        app.store.consents(account).await?,
        app.store.grants_of(account).await?,
    );
    audit::record_read(&app, &reads, &caller, (What::OwnDataRead, None), peer, json!({})).await;
    Ok(Json(data))
}

/// Lists the visits of the person's phones in all organizations, with their stays, by start: those of phones that were removed too.
/// What was counted under a pseudonym whose key was destroyed is not there: nobody can find it any more.
#[utoipa::path(
    get,
    path = "/api/v1/me/data/visits",
    tag = "phones",
    summary = "List one's visits",
    security(("key" = ["me:data"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses(
        (status = 200, description = "A page of visits", body = Items<OwnVisit>),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn own_visits(
    caller: Caller<scopes::MeData>,
    State(app): State<Arc<App>>,
    reads: Reads,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut query: Query,
) -> Result<Json<Items<OwnVisit>>, Problem> {
    let account = caller.person()?.account;
    let cursor = paging::own_visits_cursor(&mut query);
    let limit = paging::limit(&mut query);
    query.finish()?;
    let pseudonyms = pseudonyms(&app, &app.store.phones_ever(account).await?).await?;
    // One more than asked for tells whether there is another page.
    let mut visits = app.store.visits_of_subjects(&pseudonyms, cursor, limit + 1).await?;
    let more = visits.len() > limit as usize;
    visits.truncate(limit as usize);
    let next = visits.last().filter(|_| more).map(|visit| (visit.from, visit.id));
    audit::record_read(&app, &reads, &caller, (What::OwnDataRead, None), peer, json!({})).await;
    Ok(Json(Items::of_own_visits(visits.into_iter().map(OwnVisit::from).collect(), next)))
}

/// Erases what was counted of the person's phones, in all organizations: visits and stays go on counting, as those of somebody whom
/// nobody knows; so does what is still on its way. The phones are removed and nobody's, and consent is taken back. The account and
/// the services that it linked stay. Asked again, it erases what came in between.
#[utoipa::path(
    delete,
    path = "/api/v1/me/data",
    tag = "phones",
    summary = "Have one's data erased",
    security(("key" = ["me:data"])),
    responses(
        (status = 200, description = "What was done", body = Erasure),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn erase_own_data(
    caller: Caller<scopes::MeData>,
    State(app): State<Arc<App>>,
) -> Result<Json<Erasure>, Problem> {
    let account = caller.person()?.account;
    let mut organizations = BTreeSet::from([caller.organization()]);
    let mut erasure = Erasure { consents_withdrawn: withdraw(&app, account).await?, ..Erasure::default() };
    let mut venues = BTreeSet::new();
    loop {
        let phones = app.store.phones_ever(account).await?;
        if phones.is_empty() {
            break;
        }
        organizations.extend(phones.iter().map(|(phone, _)| phone.organization));
        for unlinked in erase(&app, account, &phones, &mut erasure).await? {
            organizations.insert(unlinked.organization);
            venues.insert(unlinked.venue);
        }
    }
    erasure.venues = venues.len() as u64;
    audit::record_erasure(&app, &caller, organizations, json!(erasure)).await;
    Ok(Json(erasure))
}

/// Erases some phones. First nothing more comes in; then what there is goes; only then is forgotten whose it was, so that an erasure
/// that was cut short can be asked for again.
async fn erase(
    app: &App,
    account: AccountId,
    phones: &[(Device, bool)],
    erasure: &mut Erasure,
) -> Result<Vec<Unlinked>, Problem> {
    let now = app.clock.now();
    for (phone, _) in phones.iter().filter(|(_, is_there)| *is_there) {
        match app.store.delete_device(phone.organization, phone.id, now).await {
            Err(StoreError::NotFound) => {}
            deleted => drop(deleted?),
        }
        app.live.changed(Change::Device(phone.id));
    }
    app.store.bury(&pseudonyms(app, phones).await?, now).await?;
    let all = app.store.unlink_buried(now, now).await?;
    for unlinked in &all {
        app.live.changed(Change::Venue(unlinked.venue));
        erasure.visits += unlinked.visits;
        erasure.stays += unlinked.stays;
    }
    // Newest first.
    if let (Some((last, _)), Some((first, _))) = (phones.first(), phones.last()) {
        erasure.phones += app.store.disown_phones(account, (first.id, last.id), now).await?;
    }
    Ok(all)
}

/// Every pseudonym that one of the phones has had anywhere and whose key there still is.
async fn pseudonyms(app: &App, phones: &[(Device, bool)]) -> Result<Vec<(OrganizationId, Subject)>, Problem> {
    let mut all = Vec::new();
    // A phone hears the beacons of whatever organization, and each knows it by another pseudonym.
    for organization in app.store.organizations().await? {
        let known = app.identity.pseudonyms(organization.id).await.map_err(|error| {
            tracing::error!(organization = %organization.id, %error, "pseudonyms cannot be opened");
            Problem::new(Kind::Internal, "the pseudonyms of an organization cannot be opened")
        })?;
        for (phone, _) in phones {
            all.extend(known.all_of_device(phone.id).map(|subject| (organization.id, subject)));
        }
    }
    Ok(all)
}

/// Takes back every consent to be counted; answers how many held.
async fn withdraw(app: &App, account: AccountId) -> Result<u64, Problem> {
    let consents = app.store.consents(account).await?;
    let held = consents.iter().filter(|given| given.purpose == PRESENCE && given.withdrawn_at.is_none());
    let organizations: BTreeSet<OrganizationId> = held.map(|given| given.organization).collect();
    for organization in &organizations {
        match app.identity.take_back(*organization, account, PRESENCE).await {
            Err(StoreError::NotFound) => {}
            taken => taken?,
        }
    }
    Ok(organizations.len() as u64)
}
