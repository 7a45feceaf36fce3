//! What a provider says of itself (`OpenID` Connect Discovery), and the keys that it signs with.

use jsonwebtoken::jwk::Jwk;
use protocol::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{Endpoints, Failure};
use crate::config::check_address;
use crate::outbound::Outbound;

/// How long metadata and keys are believed.
const BELIEVED_MS: i64 = 60 * 60_000;
/// How often at most keys are fetched because a token names one that is not known.
const AGAIN_MS: i64 = 60_000;
/// How long a provider that could not be reached is left alone, so that many sign-ins do not wait one after the other.
const LEFT_ALONE_MS: i64 = 5_000;
/// Keys that are looked at.
const MAX_KEYS: usize = 100;

/// What is known of one provider.
pub(super) struct Discovery {
    may_be_private: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Endpoints, String, Timestamp)>,
    keys: Option<(Vec<Jwk>, Timestamp)>,
    failed: Option<(Failure, Timestamp)>,
}

/// The parts of the metadata that are used (section 3); RFC 9207 section 3 has the last one.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Discovery {
    pub(super) fn new(may_be_private: bool) -> Self {
        Self { may_be_private, known: Mutex::default() }
    }

    /// Where the provider is asked what.
    pub(super) async fn endpoints(
        &self,
        outbound: &Outbound,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Endpoints, Failure> {
        let mut known = self.known.lock().await;
        self.look_up(&mut known, outbound, issuer, now).await?;
        known
            .metadata
            .as_ref()
            .map(|(endpoints, ..)| endpoints.clone())
            .ok_or(Failure::Metadata("it is gone"))
    }

    /// The keys that the provider signs with. When none of them is `wanted`, they are fetched again, though not often.
    pub(super) async fn keys(
        &self,
        outbound: &Outbound,
        issuer: &str,
        wanted: impl Fn(&Jwk) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Jwk>, Failure> {
        let mut known = self.known.lock().await;
        self.look_up(&mut known, outbound, issuer, now).await?;
        let (_, address, _) = known.metadata.as_ref().ok_or(Failure::Metadata("it is gone"))?;
        if let Some((keys, at)) = &known.keys {
            let age = now.since(*at);
            let is_there = keys.iter().any(&wanted);
            if (0..BELIEVED_MS).contains(&age) && (is_there || age < AGAIN_MS) {
                return Ok(keys.clone());
            }
        }
        known.check_patience(now)?;
        let fetched = fetch::<Value>(outbound, address).await.and_then(|set| read_keys(&set));
        let keys = known.noted(fetched, now)?;
        known.keys = Some((keys.clone(), now));
        Ok(keys)
    }

    async fn look_up(
        &self,
        known: &mut Known,
        outbound: &Outbound,
        issuer: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        // A clock that was set back must not make an answer live longer.
        if let Some((.., at)) = &known.metadata
            && (0..BELIEVED_MS).contains(&now.since(*at))
        {
            return Ok(());
        }
        known.check_patience(now)?;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let fetched = fetch::<Metadata>(outbound, &address).await;
        let read = fetched.and_then(|metadata| metadata.read(issuer, self.may_be_private));
        let (endpoints, keys) = known.noted(read, now)?;
        if known.metadata.as_ref().is_some_and(|(_, before, _)| *before != keys) {
            known.keys = None;
        }
        known.metadata = Some((endpoints, keys, now));
        Ok(())
    }
}

impl Known {
    /// Answers as it did a moment ago, if it failed then.
    fn check_patience(&self, now: Timestamp) -> Result<(), Failure> {
        match &self.failed {
            Some((failure, at)) if (0..LEFT_ALONE_MS).contains(&now.since(*at)) => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    fn noted<T>(&mut self, result: Result<T, Failure>, now: Timestamp) -> Result<T, Failure> {
        self.failed = result.as_ref().err().map(|failure| (failure.clone(), now));
        result
    }
}

impl Metadata {
    /// Checks it (section 4.3): an issuer that says that it is another one is not believed.
    fn read(self, issuer: &str, may_be_private: bool) -> Result<(Endpoints, String), Failure> {
        if self.issuer != issuer {
            return Err(Failure::Metadata("it is of another issuer"));
        }
        let all = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        for address in all.into_iter().chain(&self.userinfo_endpoint) {
            check_address(address, may_be_private)
                .map_err(|_| Failure::Metadata("it has an address that is not `https`"))?;
        }
        // Without a list it is HTTP Basic (section 3).
        let methods = self.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.as_ref().is_some_and(|all| all.iter().any(|one| one == method));
        let is_basic = methods.is_none() || takes("client_secret_basic");
        if !is_basic && !takes("client_secret_post") {
            return Err(Failure::Metadata("it takes no client secret"));
        }
        let endpoints = Endpoints {
            authorize: self.authorization_endpoint,
            token: self.token_endpoint,
            userinfo: self.userinfo_endpoint,
            is_basic,
            names_itself: self.authorization_response_iss_parameter_supported,
        };
        Ok((endpoints, self.jwks_uri))
    }
}

/// Fetches a document; a redirect is no answer.
async fn fetch<T: for<'de> Deserialize<'de>>(outbound: &Outbound, address: &str) -> Result<T, Failure> {
    let reply = outbound.get(address, None).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
    if reply.status != axum::http::StatusCode::OK {
        return Err(Failure::Unreachable(format!("it answered with {}", reply.status.as_u16())));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Failure::Metadata("it cannot be read"))
}

/// The keys of a set (RFC 7517 section 5) that can be read; those of kinds that nobody here knows are passed over.
fn read_keys(set: &Value) -> Result<Vec<Jwk>, Failure> {
    let keys = set["keys"].as_array().ok_or(Failure::Metadata("its keys cannot be read"))?;
    Ok(keys.iter().take(MAX_KEYS).filter_map(|key| Jwk::deserialize(key).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<(Endpoints, String), Failure> {
        let mut metadata = json!({
            "issuer": "https://id.example",
            "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://keys.example/jwks",
        });
        change(&mut metadata);
        serde_json::from_value::<Metadata>(metadata).unwrap().read("https://id.example", false)
    }

    #[test]
    fn metadata_is_of_its_issuer_and_leads_to_safe_places() {
        let (endpoints, keys) = read(|_| {}).unwrap();
        assert!(endpoints.is_basic && !endpoints.names_itself);
        assert_eq!(keys, "https://keys.example/jwks");
        let post = |metadata: &mut Value| {
            metadata["token_endpoint_auth_methods_supported"] =
                json!(["private_key_jwt", "client_secret_post"]);
        };
        assert!(!read(post).unwrap().0.is_basic);
        let wrong: [fn(&mut Value); 4] = [
            |metadata| metadata["issuer"] = json!("https://id.example/"),
            |metadata| metadata["token_endpoint"] = json!("http://id.example/token"),
            |metadata| metadata["userinfo_endpoint"] = json!("file:///etc/passwd"),
            |metadata| metadata["token_endpoint_auth_methods_supported"] = json!(["none"]),
        ];
        for change in wrong {
            assert!(matches!(read(change), Err(Failure::Metadata(_))));
        }
    }
}
