use protocol::{Batch, Reason};

use super::{A1, CBOR, hex, unreadable};

#[test]
fn no_batch() {
    for (body, number) in [
        ("", None),
        ("f6", None),
        ("80", None),
        ("a0", None),
        ("ff", None),
        ("bf", None),
        ("bfff", None),
        ("a3 00 6161 01 01 04", A1),
        ("a3 00 6161 01 01 04 80 00", A1),
        ("a4 00 6161 01 01 04 80", A1),
        ("a2 00 6161 01 01", A1),
        ("a3 00 6161 01 01 04 a0", A1),
        ("a3 00 6161 01 01 04 f6", A1),
        ("a3 04 40 01 01 00 6161", A1),
        ("a3 00 4161 01 01 04 80", None),                 // boot as bytes
        ("a3 00 7f6161ff 01 01 04 80", None),             // boot in pieces
        ("a3 00 60 01 01 04 80", None),                   // boot of no characters
        ("a3 00 6120 01 01 04 80", None),                 // boot of a space
        ("a3 00 6161 01 20 04 80", None),                 // seq -1
        ("a3 00 6161 01 f93c00 04 80", None),             // seq 1.0
        ("a3 00 6161 01 c101 04 80", None),               // seq with a tag
        ("a3 00 6161 01 c24101 04 80", None),             // seq as a bignum
        ("a3 00 6161 01 1b0020000000000000 04 80", None), // seq 2^53
        ("a3 00 6161 01 1bffffffffffffffff 04 80", None),
        ("a4 00 6161 01 01 02 02 04 80", A1), // first after seq
        ("a4 00 6161 01 01 02 20 04 80", A1),
        ("a4 00 6161 01 01 03 1bffffffffffffffff 04 80", A1),
        ("a4 00 6161 01 01 03 3bffffffffffffffff 04 80", A1),
        ("a4 00 6161 01 01 01 01 04 80", None),   // seq twice
        ("a4 00 6161 01 01 1801 01 04 80", None), // seq twice, once in a longer form
        ("a4 00 6161 01 01 04 80 04 80", A1),
        ("a3 00 6161 01 01 04 81 a2 01 20 01 20", A1), // rssi twice
        ("a3 00 6161 01 01 04 9f a1 01 20", A1),       // no break
        ("bf 00 6161 01 01 04 80", A1),
        ("bf 00 6161 01 01 04 ff", A1), // a break for a value
        ("a4 00 6161 01 01 ff 04 04 80", A1),
        ("a4 00 6161 01 01 08 9bffffffffffffffff", A1),
        ("a4 00 6161 01 01 08 bbffffffffffffffff", A1),
        ("a4 00 6161 01 01 08 5bffffffffffffffff", A1),
        ("a4 00 6161 01 01 08 1c 04 80", A1),           // reserved
        ("a4 00 6161 01 01 08 1f 04 80", A1),           // an integer without an end
        ("a4 00 6161 01 01 08 df 04 80", A1),           // a tag without an end
        ("a4 00 6161 01 01 08 f818 04 80", A1),         // a simple value in a wrong form
        ("a4 00 6161 01 01 08 bf00ff 04 80", A1),       // a key without a value
        ("a4 00 6161 01 01 08 82ff00 04 80", A1),       // a break in what has a length
        ("a4 00 6161 01 01 08 9fc1ff 04 80", A1),       // a tag on a break
        ("a4 00 6161 01 01 08 5f6161ff 04 80", A1),     // text as a piece of bytes
        ("a4 00 6161 01 01 08 5f5f4161ffff 04 80", A1), // pieces of pieces
        ("a3 00 6161 01 01 04 9bffffffffffffffff", A1),
        ("bbffffffffffffffff 00 6161 01 01", A1),
        ("d9d9f7 a3 00 6161 01 01 04 80", None),
    ] {
        assert_eq!(Batch::decode(&hex(body), CBOR), Err(unreadable(number)), "{body}");
    }
}

#[test]
fn text_that_is_not_utf8() {
    let body = hex("a4 00 6161 01 01 09 61ff 04 80");
    assert_eq!(Batch::decode(&body, CBOR), Err(unreadable(A1)));
}

#[test]
fn fields_that_nobody_knows_are_skipped() {
    for extra in [
        "08 82 9f 01 ff a1 01 02",
        "08 bf 01 9f ff 02 bf ff ff",
        "08 d9d9f7 c1 c2 41 01",
        "08 5f 41 61 40 ff",
        "08 7f 61 61 60 ff",
        "08 f818".replace("18", "ff").as_str(),
        "08 fb 7ff0000000000000",
        "1bffffffffffffffff f7",
        "20 00",
        "64 73657131 00",
        "82 01 02 00",
        "f6 00",
        "9f ff 80",
        "c1 01 00",
    ] {
        let body = hex(&format!("a4 00 6161 01 01 {extra} 04 80"));
        let decoded = Batch::decode(&body, CBOR).unwrap_or_else(|error| panic!("{extra}: {error}"));
        assert_eq!((decoded.batch.seq, decoded.refused.len()), (1, 0), "{extra}");
    }
}

#[test]
fn pings_that_are_bad_by_themselves() {
    let good = "a3 00 49 03 0123456789abcdef 01 20 02 01";
    for (ping, reason) in [
        ("01", Reason::BadField),
        ("81 a0", Reason::BadField),
        ("c1 a0", Reason::BadField),
        ("a0", Reason::BadIdentifier),
        ("bf ff", Reason::BadIdentifier),
        ("a3 00 40 01 20 02 01", Reason::BadIdentifier),
        ("a3 00 49 08 0123456789abcdef 01 20 02 01", Reason::BadIdentifier),
        ("a3 00 48 03 0123456789abcd 01 20 02 01", Reason::BadIdentifier),
        ("a3 00 5f 49 03 0123456789abcdef ff 01 20 02 01", Reason::BadIdentifier),
        ("a2 00 49 03 0123456789abcdef 02 01", Reason::BadRssi),
        ("a3 00 49 03 0123456789abcdef 01 387f 02 01", Reason::BadRssi),
        ("a3 00 49 03 0123456789abcdef 01 f9d430 02 01", Reason::BadRssi),
        ("a3 00 49 03 0123456789abcdef 01 f97e00 02 01", Reason::BadRssi), // NaN
        ("a3 00 49 03 0123456789abcdef 01 9fff 02 01", Reason::BadRssi),
        ("a2 00 49 03 0123456789abcdef 01 20", Reason::BadField),
        ("a3 00 49 03 0123456789abcdef 01 20 02 c101", Reason::BadField),
        ("a4 00 49 03 0123456789abcdef 01 20 02 01 05 00", Reason::BadField),
        ("a4 00 49 03 0123456789abcdef 01 20 02 01 05 f7", Reason::BadField),
        ("a4 00 49 03 0123456789abcdef 01 20 02 01 03 15", Reason::BadField),
    ] {
        let body = hex(&format!("a3 00 6161 01 01 04 83 {good} {ping} {good}"));
        let decoded = Batch::decode(&body, None).unwrap_or_else(|error| panic!("{ping}: {error}"));
        assert_eq!(decoded.refused, [(1, reason)], "{ping}");
        assert_eq!(decoded.batch.pings.len(), 2, "{ping}");
    }
}
