//! How it is with the links to voice assistants: a part of the page of linked services.

use maud::{Markup, html};
use protocol::AccountId;
use store::{Assistant, AssistantLink, LinkState, StoreError};

use super::when;
use crate::Identity;
use crate::words;

/// Each link with its state and since when; nothing for whoever never had one.
pub(super) async fn part(identity: &Identity, account: AccountId) -> Result<Markup, StoreError> {
    let links = identity.store.assistant_links_of_account(account).await?;
    Ok(html! {
        @if !links.is_empty() {
            h2 { (words::ASSISTANTS) }
            ul.rows { @for link in &links { li { (row(link)) } } }
        }
    })
}

fn row(link: &AssistantLink) -> Markup {
    let (name, since) = (words::assistant(link.assistant), when(link.since()));
    html! {
        p { strong { (name) } }
        @match link.state {
            LinkState::Linked => {
                p.quiet { (words::assistant_linked(&since)) }
                // Google is told by the server's own means, and gives nothing.
                @if link.assistant == Assistant::Alexa && link.tokens.is_none() {
                    p.wrong { (words::assistant_untold(name)) }
                }
            }
            LinkState::Broken => p.wrong { (words::assistant_broken(name, &since)) },
            LinkState::Unlinked => p.quiet { (words::assistant_unlinked(&since)) },
        }
    }
}
