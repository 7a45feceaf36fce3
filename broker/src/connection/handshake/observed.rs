//! What is noted of a device that signs in, or tries to.

use std::fmt::Write as _;
use std::sync::Arc;

use protocol::Timestamp;

use crate::access::{Access, Identity};
use crate::codec::Version;
use crate::facts::{Observed, RefusedSignIn, SignIn};
use crate::front::{Front, Peer};
use crate::session::Session;
use crate::sign_in::Credential;

/// Notes that a device signed in.
pub(super) fn observe(
    front: &Front,
    access: &Access,
    session: &Session,
    credential: Option<Credential>,
    version: Version,
    peer: &Peer,
    since: Timestamp,
) -> Option<Arc<Observed>> {
    let Identity::Device(device) = access.identity else { return None };
    let observed = front.facts.of(access.organization, device);
    let sign_in = SignIn {
        at: since,
        address: peer.address.ip().to_canonical().to_string(),
        transport: peer.transport.name().to_owned(),
        version: if version == Version::V4 { "3.1.1" } else { "5" }.to_owned(),
        client_id: session.key.client_id.to_string(),
        certificate: match credential {
            Some(Credential::Certificate(fingerprint)) => Some(hex(fingerprint)),
            Some(Credential::Token { .. }) | None => None,
        },
    };
    observed.connected(sign_in);
    Some(observed)
}

/// Notes that a sign-in of a device that exists was refused.
pub(super) fn note_refusal(front: &Front, user_name: Option<&str>, peer: &Peer, cause: &str) {
    let named = user_name.or(peer.certificate.as_ref().and_then(|it| it.common_name.as_deref()));
    let Some(device) = named.and_then(|name| name.parse().ok()) else { return };
    let Some(reporter) = front.sign_in.registry.view().reporter(device) else { return };
    let refused = RefusedSignIn {
        at: front.clock.now(),
        address: peer.address.ip().to_canonical().to_string(),
        cause: cause.to_owned(),
    };
    let observed = front.facts.of(reporter.organization, device);
    observed.change(|facts| facts.refused_sign_in = Some(refused));
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
