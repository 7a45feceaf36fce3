//! Which of our APIs a token is for (RFC 8707).

use store::Client;

use super::error::{ErrorCode, Refusal};
use crate::issuer::{Audience, Issuer};

/// The API that a client asks for: one of those it is registered for, and the HTTP API unless it says.
pub(crate) fn asked(issuer: &Issuer, client: &Client, resource: Option<&str>) -> Result<Audience, Refusal> {
    let refused =
        Refusal::new(ErrorCode::InvalidTarget, "the client may not ask for tokens for this resource");
    let Some(resource) = resource else { return Ok(Audience::Api) };
    let audience = issuer.audience(resource).ok_or(refused.clone())?;
    let registered = &client.settings.resources;
    let is_registered = registered.iter().any(|registered| registered == resource);
    if is_registered || (registered.is_empty() && audience == Audience::Api) {
        return Ok(audience);
    }
    Err(refused)
}

/// The API that something was granted for; asking for another one at the exchange is refused (RFC 8707 section 2.2).
pub(crate) fn granted(
    issuer: &Issuer,
    granted: Option<&str>,
    asked: Option<&str>,
) -> Result<Audience, Refusal> {
    let of_another = Refusal::new(ErrorCode::InvalidTarget, "this was granted for another resource");
    let audience = granted.map_or(Some(Audience::Api), |resource| issuer.audience(resource));
    // The issuer was renamed, and what was granted for the old name is not guessed.
    let audience = audience.ok_or(of_another.clone())?;
    if asked.is_some_and(|asked| issuer.resource(audience) != asked) {
        return Err(of_another);
    }
    Ok(audience)
}
