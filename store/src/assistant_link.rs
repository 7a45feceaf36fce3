//! Links to voice assistants: whom they were given by, and how it is with them.

mod missed;

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
    /// When it was linked.
    pub linked_at: Timestamp,
    /// When it ended. While it is linked: as of when the assistant knows what there is; of Alexa that is never known better by
    /// its coming, since it keeps what nobody tells it is gone.
    pub changed_at: Timestamp,
}

impl AssistantLink {
    /// Since when it is with it as it is.
    pub fn since(&self) -> Timestamp {
        if self.state == LinkState::Linked { self.linked_at } else { self.changed_at }
    }
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
    /// Notes that an assistant came for a person and asked what there is: it is linked from now on, whatever it was before. What
    /// it gave is kept. Whether it was not linked until now.
    pub async fn link_assistant(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        grant: GrantId,
        venues: bool,
        now: Timestamp,
    ) -> Result<bool> {
        const MAKE: &str = "INSERT INTO assistant_links
                (organization, account, assistant, grant_id, venues, state, linked_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, 'linked', $6, $6)
            ON CONFLICT (organization, account, assistant) DO NOTHING";
        const AGAIN: &str = "UPDATE assistant_links
            SET grant_id = $4, venues = $5, state = 'linked', linked_at = $6,
                changed_at = CASE WHEN assistant = 'alexa' THEN changed_at ELSE $6 END
            WHERE organization = $1 AND account = $2 AND assistant = $3 AND state <> 'linked'";
        const STILL: &str = "UPDATE assistant_links
            SET grant_id = $4, venues = $5,
                changed_at = CASE WHEN assistant = 'alexa' THEN changed_at ELSE $6 END
            WHERE organization = $1 AND account = $2 AND assistant = $3";
        let mut tx = self.begin().await?;
        let mut is_new = false;
        // Each in its turn, so that of two that come at once one is the first.
        for (statement, makes) in [(MAKE, true), (AGAIN, true), (STILL, false)] {
            let rows = within!(&mut tx, |db| sqlx::query(statement)
                .bind(organization.as_uuid())
                .bind(account.as_uuid())
                .bind(assistant.as_str())
                .bind(grant.as_uuid())
                .bind(venues)
                .bind(now.0)
                .execute(db)
                .await?
                .rows_affected());
            if rows > 0 {
                is_new = makes;
                break;
            }
        }
        tx.commit().await?;
        Ok(is_new)
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

    /// Forgets what an assistant gave: it cannot be told of changes then, until it gives something anew.
    pub async fn forget_assistant_tokens(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
    ) -> Result<()> {
        const SQL: &str = "UPDATE assistant_links SET tokens = NULL
            WHERE organization = $1 AND account = $2 AND assistant = $3";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Ends a link, as broken or as unlinked: what the assistant gave is forgotten. Nothing happens to one that has ended, nor to
    /// one that another grant allows by now; whether it was this that ended it.
    pub async fn end_assistant_link(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        grant: GrantId,
        state: LinkState,
        now: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE assistant_links SET state = $5, tokens = NULL, changed_at = $6
            WHERE organization = $1 AND account = $2 AND assistant = $3 AND grant_id = $4 AND state = 'linked'";
        let mut tx = self.begin().await?;
        let ended = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .bind(grant.as_uuid())
            .bind(state.as_str())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(ended > 0)
    }

    /// The links of a person in one organization, those that ended included.
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

    /// The links of a person in every organization, those that ended included, for the person alone.
    pub async fn assistant_links_of_account(&self, account: AccountId) -> Result<Vec<AssistantLink>> {
        const SQL: &str = select_links!("WHERE account = $1 ORDER BY assistant, organization");
        let rows: Vec<LinkRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
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
