//! What must hold for any input; run by the fuzz targets, and by `protocol/tests/corpus.rs` for the corpus.

use protocol::beacon::Frame;
use protocol::{Batch, Identifier, MAX_PINGS, MAX_SEQ, Receipt, Reporter, Timestamp, Topic};

/// Whatever is read as a batch can be written in both encodings and read again.
pub fn batch(data: &[u8]) {
    for content_type in [None, Some("application/json"), Some("application/cbor")] {
        match Batch::decode(data, content_type) {
            Ok(decoded) => {
                assert!(decoded.batch.seq <= MAX_SEQ);
                assert!(decoded.batch.pings.len() + decoded.refused.len() <= MAX_PINGS);
                assert!(decoded.refused.is_sorted_by(|(one, _), (next, _)| one < next));
                for body in [decoded.batch.to_json(), decoded.batch.to_cbor()] {
                    let again = Batch::decode(&body, None).expect("written by ourselves");
                    assert_eq!(again.batch, decoded.batch);
                    assert_eq!(again.refused, []);
                }
            }
            Err(error) => assert!(error.number().is_none_or(|(_, seq)| seq <= MAX_SEQ)),
        }
    }
}

/// Topics have one spelling; identifiers and receipts survive being printed.
pub fn topic(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(topic) = text.parse::<Topic>() {
        assert_eq!(topic.to_string(), text);
    }
    if let Ok(identifier) = text.parse::<Identifier>() {
        assert_eq!(identifier.to_string().parse::<Identifier>().as_ref(), Ok(&identifier));
        let mut buf = [0; Identifier::MAX_LEN];
        assert_eq!(Identifier::from_canonical(identifier.canonical(&mut buf)).as_ref(), Ok(&identifier));
    }
    if let Ok(receipt) = serde_json::from_str::<Receipt>(text) {
        let json = serde_json::to_string(&receipt).expect("has no map with other keys than texts");
        assert_eq!(serde_json::from_str::<Receipt>(&json).expect("written by ourselves"), receipt);
    }
}

/// A frame fits into a packet and is found in it again.
pub fn beacon(data: &[u8]) {
    if let Ok(frame) = Frame::from_advertising(data) {
        let packet = frame.to_advertising();
        assert!(packet.len() <= 31);
        assert_eq!(Frame::from_advertising(&packet).as_ref(), Ok(&frame));
        if let Some(tx) = frame.tx() {
            assert!((-127..=20).contains(&tx));
        }
    }
}

/// Scanners, each of which may send anything. A mapping may read from everywhere.
const REPORTERS: &[&str] = &[
    r#"{"format":"espresense"}"#,
    r#"{"format":"theengs"}"#,
    r#"{"format":"json","topic":"a/+","items":"/x","id":{"as":"ble","mac":"/m","random":"/t"},"rssi":"/r"}"#,
    r#"{"format":"json","topic":"a/+","id":{"as":"advertising","hex":"/h","mac":"/m"},"rssi":"/r",
        "at":{"pointer":"/a","unit":"rfc3339"},"tx":"/p"}"#,
    r#"{"format":"json","topic":"a/+","id":{"as":"text","value":"/i"},"rssi":"/r","at":{"pointer":"/a","unit":"s"}}"#,
];

/// Whatever a scanner says, what is read of it is a batch; and a scanner that can be declared is declared the same again.
pub fn reporter(data: &[u8]) {
    if let Ok(declared) = serde_json::from_slice::<Reporter>(data)
        && declared.check().is_ok()
    {
        let json = serde_json::to_string(&declared).expect("has no map with other keys than texts");
        assert_eq!(serde_json::from_str::<Reporter>(&json).expect("written by ourselves"), declared);
        assert!(!declared.filter().contains('#') && !declared.filter().starts_with(['+', '$']));
    }
    for declared in REPORTERS {
        let reporter: Reporter = serde_json::from_str(declared).expect("as above");
        let Ok(report) = reporter.read(data, Timestamp(1_790_000_000_000)) else { continue };
        assert!(report.pings.len() + report.refused.len() <= MAX_PINGS);
        assert!(report.telemetry.len() <= report.pings.len());
        assert_eq!(report.fault.is_some(), !report.refused.is_empty());
        let boot = "a".parse().expect("a boot");
        let batch = Batch { boot, seq: 0, first: None, sent: None, pings: report.pings };
        let again = Batch::decode(&batch.to_json(), None).expect("written by ourselves");
        assert_eq!((again.batch, again.refused), (batch, Vec::new()));
    }
}
