use std::thread;

use protocol::{Batch, BatchError, MAX_BATCH_BYTES, MAX_PINGS, Reason};

use super::{A1, CBOR, JSON, hex, number, sample, unreadable};

#[test]
fn a_thousand_pings_and_one_more() {
    let full = sample(MAX_PINGS);
    for body in [full.to_json(), full.to_cbor()] {
        assert_eq!(Batch::decode(&body, None).map(|decoded| decoded.batch), Ok(full.clone()));
    }
    let over = sample(MAX_PINGS + 1);
    for body in [over.to_json(), over.to_cbor()] {
        assert_eq!(Batch::decode(&body, None), Err(BatchError::TooManyPings(number(Some(("k3v9", 17))))));
    }
    // Bad ones count as well, and the number may come last.
    let body = format!(r#"{{"pings":[{}0],"seq":2,"boot":"a"}}"#, "0,".repeat(MAX_PINGS));
    assert_eq!(Batch::decode(body.as_bytes(), None), Err(BatchError::TooManyPings(number(Some(("a", 2))))));
    let body = format!(r#"{{"pings":[{}0],"seq":2,"boot":"a"}}"#, "0,".repeat(MAX_PINGS - 1));
    assert_eq!(Batch::decode(body.as_bytes(), None).map(|decoded| decoded.refused.len()), Ok(MAX_PINGS));
}

#[test]
fn longer_than_allowed() {
    let mut body = sample(1).to_json();
    body.resize(MAX_BATCH_BYTES, b' ');
    assert_eq!(Batch::decode(&body, None).map(|decoded| decoded.batch), Ok(sample(1)));
    body.push(b' ');
    assert_eq!(Batch::decode(&body, None), Err(BatchError::TooLarge(number(Some(("k3v9", 17))))));
    // The cut may fall into a character.
    let body = format!(r#"{{"boot":"a","seq":1,"x":"{}"}}"#, "é".repeat(MAX_BATCH_BYTES));
    assert_eq!(Batch::decode(body.as_bytes(), None), Err(BatchError::TooLarge(number(A1))));
    let body = vec![b'['; 4 * MAX_BATCH_BYTES];
    assert_eq!(Batch::decode(&body, None), Err(BatchError::TooLarge(None)));
    let mut body = sample(1).to_cbor();
    body.resize(MAX_BATCH_BYTES + 1, 0);
    assert_eq!(Batch::decode(&body, None), Err(BatchError::TooLarge(number(Some(("k3v9", 17))))));
}

#[test]
fn content_types() {
    let (json, cbor) = (sample(1).to_json(), sample(1).to_cbor());
    for right in
        ["application/json", "APPLICATION/JSON", "application/json;charset=utf-8", " application/json ; x=y"]
    {
        assert_eq!(Batch::decode(&json, Some(right)).map(|decoded| decoded.batch), Ok(sample(1)), "{right}");
    }
    assert_eq!(Batch::decode(&cbor, Some("application/cbor")).map(|decoded| decoded.batch), Ok(sample(1)));
    for wrong in ["", "json", "text/plain", "application/jsonx", "application/senml+cbor"] {
        assert_eq!(Batch::decode(&json, Some(wrong)), Err(unreadable(None)), "{wrong}");
    }
    assert_eq!(Batch::decode(&json, CBOR), Err(unreadable(None)));
    assert_eq!(Batch::decode(&cbor, JSON), Err(unreadable(None)));
    for spaced in [" ", "\n", "\t", "\r"] {
        let body = [spaced.as_bytes(), &json].concat();
        assert_eq!(Batch::decode(&body, None).map(|decoded| decoded.batch), Ok(sample(1)), "{spaced:?}");
    }
}

#[test]
fn every_beginning_of_a_message_is_unreadable() {
    let batch = sample(3);
    for body in [batch.to_json(), batch.to_cbor()] {
        for len in 0..body.len() {
            let error = Batch::decode(&body[..len], None).unwrap_err();
            assert_eq!(error.reason(), Reason::Unreadable, "{len} bytes");
            assert!(error.number().is_none_or(|number| number == (batch.boot, batch.seq)), "{len} bytes");
        }
    }
}

#[test]
fn nesting_as_deep_as_a_message_allows() {
    on_a_small_stack(|| {
        for (open, known) in [("[", None), ("{\"a\":", None), ("{\"pings\":[", None)] {
            let body = open.repeat(MAX_BATCH_BYTES / open.len());
            assert_eq!(Batch::decode(body.as_bytes(), None), Err(unreadable(known)), "{open}");
        }
        for place in [
            r#""x":"#,
            r#""pings":"#,
            r#""sent":"#,
            r#""pings":[{"id":"#,
            r#""pings":[{"x":"#,
            r#""pings":[{},"#,
        ] {
            for open in ["[", "{\"a\":", "[{\"\":"] {
                let head = format!(r#"{{"boot":"a","seq":1,{place}"#);
                let body = head.clone() + &open.repeat((MAX_BATCH_BYTES - head.len()) / open.len());
                let error = Err(unreadable(A1));
                assert_eq!(Batch::decode(body.as_bytes(), None), error, "{place} {open}");
            }
        }
        for place in ["08", "04", "03", "04 81 a1 00", "04 81 a1 08", "04 82 a0", "04 9f"] {
            // Arrays, maps, and both without a length; tags.
            for open in ["81", "a1", "a100", "9f", "bf", "9f81", "bf00", "c1", "d81e"] {
                let head = hex(&format!("a3 00 6161 01 01 {place}"));
                let body =
                    [&head[..], &hex(open).repeat((MAX_BATCH_BYTES - head.len()) / hex(open).len())].concat();
                let error = Err(unreadable(A1));
                assert_eq!(Batch::decode(&body, None), error, "{place} {open}");
            }
        }
    });
}

#[test]
fn nesting_is_skipped_down_to_its_limit() {
    for (depth, readable) in [(1, true), (128, true), (129, false)] {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let json = format!(r#"{{"boot":"a","seq":1,"x":[{open}0{close}],"pings":[]}}"#);
        assert_eq!(Batch::decode(json.as_bytes(), None).is_ok(), readable, "{depth}");
        let cbor = hex(&format!("a4 00 6161 01 01 08 {} 00 04 80", "81".repeat(depth)));
        assert_eq!(Batch::decode(&cbor, None).is_ok(), readable, "{depth}");
    }
}

/// Runs it where deep recursion would end the process.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 * 1024).spawn(test).unwrap().join().unwrap();
}
