//! MQTT 3.1.1 control packets (OASIS Standard, 29 October 2014), as many as a load generator needs.

use super::LoadError;

/// A packet that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// The broker's answer to the sign-in; 0 is accepted (3.2).
    ConnAck { code: u8 },
    /// A publish was acknowledged (3.4).
    PubAck { packet: u16 },
    /// Something was published (3.3); `packet` is 0 without acknowledgement.
    Publish { packet: u16, topic: &'a [u8], body: &'a [u8] },
    /// The answer to a subscription; 0x80 is refused (3.9).
    SubAck { code: u8 },
}

/// CONNECT with a clean session; a keep-alive of 0 s is none (3.1).
pub(super) fn connect(client_id: &str, user: Option<&(String, String)>, keep_alive: u16, out: &mut Vec<u8>) {
    let mut rest = Vec::new();
    text("MQTT", &mut rest);
    let credentials = if user.is_some() { 0b1100_0000 } else { 0 };
    let [high, low] = keep_alive.to_be_bytes();
    rest.extend_from_slice(&[4, 0b10 | credentials, high, low]);
    text(client_id, &mut rest);
    if let Some((name, password)) = user {
        text(name, &mut rest);
        text(password, &mut rest);
    }
    head(0x10, rest.len(), out);
    out.extend_from_slice(&rest);
}

/// SUBSCRIBE to one filter (3.8).
pub(super) fn subscribe(packet: u16, filter: &str, qos: u8, out: &mut Vec<u8>) {
    head(0x82, 2 + 2 + filter.len() + 1, out);
    out.extend_from_slice(&packet.to_be_bytes());
    text(filter, out);
    out.push(qos);
}

/// The beginning of a PUBLISH that asks for an acknowledgement, up to its body of that many bytes (3.3).
pub(super) fn publish(topic: &str, packet: u16, body: usize, out: &mut Vec<u8>) {
    head(0x32, 2 + topic.len() + 2 + body, out);
    text(topic, out);
    out.extend_from_slice(&packet.to_be_bytes());
}

/// The beginning of a PUBLISH that nobody acknowledges, up to its body of that many bytes (3.3).
pub(super) fn publish_unacknowledged(topic: &str, body: usize, out: &mut Vec<u8>) {
    head(0x30, 2 + topic.len() + body, out);
    text(topic, out);
}

/// PUBACK (3.4).
pub(super) fn puback(packet: u16, out: &mut Vec<u8>) {
    let [high, low] = packet.to_be_bytes();
    out.extend_from_slice(&[0x40, 2, high, low]);
}

/// DISCONNECT (3.14).
pub(super) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// The first packet in the buffer and its whole length; `None` while it is not complete.
pub(super) fn parse(buffer: &[u8]) -> Result<Option<(Incoming<'_>, usize)>, LoadError> {
    let Some((length, at)) = remaining_length(buffer)? else { return Ok(None) };
    let Some(rest) = buffer.get(at..at + length) else { return Ok(None) };
    let wrong = || LoadError::Unexpected(format!("a packet of type {:#04x} and {length} bytes", buffer[0]));
    let number = |at: usize| rest.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let incoming = match buffer[0] >> 4 {
        2 => Incoming::ConnAck { code: *rest.get(1).ok_or_else(wrong)? },
        3 => {
            let after_topic = 2 + usize::from(number(0).ok_or_else(wrong)?);
            let (packet, body) = if buffer[0] & 0b110 == 0 {
                (0, after_topic)
            } else {
                (number(after_topic).ok_or_else(wrong)?, after_topic + 2)
            };
            let topic = rest.get(2..after_topic).ok_or_else(wrong)?;
            Incoming::Publish { packet, topic, body: rest.get(body..).ok_or_else(wrong)? }
        }
        4 => Incoming::PubAck { packet: number(0).ok_or_else(wrong)? },
        9 => Incoming::SubAck { code: *rest.get(2).ok_or_else(wrong)? },
        _ => return Err(wrong()),
    };
    Ok(Some((incoming, at + length)))
}

/// The variable-length number after the first byte (2.2.3), and where the packet goes on.
fn remaining_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, LoadError> {
    let mut length = 0;
    for (index, byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 2)));
        }
    }
    if buffer.len() >= 5 {
        return Err(LoadError::Unexpected("a packet length of five bytes".to_owned()));
    }
    Ok(None)
}

fn head(first: u8, mut length: usize, out: &mut Vec<u8>) {
    out.push(first);
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_read_back_whatever_its_length() {
        for length in [0, 1, 127, 128, 20_000, 300_000] {
            let body: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let mut out = Vec::new();
            publish("a/b", 77, body.len(), &mut out);
            out.extend_from_slice(&body);
            let whole = out.len();
            out.extend_from_slice(&[0x40, 2, 0, 9]);
            let (incoming, used) = parse(&out).unwrap().unwrap();
            assert_eq!(
                (incoming, used),
                (Incoming::Publish { packet: 77, topic: b"a/b", body: &body }, whole)
            );
            let ack = parse(&out[whole..]).unwrap().unwrap();
            assert_eq!(ack, (Incoming::PubAck { packet: 9 }, 4));
            for cut in [0, 1, 2, whole - 1] {
                assert_eq!(parse(&out[..cut]).unwrap(), None);
            }
            out.clear();
            publish_unacknowledged("a/b", body.len(), &mut out);
            out.extend_from_slice(&body);
            let (incoming, used) = parse(&out).unwrap().unwrap();
            assert_eq!(
                (incoming, used),
                (Incoming::Publish { packet: 0, topic: b"a/b", body: &body }, out.len())
            );
        }
    }

    #[test]
    fn a_sign_in_is_written_as_the_standard_says() {
        let mut out = Vec::new();
        connect("c", Some(&("u".to_owned(), "p".to_owned())), 258, &mut out);
        let expected =
            [0x10, 19, 0, 4, b'M', b'Q', b'T', b'T', 4, 0xc2, 1, 2, 0, 1, b'c', 0, 1, b'u', 0, 1, b'p'];
        assert_eq!(out, expected);
        out.clear();
        subscribe(1, "a", 1, &mut out);
        assert_eq!(out, [0x82, 6, 0, 1, 0, 1, b'a', 1]);
        out.clear();
        puback(258, &mut out);
        assert_eq!(out, [0x40, 2, 1, 2]);
    }

    #[test]
    fn answers_and_nonsense() {
        let answer = |bytes: &'static [u8]| parse(bytes).map(|it| it.map(|(incoming, _)| incoming));
        assert_eq!(answer(&[0x20, 2, 0, 5]).unwrap(), Some(Incoming::ConnAck { code: 5 }));
        assert_eq!(answer(&[0x90, 3, 0, 1, 0x80]).unwrap(), Some(Incoming::SubAck { code: 0x80 }));
        for nonsense in [&[0x40, 1, 0][..], &[0xf0, 0], &[0x30, 0xff, 0xff, 0xff, 0xff], &[0x32, 2, 0, 9]] {
            assert!(parse(nonsense).is_err(), "{nonsense:?}");
        }
    }
}
