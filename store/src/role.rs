//! Roles: what a member of an organization may do.

use std::str::FromStr as _;

use protocol::{OrganizationId, RoleId, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;
use crate::scope::{Scope, ScopeSet};
use crate::text;

words! {
    /// A role that every organization has.
    pub enum BuiltInRole {
        /// May do everything; an organization always has one.
        Owner = "owner",
        /// May do everything but make or unmake owners.
        Admin = "admin",
        /// Reads numbers.
        Analyst = "analyst",
        /// Runs devices.
        Operator = "operator",
        /// Puts devices up.
        Installer = "installer",
    }
}

/// The role of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// One that every organization has.
    BuiltIn(BuiltInRole),
    /// One that the organization made for itself.
    Custom(RoleId),
}

/// A role that an organization made for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    /// Its id.
    pub id: RoleId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// A name for people, once in the organization.
    pub name: String,
    /// What its members may do.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Roles that an organization may have.
const MAX_ROLES: i64 = 100;

impl BuiltInRole {
    /// What its members may do.
    ///
    /// Admins have every permission by name and not `*`: what comes with a later version is the owner's to give. Nobody has
    /// free topics by a role, because somebody has to name their filters.
    pub fn scopes(self) -> ScopeSet {
        use Scope as S;
        match self {
            Self::Owner => ScopeSet::from_iter([S::All]),
            Self::Admin => ScopeSet::from_iter([
                S::VenuesRead,
                S::VenuesWrite,
                S::DevicesRead,
                S::DevicesWrite,
                S::CommandsWrite,
                S::AnalyticsRead,
                S::StaysRead,
                S::MovementsSubscribe,
                S::PingsWrite,
                S::MetricsRead,
                S::Admin,
            ]),
            Self::Analyst => {
                ScopeSet::from_iter([S::VenuesRead, S::AnalyticsRead, S::StaysRead, S::MovementsSubscribe])
            }
            Self::Operator => ScopeSet::from_iter([
                S::VenuesRead,
                S::DevicesRead,
                S::DevicesWrite,
                S::CommandsWrite,
                S::AnalyticsRead,
                S::MovementsSubscribe,
                S::MetricsRead,
            ]),
            Self::Installer => ScopeSet::from_iter([S::VenuesRead, S::DevicesRead, S::DevicesWrite]),
        }
    }
}

impl Role {
    pub(crate) fn built_in(self) -> Option<&'static str> {
        match self {
            Self::BuiltIn(role) => Some(role.as_str()),
            Self::Custom(_) => None,
        }
    }

    pub(crate) fn custom(self) -> Option<Uuid> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Custom(role) => Some(role.as_uuid()),
        }
    }

    pub(crate) fn read(built_in: Option<&str>, custom: Option<Uuid>) -> Result<Self> {
        match (built_in, custom) {
            (Some(word), None) => BuiltInRole::from_str(word).map(Self::BuiltIn).ok(),
            (None, Some(id)) => Some(Self::Custom(RoleId::from_uuid(id))),
            _ => None,
        }
        .ok_or(StoreError::Corrupt("role"))
    }
}

impl Store {
    /// Makes a role; a conflict over `name` when the organization has one of that name or a built-in role is called so,
    /// and over `roles` when there are 100.
    pub async fn create_role(
        &self,
        organization: OrganizationId,
        name: &str,
        scopes: &ScopeSet,
        now: Timestamp,
    ) -> Result<CustomRole> {
        const COUNT: &str = "SELECT count(*) FROM roles WHERE organization = $1";
        const SQL: &str =
            "INSERT INTO roles (id, organization, name, scopes, created_at) VALUES ($1, $2, $3, $4, $5)";
        check_name(name)?;
        let id = RoleId::new(now, random::bytes()?);
        let mut tx = self.change(organization).await?;
        let count: i64 = within!(&mut tx, |db| sqlx::query_scalar(COUNT)
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        if count >= MAX_ROLES {
            return Err(StoreError::Conflict("roles"));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(name)
            .bind(Json(scopes))
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("name"))?;
        tx.commit().await?;
        Ok(CustomRole { id, organization, name: name.to_owned(), scopes: scopes.clone(), created_at: now })
    }

    /// The roles that an organization made for itself, oldest first.
    pub async fn roles(&self, organization: OrganizationId) -> Result<Vec<CustomRole>> {
        const SQL: &str = "SELECT id, organization, name, scopes, created_at FROM roles
            WHERE organization = $1 ORDER BY id";
        let rows: Vec<RoleRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(organization.as_uuid()).fetch_all(db).await?);
        Ok(rows.into_iter().map(CustomRole::from).collect())
    }

    /// One role that the organization made for itself.
    pub async fn role(&self, organization: OrganizationId, id: RoleId) -> Result<CustomRole> {
        const SQL: &str = "SELECT id, organization, name, scopes, created_at FROM roles
            WHERE id = $1 AND organization = $2";
        let row: Option<RoleRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(CustomRole::from).ok_or(StoreError::NotFound)
    }

    /// Changes the name of a role and what its members may do, at once.
    pub async fn change_role(
        &self,
        organization: OrganizationId,
        id: RoleId,
        name: &str,
        scopes: &ScopeSet,
    ) -> Result<()> {
        const SQL: &str = "UPDATE roles SET name = $3, scopes = $4 WHERE id = $1 AND organization = $2";
        check_name(name)?;
        let mut tx = self.change(organization).await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(name)
            .bind(Json(scopes))
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
        .map_err(StoreError::unique("name"))?;
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Deletes a role; a conflict over `members` while a member has it. Invitations that would give it are deleted too.
    pub async fn delete_role(&self, organization: OrganizationId, id: RoleId) -> Result<()> {
        const HELD: &str = "SELECT account FROM memberships WHERE organization = $2 AND custom = $1 LIMIT 1";
        const INVITATIONS: &str = "DELETE FROM invitations WHERE custom = $1 AND organization = $2";
        const SQL: &str = "DELETE FROM roles WHERE id = $1 AND organization = $2";
        let mut tx = self.change(organization).await?;
        let held: Option<Uuid> = within!(&mut tx, |db| sqlx::query_scalar(HELD)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        if held.is_some() {
            return Err(StoreError::Conflict("members"));
        }
        let mut deleted = 0;
        for statement in [INVITATIONS, SQL] {
            deleted = within!(&mut tx, |db| sqlx::query(statement)
                .bind(id.as_uuid())
                .bind(organization.as_uuid())
                .execute(db)
                .await?
                .rows_affected());
        }
        tx.commit().await?;
        if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

impl Tx {
    /// Refuses a role that the organization does not have.
    pub(crate) async fn check_role(&mut self, organization: OrganizationId, role: Role) -> Result<()> {
        const SQL: &str = "SELECT id FROM roles WHERE id = $1 AND organization = $2";
        let Role::Custom(id) = role else { return Ok(()) };
        let found: Option<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        found.map(drop).ok_or(StoreError::NotFound)
    }
}

fn check_name(name: &str) -> Result<()> {
    text::check("the name of a role", name, 100)?;
    if BuiltInRole::ALL.iter().any(|role| role.as_str().eq_ignore_ascii_case(name)) {
        return Err(StoreError::Conflict("name"));
    }
    Ok(())
}

#[derive(FromRow)]
struct RoleRow {
    id: Uuid,
    organization: Uuid,
    name: String,
    scopes: Json<ScopeSet>,
    created_at: i64,
}

impl From<RoleRow> for CustomRole {
    fn from(row: RoleRow) -> Self {
        Self {
            id: RoleId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            name: row.name,
            scopes: row.scopes.0,
            created_at: Timestamp(row.created_at),
        }
    }
}
