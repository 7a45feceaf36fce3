//! The statements that read requests.

use protocol::{ClaimKeyId, DeviceId, EnrolmentId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Enrolment, EnrolmentName};
use crate::claim_key::{ClaimRefusal, LastRefusal};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::typed::{TypedCode, TypedPurpose};

macro_rules! select_enrolments {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization, claim_key, kind, serial, model, csr IS NOT NULL AS wants_certificate, address, status,
                device, created_at, expires_at
            FROM enrolments ",
            $rest
        )
    };
}

impl Store {
    /// What waits in an organization, for a person or to be fetched, in the order it came. What came without a claim key is not
    /// among it before somebody decides.
    pub async fn enrolments(
        &self,
        organization: OrganizationId,
        page: Page,
        now: Timestamp,
    ) -> Result<Listed<Enrolment>> {
        const SQL: &str = select_enrolments!(
            "WHERE organization = $1 AND id > $2 AND expires_at > $4 AND status IN ('pending', 'approved')
            ORDER BY id LIMIT $3"
        );
        let rows: Vec<EnrolmentRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .bind(now.0)
            .fetch_all(db)
            .await?);
        let enrolments = rows.into_iter().map(Enrolment::try_from).collect::<Result<_>>()?;
        Ok(Listed::cut(enrolments, page, |enrolment: &Enrolment| enrolment.id.as_uuid()))
    }

    /// A request that waits, by its id or its code. Not found when it is over, or another organization's.
    pub async fn enrolment(
        &self,
        organization: OrganizationId,
        name: EnrolmentName<'_>,
        now: Timestamp,
    ) -> Result<Enrolment> {
        self.snapshot().await?.enrolment(self, organization, name, now).await
    }

    /// Counts with its claim key that somebody of this organization typed the code of a device of another, for whoever looks after
    /// the key. Gives whether there was anything to count: what waits without a claim key is nobody's yet.
    pub async fn note_foreign_organization(
        &self,
        organization: OrganizationId,
        typed: &str,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "SELECT organization, claim_key FROM enrolments
            WHERE user_code_hash = $1 AND organization <> $2 AND claim_key IS NOT NULL AND expires_at > $3";
        let Some(code) = TypedCode::parse(TypedPurpose::Enrolment, typed) else { return Ok(false) };
        let hash = code.hash(self);
        let found: Option<(Uuid, Uuid)> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(organization.as_uuid())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        let Some((owner, key)) = found else { return Ok(false) };
        let (owner, key) = (OrganizationId::from_uuid(owner), ClaimKeyId::from_uuid(key));
        let why = ClaimRefusal::WrongOrganization;
        let refusal = LastRefusal { why, at: now, address: address.map(str::to_owned) };
        let mut tx = self.change(owner).await?;
        tx.refuse_claim_key(owner, key, &refusal).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Tx {
    pub(super) async fn enrolment(
        &mut self,
        store: &Store,
        organization: OrganizationId,
        name: EnrolmentName<'_>,
        now: Timestamp,
    ) -> Result<Enrolment> {
        const BY_ID: &str = select_enrolments!(
            "WHERE id = $1 AND organization = $2 AND expires_at > $3 AND status IN ('pending', 'approved')"
        );
        // Whoever has the code has the device in front of them: it may be of no organization yet.
        const BY_CODE: &str = select_enrolments!(
            "WHERE user_code_hash = $1 AND (organization IS NULL OR organization = $2) AND expires_at > $3
                AND status IN ('pending', 'approved')"
        );
        let organization = organization.as_uuid();
        let row: Option<EnrolmentRow> = match name {
            EnrolmentName::Id(id) => within!(self, |db| sqlx::query_as(BY_ID)
                .bind(id.as_uuid())
                .bind(organization)
                .bind(now.0)
                .fetch_optional(db)
                .await?),
            EnrolmentName::Code(typed) => {
                let code = TypedCode::parse(TypedPurpose::Enrolment, typed).ok_or(StoreError::NotFound)?;
                let hash = code.hash(store);
                within!(self, |db| sqlx::query_as(BY_CODE)
                    .bind(hash.as_slice())
                    .bind(organization)
                    .bind(now.0)
                    .fetch_optional(db)
                    .await?)
            }
        };
        row.map(Enrolment::try_from).ok_or(StoreError::NotFound)?
    }
}

#[derive(FromRow)]
struct EnrolmentRow {
    id: Uuid,
    organization: Option<Uuid>,
    claim_key: Option<Uuid>,
    kind: String,
    serial: Option<String>,
    model: Option<String>,
    wants_certificate: bool,
    address: Option<String>,
    status: String,
    device: Option<Uuid>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<EnrolmentRow> for Enrolment {
    type Error = StoreError;

    fn try_from(row: EnrolmentRow) -> Result<Self> {
        const CORRUPT: StoreError = StoreError::Corrupt("enrolment");
        Ok(Self {
            id: EnrolmentId::from_uuid(row.id),
            organization: row.organization.map(OrganizationId::from_uuid),
            claim_key: row.claim_key.map(ClaimKeyId::from_uuid),
            kind: row.kind.parse().map_err(|_| CORRUPT)?,
            serial: row.serial,
            model: row.model,
            wants_certificate: row.wants_certificate,
            address: row.address,
            status: row.status.parse().map_err(|_| CORRUPT)?,
            device: row.device.map(DeviceId::from_uuid),
            created_at: Timestamp(row.created_at),
            expires_at: Timestamp(row.expires_at),
        })
    }
}
