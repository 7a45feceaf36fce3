//! Invitations into an organization.

use protocol::{AccountId, InvitationId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::account::check_email;
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::random;
use crate::role::Role;
use crate::secret::{Purpose, Secret};

/// An invitation that nobody has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id, which is no secret.
    pub id: InvitationId,
    /// Into which organization.
    pub organization: OrganizationId,
    /// Where it was sent to; whoever has its secret may accept it.
    pub email: String,
    /// What it makes of whoever accepts it.
    pub role: Role,
    /// Who made it.
    pub invited_by: Option<AccountId>,
    /// When.
    pub created_at: Timestamp,
    /// From when on it can no longer be accepted.
    pub expires_at: Timestamp,
}

/// An invitation to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// See [`Invitation::email`].
    pub email: String,
    /// See [`Invitation::role`].
    pub role: Role,
    /// See [`Invitation::invited_by`].
    pub invited_by: Option<AccountId>,
    /// See [`Invitation::expires_at`].
    pub expires_at: Timestamp,
}

macro_rules! select_invitations {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization, email, built_in, custom, invited_by, created_at, expires_at FROM invitations ",
            $rest
        )
    };
}

impl Store {
    /// Makes an invitation; its secret is returned here and never again.
    pub async fn invite(
        &self,
        organization: OrganizationId,
        new: &NewInvitation,
        now: Timestamp,
    ) -> Result<(Invitation, Secret)> {
        const SQL: &str = "INSERT INTO invitations
                (id, organization, email, built_in, custom, hash, invited_by, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        check_email(&new.email)?;
        let (secret, hash) = self.mint(Purpose::Invitation)?;
        let id = InvitationId::new(now, random::bytes()?);
        let mut tx = self.change(organization).await?;
        tx.check_role(organization, new.role).await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(&new.email)
            .bind(new.role.built_in())
            .bind(new.role.custom())
            .bind(hash.as_slice())
            .bind(new.invited_by.map(|account| account.as_uuid()))
            .bind(now.0)
            .bind(new.expires_at.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        let NewInvitation { email, role, invited_by, expires_at } = new.clone();
        Ok((Invitation { id, organization, email, role, invited_by, created_at: now, expires_at }, secret))
    }

    /// The invitation that `presented` is the secret of, without accepting it; none when it was accepted, is over or never
    /// was.
    pub async fn invitation(&self, presented: &str, now: Timestamp) -> Result<Option<Invitation>> {
        const SQL: &str = select_invitations!("WHERE hash = $1 AND accepted_at IS NULL AND expires_at > $2");
        let Some(hash) = self.hashed(Purpose::Invitation, presented) else { return Ok(None) };
        let row: Option<InvitationRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(hash.as_slice()).bind(now.0).fetch_optional(db).await?);
        row.map(Invitation::try_from).transpose()
    }

    /// An invitation of an organization that was not accepted.
    pub async fn open_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<Invitation> {
        const SQL: &str = select_invitations!("WHERE id = $1 AND organization = $2 AND accepted_at IS NULL");
        let row: Option<InvitationRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(Invitation::try_from).ok_or(StoreError::NotFound)?
    }

    /// The invitations of an organization that can still be accepted.
    pub async fn invitations(
        &self,
        organization: OrganizationId,
        page: Page,
        now: Timestamp,
    ) -> Result<Listed<Invitation>> {
        const SQL: &str = select_invitations!(
            "WHERE organization = $1 AND id > $2 AND accepted_at IS NULL AND expires_at > $4 ORDER BY id LIMIT $3"
        );
        let rows: Vec<InvitationRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .bind(now.0)
            .fetch_all(db)
            .await?);
        let invitations = rows.into_iter().map(Invitation::try_from).collect::<Result<_>>()?;
        Ok(Listed::cut(invitations, page, |invitation: &Invitation| invitation.id.as_uuid()))
    }

    /// Accepts an invitation, once, and makes the account a member. None when it was accepted, is over or never was; a
    /// conflict over `member`, and the invitation stays, when the account is a member already.
    pub async fn accept_invitation(
        &self,
        presented: &str,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<Invitation>> {
        const SQL: &str = "UPDATE invitations SET accepted_at = $2, accepted_by = $3
            WHERE hash = $1 AND accepted_at IS NULL AND expires_at > $2";
        let Some(hash) = self.hashed(Purpose::Invitation, presented) else { return Ok(None) };
        let Some(invitation) = self.invitation(presented, now).await? else { return Ok(None) };
        self.account(account).await?;
        let mut tx = self.change(invitation.organization).await?;
        let accepted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(now.0)
            .bind(account.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        if accepted == 0 {
            return Ok(None);
        }
        tx.insert_member(invitation.organization, account, invitation.role, now).await?;
        tx.commit().await?;
        Ok(Some(invitation))
    }

    /// Takes an invitation back.
    pub async fn delete_invitation(&self, organization: OrganizationId, id: InvitationId) -> Result<()> {
        const SQL: &str =
            "DELETE FROM invitations WHERE id = $1 AND organization = $2 AND accepted_at IS NULL";
        let mut tx = self.change(organization).await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

#[derive(FromRow)]
struct InvitationRow {
    id: Uuid,
    organization: Uuid,
    email: String,
    built_in: Option<String>,
    custom: Option<Uuid>,
    invited_by: Option<Uuid>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> Result<Self> {
        Ok(Self {
            id: InvitationId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            email: row.email,
            role: Role::read(row.built_in.as_deref(), row.custom)?,
            invited_by: row.invited_by.map(AccountId::from_uuid),
            created_at: Timestamp(row.created_at),
            expires_at: Timestamp(row.expires_at),
        })
    }
}
