//! Invitations into the organization.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use identity::IdentityError;
use protocol::{AccountId, InvitationId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Mistake, Problem};
use crate::query::Query;
use crate::roles::RoleName;
use crate::scopes;

/// An invitation that nobody has accepted yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    #[schema(value_type = String, format = "uuid")]
    id: InvitationId,
    /// Where it was sent to.
    email: String,
    /// What whoever accepts it becomes: the word of a built-in role, or the id of another.
    #[schema(value_type = String, example = "analyst")]
    role: RoleName,
    /// Who made it; null when it was made with an API key.
    #[schema(value_type = Option<String>, format = "uuid")]
    invited_by: Option<AccountId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when on it can no longer be accepted.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Instant,
}

/// A new invitation, perhaps with its link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewInvitation {
    /// Where this server sends no mail: the link to hand over, with which whoever has it may join. It is shown here once; a
    /// repeated answer has null, and so has one whose link went out by mail.
    link: Option<String>,
    #[serde(flatten)]
    invitation: Invitation,
}

/// An invitation to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationToCreate {
    /// Where it is sent to.
    #[schema(example = "ada@example.org")]
    email: String,
    /// The word of a built-in role, or the id of another. It can allow no more than the caller may do.
    #[schema(value_type = String, example = "analyst")]
    role: RoleName,
}

impl From<store::Invitation> for Invitation {
    fn from(invitation: store::Invitation) -> Invitation {
        Invitation {
            id: invitation.id,
            email: invitation.email,
            role: RoleName(invitation.role),
            invited_by: invitation.invited_by,
            created_at: invitation.created_at.into(),
            expires_at: invitation.expires_at.into(),
        }
    }
}

/// Invites somebody by mail; they have seven days to accept. Where this server sends no mail, the link is in the answer.
#[utoipa::path(
    post,
    path = "/api/v1/invitations",
    tag = "invitations",
    summary = "Invite somebody",
    security(("key" = ["admin"])),
    request_body = InvitationToCreate,
    responses((status = 201, description = "The invitation", body = NewInvitation))
)]
pub(crate) async fn create(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Body(body): Body<InvitationToCreate>,
) -> Result<Created<NewInvitation>, Problem> {
    let organization = caller.organization();
    caller.must_have(&body.role.given_scopes(&app, organization).await?)?;
    let invited = app.identity.invite(organization, &body.email, body.role.0, caller.account()).await;
    let (invitation, link) = invited.map_err(|error| match error {
        IdentityError::Store(StoreError::Invalid(detail)) => {
            Problem::invalid_body(vec![Mistake::at("/email", detail)])
        }
        error => error.into(),
    })?;
    let detail = json!({"invitation": invitation.id, "email": invitation.email, "role": body.role});
    audit::record(&app, &caller, What::Invited, caller.account(), detail).await;
    let location = format!("/api/v1/invitations/{}", invitation.id);
    Ok(Created::at(location, NewInvitation { link, invitation: invitation.into() }))
}

/// Lists the invitations that can still be accepted, in the order they were made.
#[utoipa::path(
    get,
    path = "/api/v1/invitations",
    tag = "invitations",
    summary = "List invitations",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of invitations", body = Items<Invitation>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Invitation>>, Problem> {
    let page = paging::only_page(query, List::Invitations)?;
    let listed = app.store.invitations(caller.organization(), page, app.clock.now()).await?;
    Ok(Json(Items::of(List::Invitations, listed, Invitation::from)))
}

/// Withdraws an invitation: its link is worth nothing from then on. Its role may not allow more than the caller may do.
#[utoipa::path(
    delete,
    path = "/api/v1/invitations/{invitation}",
    tag = "invitations",
    summary = "Withdraw an invitation",
    security(("key" = ["admin"])),
    params(("invitation" = String, Path, description = "The invitation's id")),
    responses((status = 204, description = "It is withdrawn"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(invitation): Ids<InvitationId>,
) -> Result<StatusCode, Problem> {
    let open = app.store.open_invitation(caller.organization(), invitation).await?;
    let role = RoleName(open.role);
    caller.must_have(&role.given_scopes(&app, caller.organization()).await?)?;
    app.store.delete_invitation(caller.organization(), invitation).await?;
    let detail = json!({"invitation": invitation, "email": open.email, "role": role});
    audit::record(&app, &caller, What::InvitationWithdrawn, caller.account(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}
