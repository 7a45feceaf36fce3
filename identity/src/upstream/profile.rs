//! Asking a provider who an access token is for.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use axum::http::StatusCode;
use lettre::Address;
use oauth2::AccessToken;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::exchange::text;
use super::{Endpoints, Failure, Provider, Somebody, id_token};
use crate::config::ProviderKind;
use crate::outbound::Outbound;

/// What the Graph API says of a person.
#[derive(Deserialize)]
struct Facebook {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

/// What Login with Amazon says of a person.
#[derive(Deserialize)]
struct Amazon {
    user_id: String,
    name: Option<String>,
    email: Option<String>,
}

/// What `OpenID` Connect says of a person (Core section 5.3.2).
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
}

impl Provider {
    /// Asks the API of a provider that has no ID tokens. Neither says that it verified an address.
    pub(super) async fn ask_profile(
        &self,
        outbound: &Outbound,
        endpoints: &Endpoints,
        token: &AccessToken,
    ) -> Result<Somebody, Failure> {
        let address = endpoints.userinfo.as_deref().ok_or(Failure::Profile("it has no address for that"))?;
        if self.kind == ProviderKind::Facebook {
            let address = proven(address, self.secret(), text(token))?;
            let Facebook { id, name, email } = ask(outbound, &address, token).await?;
            return Somebody::of(id, email, false, name);
        }
        let Amazon { user_id, name, email } = ask(outbound, address, token).await?;
        Somebody::of(user_id, email, false, name)
    }

    /// Asks for what did not stand in the ID token: with a code, the address is told here (Core section 5.4).
    pub(super) async fn ask_userinfo(
        &self,
        outbound: &Outbound,
        endpoints: &Endpoints,
        token: &AccessToken,
        claims: id_token::Claims,
    ) -> Result<Somebody, Failure> {
        let address = endpoints.userinfo.as_deref().ok_or(Failure::Profile("it has no address for that"))?;
        let info: UserInfo = ask(outbound, address, token).await?;
        // Whoever exchanged the access token for another's would be found out here (Core section 5.3.2).
        if info.sub != claims.sub {
            return Err(Failure::Profile("it speaks of somebody else"));
        }
        Somebody::of(info.sub, info.email, info.email_verified == true, info.name.or(claims.name))
    }
}

impl Somebody {
    /// Takes what can be kept: an address that is none is no address, and a name is cut.
    pub(super) fn of(
        subject: String,
        email: Option<String>,
        email_verified: bool,
        name: Option<String>,
    ) -> Result<Self, Failure> {
        // OpenID Connect Core section 2 has 255 ASCII characters.
        if !(1..=255).contains(&subject.len()) || subject.chars().any(char::is_control) {
            return Err(Failure::Profile("its name for the person is none"));
        }
        let email = email.filter(|email| email.len() <= 254 && email.parse::<Address>().is_ok());
        let name = name.unwrap_or_default();
        let name = name.trim().chars().filter(|character| !character.is_control()).take(200).collect();
        let email_verified = email_verified && email.is_some();
        Ok(Self { subject, email, email_verified, name, is_fresh: None })
    }
}

async fn ask<T: DeserializeOwned>(
    outbound: &Outbound,
    address: &str,
    token: &AccessToken,
) -> Result<T, Failure> {
    let reply = outbound.get(address, Some(text(token))).await;
    let reply = reply.map_err(|error| Failure::Unreachable(error.to_string()))?;
    if reply.status != StatusCode::OK {
        return Err(Failure::Profile("it refused the access token"));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Failure::Profile("its answer cannot be read"))
}

/// Shows beside the token that this server knows the secret, which applications can be set to require
/// (<https://developers.facebook.com/docs/graph-api/guides/secure-requests>).
fn proven(address: &str, secret: &[u8], token: &str) -> Result<String, Failure> {
    use std::fmt::Write as _;
    let mut address = Url::parse(address).map_err(|_| Failure::Profile("its address is none"))?;
    let proof = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret), token.as_bytes());
    let hex = proof.as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing into a text does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    address.query_pairs_mut().append_pair("appsecret_proof", &hex);
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_somebody_is_bounded() {
        let of = |subject: &str, email: &str, name: &str| {
            Somebody::of(subject.to_owned(), Some(email.to_owned()), true, Some(name.to_owned()))
        };
        let somebody = of("1", "ann@example.com", " An\u{0}n ").unwrap();
        assert_eq!((somebody.name.as_str(), somebody.email_verified), ("Ann", true));
        let somebody = of("1", "no address", &"x".repeat(300)).unwrap();
        assert_eq!((somebody.name.len(), somebody.email, somebody.email_verified), (200, None, false));
        assert!(of("", "", "").is_err());
        assert!(of(&"x".repeat(256), "", "").is_err());
    }

    #[test]
    fn the_proof_is_an_hmac_of_the_token() {
        // RFC 4231 section 4.3.
        let address = proven("https://graph.example/me?fields=id", b"Jefe", "what do ya want for nothing?");
        assert_eq!(
            address.unwrap(),
            "https://graph.example/me?fields=id&appsecret_proof=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
