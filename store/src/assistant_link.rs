//! Links to voice assistants: whom they were given by, and how it is with them.

use protocol::{AccountId, GrantId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};

words! {
    /// A voice assistant.
    pub enum Assistant {
        /// Google's.
        Google = "google",
        /// Amazon's.
        Alexa = "alexa",
    }
}

words! {
    /// How it is with a link.
    pub enum LinkState {
        /// It works.
        Linked = "linked",
        /// The assistant does not know it any more; the person has to link again.
        Broken = "broken",
        /// The person unlinked on the side of the assistant.
        Unlinked = "unlinked",
    }
}

/// What a person linked to an assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssistantLink {
    /// Whose devices.
    pub organization: OrganizationId,
    /// The person.
    pub account: AccountId,
    /// To which assistant.
    pub assistant: Assistant,
    /// What allows it.
    pub grant: GrantId,
    /// Whether it reaches venues too, and not devices alone.
    pub venues: bool,
    /// How it is with it.
    pub state: LinkState,
    /// What the assistant gave to be told of changes, sealed.
    pub tokens: Option<Vec<u8>>,
    /// Since when.
    pub linked_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

macro_rules! select_links {
    ($rest:literal) => {
        concat!(
            "SELECT organization, account, assistant, grant_id, venues, state, tokens, linked_at, changed_at
            FROM assistant_links ",
            $rest
        )
    };
}

impl Store {
    /// Notes that an assistant came for a person: it is linked from now on, whatever it was before. What it gave is kept.
    pub async fn link_assistant(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        grant: GrantId,
        venues: bool,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO assistant_links
                (organization, account, assistant, grant_id, venues, state, linked_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
            ON CONFLICT (organization, account, assistant) DO UPDATE
            SET grant_id = excluded.grant_id, venues = excluded.venues, state = excluded.state,
                changed_at = excluded.changed_at,
                linked_at = CASE WHEN assistant_links.state = excluded.state
                    THEN assistant_links.linked_at ELSE excluded.linked_at END";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .bind(grant.as_uuid())
            .bind(venues)
            .bind(LinkState::Linked.as_str())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Keeps what an assistant gave, sealed. [`StoreError::NotFound`] where nothing is linked.
    pub async fn keep_assistant_tokens(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        tokens: &[u8],
    ) -> Result<()> {
        const SQL: &str = "UPDATE assistant_links SET tokens = $4
            WHERE organization = $1 AND account = $2 AND assistant = $3";
        let mut tx = self.begin().await?;
        let updated = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .bind(tokens)
            .execute(db)
            .await?
            .rows_affected());
        if updated == 0 {
            return Err(StoreError::NotFound);
        }
        tx.commit().await
    }

    /// Ends a link, as broken or as unlinked: what the assistant gave is forgotten. Nothing happens to one that has ended.
    pub async fn end_assistant_link(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        state: LinkState,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE assistant_links SET state = $4, tokens = NULL, changed_at = $5
            WHERE organization = $1 AND account = $2 AND assistant = $3 AND state = 'linked'";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .bind(state.as_str())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// The links of a person, those that ended included.
    pub async fn assistant_links_of(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<Vec<AssistantLink>> {
        const SQL: &str = select_links!("WHERE organization = $1 AND account = $2 ORDER BY assistant");
        let rows: Vec<LinkRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .fetch_all(db)
            .await?);
        rows.into_iter().map(AssistantLink::try_from).collect()
    }

    /// Every link of the installation that works, for whoever tells assistants of changes.
    pub async fn assistant_links(&self) -> Result<Vec<AssistantLink>> {
        const SQL: &str = select_links!("WHERE state = 'linked' ORDER BY organization, account, assistant");
        let rows: Vec<LinkRow> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        rows.into_iter().map(AssistantLink::try_from).collect()
    }
}

#[derive(FromRow)]
struct LinkRow {
    organization: Uuid,
    account: Uuid,
    assistant: String,
    grant_id: Uuid,
    venues: bool,
    state: String,
    tokens: Option<Vec<u8>>,
    linked_at: i64,
    changed_at: i64,
}

impl TryFrom<LinkRow> for AssistantLink {
    type Error = StoreError;

    fn try_from(row: LinkRow) -> Result<Self> {
        Ok(Self {
            organization: OrganizationId::from_uuid(row.organization),
            account: AccountId::from_uuid(row.account),
            assistant: row.assistant.parse().map_err(|_| StoreError::Corrupt("assistant"))?,
            grant: GrantId::from_uuid(row.grant_id),
            venues: row.venues,
            state: row.state.parse().map_err(|_| StoreError::Corrupt("state of a link"))?,
            tokens: row.tokens,
            linked_at: Timestamp(row.linked_at),
            changed_at: Timestamp(row.changed_at),
        })
    }
}
