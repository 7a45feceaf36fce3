//! What the broker asks of identity and the API, and the API of the broker, none of which know each other.

use std::sync::Arc;

use api::PingLogError;
use broker::{Asked, BeaconKeys, Certifier, InletError, PseudonymKeys, TokenWorth, Tokens};
use identity::{Audience, BearerError, Identity, IdentityError};
use store::StoreError;

/// Where ping batches go that come over HTTP.
pub(super) fn pings(inlet: broker::Inlet) -> api::PingLog {
    api::PingLog::new(move |device, body, content_type| {
        let inlet = inlet.clone();
        async move {
            let taken = inlet.take(device, &body, content_type.as_deref()).await;
            taken.map_err(|error| match error {
                InletError::NoDevice => PingLogError::NoDevice,
                InletError::Closed => PingLogError::Closed,
                InletError::Store(error) => error.into(),
            })
        }
    })
}

/// Who signs the next certificates of devices.
pub(super) fn certifier(renewals: api::Renewals) -> Certifier {
    Certifier::new(move |Asked { organization, device, with, request }| {
        let renewals = renewals.clone();
        async move { renewals.renew(organization, device, with, request).await }
    })
}

/// The keys of identifiers that change, opened with the sealing key.
pub(super) fn beacon_keys(identity: Arc<Identity>) -> BeaconKeys {
    BeaconKeys::new(move |organization, sealed| identity.open_beacon_key(organization, sealed).ok())
}

/// The keys of pseudonyms, opened with the sealing key. Nothing is counted without them: a pseudonym made with another key would be
/// another subject.
pub(super) fn pseudonym_keys(identity: Arc<Identity>) -> PseudonymKeys {
    PseudonymKeys::new(move |organization| {
        let identity = Arc::clone(&identity);
        async move {
            identity.pseudonyms(organization).await.map_err(|error| match error {
                IdentityError::Store(error) => error,
                error => {
                    tracing::error!(%organization, %error, "the keys of an organization's pseudonyms cannot be opened");
                    StoreError::Corrupt("pseudonym key")
                }
            })
        }
    })
}

/// What access tokens are worth as passwords of MQTT.
pub(super) fn tokens(identity: Arc<Identity>) -> Tokens {
    Tokens::new(move |token| {
        let identity = Arc::clone(&identity);
        async move {
            match identity.check(&token, Audience::Mqtt).await {
                Ok(bearer) => Ok(Some(TokenWorth {
                    organization: bearer.organization,
                    account: bearer.account,
                    client: bearer.client,
                    grant: bearer.grant,
                    scopes: bearer.scopes,
                    terms: bearer.terms,
                    expires_at: bearer.expires_at,
                })),
                Err(BearerError::Invalid) => Ok(None),
                Err(BearerError::Store(error)) => Err(error),
            }
        }
    })
}
