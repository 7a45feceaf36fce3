//! What must hold whatever comes from the network: run by the fuzz targets in `broker/fuzz/`, and for their corpora by an
//! ordinary test.

mod client;
mod ground;
mod oracle;
mod script;

use crate::codec::{self, Packet, Version};

pub use ground::Ground;

/// The largest packet that is looked for.
const LARGEST: usize = 4096;

/// The decoder: whatever the bytes are, it answers, and the same whether they come at once or one by one. A PUBLISH that
/// was read can be written and read again.
pub fn packet(data: &[u8]) {
    for version in [Version::V4, Version::V5] {
        let mut rest = data;
        while let Ok(Some(frame)) = codec::frame(rest, LARGEST) {
            assert!(frame.len >= 2 && frame.len <= rest.len().min(LARGEST));
            for end in 0..frame.len {
                assert!(matches!(codec::frame(&rest[..end], LARGEST), Ok(None)), "found in part of it");
            }
            let _ = codec::protocol_version(rest, frame);
            match codec::decode(rest, frame, version) {
                Ok(Packet::Publish(publish)) => check_publish(&publish, version),
                Ok(Packet::Connect(connect)) => {
                    assert!(connect.will.is_none_or(|will| will.topic.len() <= rest.len()));
                    assert!(connect.properties.iter().count() <= rest.len());
                }
                Ok(Packet::Subscribe { filters, .. } | Packet::Unsubscribe { filters, .. }) => {
                    assert!(filters.clone().count() > 0);
                    filters.for_each(|filter| _ = crate::filter::is_valid(filter.path));
                }
                Ok(_) => {}
                Err(error) => assert!(error.reason() >= 0x80 && !error.cause().is_empty()),
            }
            rest = &rest[frame.len..];
        }
    }
}

fn check_publish(publish: &codec::Publish<'_>, version: Version) {
    assert_eq!(publish.id.is_some(), publish.qos != codec::Qos::AtMostOnce);
    assert!(publish.id != Some(0) && publish.alias != Some(0));
    assert!(!publish.topic.contains(['+', '#', '\0']));
    if publish.topic.is_empty() {
        assert!(publish.alias.is_some() && version == Version::V5);
        return;
    }
    let message = crate::message::Message::new(crate::message::Draft {
        organization: crate::access::NOBODY,
        publisher: 1,
        topic: publish.topic,
        properties: &publish.properties.forwarded(),
        payload: publish.payload,
        qos: publish.qos,
        retain: publish.retain,
        expires_at: None,
    });
    let delivery = codec::Delivery {
        qos: publish.qos,
        id: publish.id.unwrap_or(0),
        retain: publish.retain,
        dup: false,
        alias: codec::Alias::None,
        expiry: None,
        identifiers: &[],
    };
    let mut written = Vec::new();
    codec::publish(&mut written, version, &message, &delivery);
    assert_eq!(written.len(), codec::publish_size(version, &message, &delivery));
    let frame = codec::frame(&written, usize::MAX).expect("written by ourselves").expect("whole");
    let Ok(Packet::Publish(again)) = codec::decode(&written, frame, version) else {
        panic!("what was written cannot be read");
    };
    assert_eq!((again.topic, again.payload, again.id), (publish.topic, publish.payload, publish.id));
    assert_eq!((again.qos, again.retain), (publish.qos, publish.retain));
    if version == Version::V5 {
        assert_eq!(again.properties.forwarded(), publish.properties.forwarded());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    fn replay(target: &str, check: impl Fn(&[u8])) {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let inputs = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
        let mut count = 0;
        for input in inputs {
            let path = input.unwrap().path();
            // Shown only when the check panics.
            println!("{}", path.display());
            check(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count >= 20, "{count} inputs in {}", corpus.display());
    }

    #[test]
    fn packets() {
        replay("packet", packet);
    }

    #[test]
    fn connects() {
        let ground = Ground::new();
        replay("connect", |data| ground.connect(data));
    }

    #[test]
    fn sessions() {
        let ground = Ground::new();
        replay("session", |data| ground.session(data));
    }

    /// Scripts of nobody's making; one that fails is printed.
    #[test]
    fn anybody_does_anything() {
        let ground = Ground::new();
        // What a failure leaves behind would fail shorter scripts too.
        let mut runner = TestRunner::new(Config { max_shrink_iters: 0, ..Config::default() });
        let scripts = prop::collection::vec(any::<u8>(), 0..400);
        let outcome = runner.run(&scripts, |script| {
            ground.session(&script);
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
