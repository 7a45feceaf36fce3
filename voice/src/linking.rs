//! Links of people to assistants: how they begin, how they end, and what is written down of it.

use identity::Bearer;
use protocol::{AccountId, GrantId, OrganizationId, Timestamp};
use serde_json::json;
use store::{Assistant, AssistantLink, LinkState, Scope, StoreError};

use crate::Voice;
use crate::audit::What;

/// How it is with what a person linked to an assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// To which assistant.
    pub assistant: Assistant,
    /// How it is with it.
    pub state: LinkState,
    /// Whether the assistant can be told of changes. Where it cannot, it still asks and orders.
    pub reports: bool,
    /// Whether it reaches venues too, and not devices alone.
    pub venues: bool,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// Since when it is with it as it is.
    pub changed_at: Timestamp,
}

impl Voice {
    /// What a person linked in an organization, also what has ended.
    pub async fn links(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<Vec<Link>, StoreError> {
        let mut links = Vec::new();
        for link in self.store.assistant_links_of(organization, account).await? {
            let reports = link.state == LinkState::Linked && self.reports(&link);
            let AssistantLink { assistant, state, venues, linked_at, .. } = link;
            links.push(Link { assistant, state, reports, venues, linked_at, changed_at: link.since() });
        }
        Ok(links)
    }

    fn reports(&self, link: &AssistantLink) -> bool {
        match (link.assistant, &self.event_gateway) {
            (Assistant::Google, _) => self.home_graph.is_some(),
            (Assistant::Alexa, Some(gateway)) => gateway.has_tokens_of(link),
            (Assistant::Alexa, None) => false,
        }
    }

    /// An assistant came for a person.
    pub(crate) async fn link(
        &self,
        bearer: &Bearer,
        account: AccountId,
        assistant: Assistant,
    ) -> Result<(), StoreError> {
        let (organization, grant, venues) = (bearer.organization, bearer.grant, sees_venues(bearer));
        let link = self.store.link_assistant(organization, account, assistant, grant, venues, self.now());
        if link.await? {
            let detail = json!({"assistant": assistant.as_str()});
            self.record(What::AssistantLinked, organization, account, detail).await;
        }
        Ok(())
    }

    /// An assistant said that it does not know a person any more: as broken, or as unlinked. A link that another grant allows
    /// by now is not the one that was meant.
    pub(crate) async fn end_link(
        &self,
        (organization, account, assistant): (OrganizationId, AccountId, Assistant),
        grant: GrantId,
        state: LinkState,
    ) -> Result<(), StoreError> {
        let what = match state {
            LinkState::Broken => What::AssistantLinkBroken,
            LinkState::Unlinked | LinkState::Linked => What::AssistantUnlinked,
        };
        if self.ended((organization, account, assistant), grant, state).await? {
            self.record(what, organization, account, json!({"assistant": assistant.as_str()})).await;
        }
        Ok(())
    }

    /// What allowed a link has ended. Whoever ended that has written it down.
    pub(crate) async fn end_link_with_its_grant(&self, link: &AssistantLink) -> Result<(), StoreError> {
        let which = (link.organization, link.account, link.assistant);
        self.ended(which, link.grant, LinkState::Unlinked).await.map(drop)
    }

    /// Ends and counts it; whether it was this that ended it.
    async fn ended(
        &self,
        (organization, account, assistant): (OrganizationId, AccountId, Assistant),
        grant: GrantId,
        state: LinkState,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let ended =
            self.store.end_assistant_link(organization, account, assistant, grant, state, now).await?;
        if ended {
            self.metrics.link_ended(assistant, state);
        }
        Ok(ended)
    }

    /// Whether Alexa can be told something of a person now.
    pub(crate) async fn may_tell_alexa(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<bool, StoreError> {
        match &self.event_gateway {
            Some(gateway) => gateway.reaches(organization, account).await,
            None => Ok(false),
        }
    }
}

/// Whether venues may be asked how many people are in them.
pub(crate) fn sees_venues(bearer: &Bearer) -> bool {
    bearer.scopes.allows(&Scope::AnalyticsRead)
}
