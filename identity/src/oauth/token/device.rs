//! A device that waits for a person (RFC 8628 section 3.4).

use store::DevicePoll;

use super::super::client::Asked;
use super::super::error::{ErrorCode, Refusal};
use super::super::resource;
use super::answer::{Answer, Issue, first_refresh_token};
use super::stored_scopes;
use crate::Identity;

pub(super) async fn exchange(identity: &Identity, asked: &Asked) -> Result<Answer, Refusal> {
    let client = &asked.client;
    let presented = asked.parameters.require("device_code", "`device_code` is missing")?;
    let refused = |code, description| Err(Refusal::new(code, description));
    match identity.store.poll_device_request(client.id, presented, identity.clock.now()).await? {
        DevicePoll::Redeemed(grant) => {
            let audience = resource::granted(
                &identity.issuer,
                grant.resource.as_deref(),
                asked.parameters.get("resource"),
            )?;
            let scopes = stored_scopes(&grant.scopes)?;
            let refresh_token = first_refresh_token(identity, client, &grant).await?;
            Issue { client, grant: &grant, scopes, audience, refresh_token, code: None }
                .answer(identity)
                .await
        }
        DevicePoll::Pending => refused(ErrorCode::AuthorizationPending, "nobody has answered yet"),
        DevicePoll::SlowDown => refused(ErrorCode::SlowDown, "wait five seconds longer between requests"),
        DevicePoll::Denied => refused(ErrorCode::AccessDenied, "a person refused"),
        DevicePoll::Expired => refused(ErrorCode::ExpiredToken, "the code is over; ask for a new one"),
        DevicePoll::Unknown => {
            refused(ErrorCode::InvalidGrant, "the code is unknown, was used, or is another client's")
        }
    }
}
