//! Memberships: who may do what in which organization.

use protocol::{AccountId, OrganizationId, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::RevokedWhy;
use crate::page::{Listed, Page};
use crate::role::{BuiltInRole, Role};
use crate::scope::ScopeSet;

/// An account in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub organization: OrganizationId,
    /// Who.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// What the role allows, right now.
    pub scopes: ScopeSet,
    /// Since when.
    pub created_at: Timestamp,
}

/// A membership and what its person is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The membership.
    pub membership: Membership,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
}

macro_rules! select_memberships {
    ($rest:literal) => {
        concat!(
            "SELECT m.organization, m.account, m.built_in, m.custom, r.scopes, m.created_at, a.name, a.email
            FROM memberships m JOIN accounts a ON a.id = m.account
            LEFT JOIN roles r ON r.id = m.custom AND r.organization = m.organization ",
            $rest
        )
    };
}

impl Store {
    /// Makes an account a member; a conflict over `member` when it is one already.
    pub async fn add_member(
        &self,
        organization: OrganizationId,
        account: AccountId,
        role: Role,
        now: Timestamp,
    ) -> Result<()> {
        self.account(account).await?;
        let mut tx = self.change(organization).await?;
        tx.insert_member(organization, account, role, now).await?;
        tx.commit().await
    }

    /// The membership of an account; none when it is no member.
    pub async fn membership(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<Option<Membership>> {
        const SQL: &str = select_memberships!("WHERE m.organization = $1 AND m.account = $2");
        let row: Option<MemberRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(|row| row.read().map(|member| member.membership)).transpose()
    }

    /// The memberships of an account in every organization.
    pub async fn memberships(&self, account: AccountId) -> Result<Vec<Membership>> {
        const SQL: &str = select_memberships!("WHERE m.account = $1 ORDER BY m.organization");
        let rows: Vec<MemberRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        rows.into_iter().map(|row| row.read().map(|member| member.membership)).collect()
    }

    /// The members of an organization by account, the oldest account first.
    pub async fn members(&self, organization: OrganizationId, page: Page) -> Result<Listed<Member>> {
        const SQL: &str =
            select_memberships!("WHERE m.organization = $1 AND m.account > $2 ORDER BY m.account LIMIT $3");
        let rows: Vec<MemberRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let members = rows.into_iter().map(MemberRow::read).collect::<Result<_>>()?;
        Ok(Listed::cut(members, page, |member: &Member| member.membership.account.as_uuid()))
    }

    /// Gives a member another role; a conflict over `owner` when it is the last owner who may sign in, and over `role` when it
    /// no longer has the role that it had `before`, where that was looked at.
    pub async fn change_member(
        &self,
        organization: OrganizationId,
        account: AccountId,
        before: Option<Role>,
        role: Role,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE memberships SET built_in = $3, custom = $4 WHERE organization = $1 AND account = $2";
        let mut tx = self.change(organization).await?;
        tx.check_role(organization, role).await?;
        tx.still_has(organization, account, before).await?;
        if role != Role::BuiltIn(BuiltInRole::Owner) {
            tx.keep_an_owner(organization, account).await?;
        }
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(role.built_in())
            .bind(role.custom())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Ends a membership and revokes what its account allowed clients of the organization; conflicts as
    /// [`Store::change_member`] has.
    pub async fn remove_member(
        &self,
        organization: OrganizationId,
        account: AccountId,
        before: Option<Role>,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "DELETE FROM memberships WHERE organization = $1 AND account = $2";
        let mut tx = self.change(organization).await?;
        tx.still_has(organization, account, before).await?;
        tx.keep_an_owner(organization, account).await?;
        let removed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        if removed == 0 {
            return Err(StoreError::NotFound);
        }
        tx.revoke_grants_of_member(organization, account, RevokedWhy::MemberRemoved, now).await?;
        tx.commit().await
    }
}

impl Tx {
    pub(crate) async fn insert_member(
        &mut self,
        organization: OrganizationId,
        account: AccountId,
        role: Role,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO memberships (organization, account, built_in, custom, created_at)
            VALUES ($1, $2, $3, $4, $5)";
        self.check_role(organization, role).await?;
        within!(self, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(role.built_in())
            .bind(role.custom())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("member"))
    }

    /// Refuses when a member no longer has the role that was looked at. Changes of one organization come one after the other.
    async fn still_has(
        &mut self,
        organization: OrganizationId,
        account: AccountId,
        before: Option<Role>,
    ) -> Result<()> {
        const SQL: &str = "SELECT built_in, custom FROM memberships WHERE organization = $1 AND account = $2";
        let Some(before) = before else { return Ok(()) };
        let row: Option<(Option<String>, Option<Uuid>)> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .fetch_optional(db)
            .await?);
        let (built_in, custom) = row.ok_or(StoreError::NotFound)?;
        let now = Role::read(built_in.as_deref(), custom)?;
        if now == before { Ok(()) } else { Err(StoreError::Conflict("role")) }
    }

    /// Refuses when `account` is an owner and no other owner may sign in. Changes of one organization come one after the
    /// other, so two owners cannot both be the first to leave.
    async fn keep_an_owner(&mut self, organization: OrganizationId, account: AccountId) -> Result<()> {
        const SQL: &str = "SELECT m.account FROM memberships m JOIN accounts a ON a.id = m.account
            WHERE m.organization = $1 AND m.built_in = $2 AND (m.account = $3 OR a.disabled_at IS NULL)";
        let owners: Vec<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(BuiltInRole::Owner.as_str())
            .bind(account.as_uuid())
            .fetch_all(db)
            .await?);
        if owners == [account.as_uuid()] { Err(StoreError::Conflict("owner")) } else { Ok(()) }
    }
}

#[derive(FromRow)]
struct MemberRow {
    organization: Uuid,
    account: Uuid,
    built_in: Option<String>,
    custom: Option<Uuid>,
    scopes: Option<Json<ScopeSet>>,
    created_at: i64,
    name: String,
    email: String,
}

impl MemberRow {
    fn read(self) -> Result<Member> {
        let role = Role::read(self.built_in.as_deref(), self.custom)?;
        let scopes = match role {
            Role::BuiltIn(role) => role.scopes(),
            Role::Custom(_) => self.scopes.ok_or(StoreError::Corrupt("role"))?.0,
        };
        let membership = Membership {
            organization: OrganizationId::from_uuid(self.organization),
            account: AccountId::from_uuid(self.account),
            role,
            scopes,
            created_at: Timestamp(self.created_at),
        };
        Ok(Member { membership, name: self.name, email: self.email })
    }
}
