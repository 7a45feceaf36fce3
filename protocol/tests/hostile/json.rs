use protocol::{Batch, Reason};

use super::{A1, JSON, unreadable};

#[test]
fn no_batch() {
    for (body, number) in [
        ("", None),
        (" ", None),
        ("null", None),
        ("17", None),
        ("\"batch\"", None),
        ("[]", None),
        (r#"["a",1,null,null,[]]"#, None),
        ("{}", None),
        ("{", None),
        ("{]", None),
        (r#"{"boot"}"#, None),
        (r#"{"boot":"a","seq":1}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[]"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[],}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[]}x"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[]}{}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[,]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[{}}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[{"rssi":-1]]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":{}}"#, A1),
        (r#"{"pings":null,"seq":1,"boot":"a"}"#, A1),
        (r#"{"pings":[],"boot":"a"}"#, None),
        (r#"{"pings":[],"seq":1}"#, None),
        (r#"{"boot":"","seq":1,"pings":[]}"#, None),
        (r#"{"boot":"a b","seq":1,"pings":[]}"#, None),
        (r#"{"boot":"0123456789abcdefg","seq":1,"pings":[]}"#, None),
        (r#"{"boot":7,"seq":1,"pings":[]}"#, None),
        (r#"{"boot":["a"],"seq":1,"pings":[]}"#, None),
        (r#"{"boot":null,"seq":1,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":-1,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":1.0,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":1e2,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":"1","pings":[]}"#, None),
        (r#"{"boot":"a","seq":01,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":+1,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":9007199254740992,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":18446744073709551617,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":99999999999999999999999999999999999999999,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":1,"first":2,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"first":-1,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"first":"0","pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"sent":0.5,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"sent":9223372036854775808,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"sent":1,"sent":1,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[],"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[],"seq":1}"#, None),
        (r#"{"boot":"a","boot":"b","seq":1,"pings":[]}"#, None),
        (r#"{"boot":"a","seq":1,"first":null,"first":0,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[{"id":"eid:0123456789abcdef","id":"x","rssi":-1,"at":1}]}"#, A1),
        (r#"{"boot":"a","seq":1,"pings":[{"rss\u0069":-1,"rssi":-1}]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":"\ud800","pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":"\ud800\u0041","pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":"\x41","pings":[]}"#, A1),
        ("{\"boot\":\"a\",\"seq\":1,\"x\":\"\n\",\"pings\":[]}", A1),
        (r#"{"boot":"a","seq":1,"x":tru,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":NaN,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":-,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":1.,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":.5,"pings":[]}"#, A1),
        (r#"{"boot":"a","seq":1,"x":1e,"pings":[]}"#, A1),
        ("\u{feff}{\"boot\":\"a\",\"seq\":1,\"pings\":[]}", None),
    ] {
        assert_eq!(Batch::decode(body.as_bytes(), JSON), Err(unreadable(number)), "{body}");
    }
}

#[test]
fn text_that_is_not_utf8() {
    let body = b"{\"boot\":\"a\",\"seq\":1,\"x\":\"\xff\",\"pings\":[]}";
    assert_eq!(Batch::decode(body, JSON), Err(unreadable(A1)));
    let body = b"{\"boot\":\"a\",\"seq\":1,\"pings\":[]}\xff";
    assert_eq!(Batch::decode(body, JSON), Err(unreadable(A1)));
}

#[test]
fn pings_that_are_bad_by_themselves() {
    let good = r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":1}"#;
    for (ping, reason) in [
        ("null", Reason::BadField),
        ("5", Reason::BadField),
        ("\"x\"", Reason::BadField),
        ("[1,[2]]", Reason::BadField),
        ("{}", Reason::BadIdentifier),
        (r#"{"rssi":-1,"at":1}"#, Reason::BadIdentifier),
        (r#"{"id":"eid:","rssi":-1,"at":1}"#, Reason::BadIdentifier),
        (r#"{"id":5,"rssi":-1,"at":1}"#, Reason::BadIdentifier),
        (r#"{"id":{"eid":[]},"rssi":-1,"at":1}"#, Reason::BadIdentifier),
        (r#"{"id":null,"rssi":-1,"at":1}"#, Reason::BadIdentifier),
        (r#"{"id":"eid:0123456789abcdef","at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":-128,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":21,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":-67.0,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":-6e1,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":1e999,"at":1}"#, Reason::BadRssi),
        (
            r#"{"id":"eid:0123456789abcdef","rssi":-340282366920938463463374607431768211523,"at":1}"#,
            Reason::BadRssi,
        ),
        (r#"{"id":"eid:0123456789abcdef","rssi":18446744073709551615,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":"-67","at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":null,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":true,"at":1}"#, Reason::BadRssi),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":"1"}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":9223372036854775808}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":1,"n":0}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":1,"n":65536}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":1,"tx":-128}"#, Reason::BadField),
        (r#"{"id":"eid:0123456789abcdef","rssi":-1,"at":1,"max":"-5"}"#, Reason::BadField),
    ] {
        let body = format!(r#"{{"boot":"a","seq":1,"pings":[{good},{ping},{good}]}}"#);
        let decoded = Batch::decode(body.as_bytes(), None).unwrap_or_else(|error| panic!("{ping}: {error}"));
        assert_eq!(decoded.refused, [(1, reason)], "{ping}");
        assert_eq!(decoded.batch.pings.len(), 2, "{ping}");
    }
}
