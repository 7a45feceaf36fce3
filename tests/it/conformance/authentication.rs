//! Extended authentication, which neither server offers without being told to (section 4.12 of 5.0).

use anyhow::ensure;

use super::case::{Case, Refusals, breaks, case, rejects, v5};
use super::connect::MALFORMED;
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Property, encode, packet, value_of};

const UNKNOWN: Refusals = Refusals { v3: &[], v5: &[0x8C, 0x87] };

pub(super) fn cases() -> Vec<Case> {
    vec![
        rejects(
            v5("MQTT-4.12.0-1"),
            "an authentication method that nobody knows is not let in",
            |peer| peer.hello("c").with(method()).bytes(),
            UNKNOWN,
        ),
        rejects(
            v5("MQTT-4.13.1-1"),
            "authentication data without a method is not let in",
            |peer| peer.hello("c").with(Property::AuthenticationData(vec![1])).bytes(),
            MALFORMED,
        ),
        case(
            v5("MQTT-4.12.0-6"),
            "whoever names no authentication method is asked for none",
            nothing_without_a_method,
        ),
        breaks(
            v5("MQTT-4.12.0-7"),
            "AUTH on a connection without an authentication method ends it",
            |_| packet(0xF0, &[vec![0x19], encode(&[method()])].concat()),
            BROKEN,
        ),
        breaks(
            v5("MQTT-3.15.1-1"),
            "AUTH with flags ends the connection",
            |_| packet(0xF2, &[vec![0x19], encode(&[method()])].concat()),
            BROKEN,
        ),
    ]
}

fn method() -> Property {
    Property::AuthenticationMethod("nobody knows it".into())
}

async fn nothing_without_a_method(peer: Peer) -> anyhow::Result<()> {
    // Anything but a CONNACK in front would have been an error already.
    let mut client = peer.client("c").await?;
    let named = value_of!(client.connack.properties, AuthenticationMethod);
    ensure!(named.is_none(), "the CONNACK names {named:?}");
    client.quiet().await
}
