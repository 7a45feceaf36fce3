//! What was seen, and what is to be found in it.

use DeviceKind::{Appliance, Beacon, Kiosk, Phone, Tag};

use super::*;

pub(super) fn all() -> impl Iterator<Item = Case> {
    [presence(), air(), sign_ins(), ends(), certificates(), places_and_limits(), content(), commands()]
        .into_iter()
        .flatten()
}

fn commands() -> Vec<Case> {
    let end = |status, cause| Some((status, cause));
    vec![
        Case::online("a command waits", seen! {}, &["commands_waiting", "healthy"]).ordered(1, None),
        Case::offline("many commands wait", ended("goodbye"), &["offline", "commands_waiting"])
            .ordered(100, end(CommandStatus::Done, "no reason given")),
        Case::online("a command was refused", seen! {}, &["command_failed", "healthy"])
            .ordered(0, end(CommandStatus::Refused, "`busy`, in its words \"updating\"")),
        Case::online("a command was called back", seen! {}, &["healthy"])
            .ordered(0, end(CommandStatus::Cancelled, "`cancelled`")),
    ]
}

fn air() -> Vec<Case> {
    let gateway = "01999999-0000-7000-8000-00000000000a";
    let heard = json!({"at": NOW - 3 * MINUTE, "by": gateway, "rssi": -66.6});
    let beacon = |name, codes| Case::offline(name, json!({}), codes).kind(Beacon);
    vec![
        beacon("a beacon that nobody heard", &["never_heard"]).air(None, &json!({})),
        beacon("nobody heard it, and it stands nowhere", &["not_placed", "never_heard"])
            .place(Place::Nowhere)
            .air(None, &json!({})),
        beacon("a beacon that is heard", &["heard"]).air(Some("Door"), &json!({"state": "ok", "heard": heard})),
        beacon("a silent beacon", &["not_heard"])
            .air(None, &json!({"state": "silent", "heard": {"at": NOW - DAY, "by": null, "rssi": null}})),
        beacon("a silent beacon whose battery was low", &["battery_low", "not_heard"]).air(
            None,
            &json!({"state": "silent", "heard": heard, "low_at": NOW - 3 * DAY, "battery_mv": 2_250}),
        ),
        beacon("a beacon that was moved", &["heard_otherwise"])
            .air(Some("Till"), &json!({"state": "moved", "heard": heard, "moved_at": NOW - HOUR})),
        beacon("a beacon whose battery is low", &["battery_low", "heard"]).air(
            Some("Door"),
            &json!({"state": "low", "heard": heard, "low_at": NOW - HOUR, "battery_mv": 2_390, "battery_percent": 9}),
        ),
        Case::online("a kiosk that nobody heard", seen! {}, &["healthy"]).kind(Kiosk).air(None, &json!({})),
        Case::online("a kiosk that was moved", seen! {}, &["heard_otherwise", "healthy"])
            .kind(Kiosk)
            .air(Some("Door"), &json!({"state": "moved", "heard": heard, "moved_at": NOW - HOUR})),
    ]
}

fn presence() -> Vec<Case> {
    vec![
        Case::online("it works", seen! {}, &["healthy"]),
        Case::online("nothing was saved of it yet", json!({}), &["healthy"]),
        Case::offline("nothing was ever seen", json!({}), &["never_signed_in"]),
        Case::offline("no server, and it never came", json!({}), &["server_stopped", "never_signed_in"])
            .stopped(),
        Case::offline("no server, and it was there when it died", seen! {}, &["server_stopped", "offline"])
            .stopped(),
        Case::offline("a beacon", json!({}), &["transmits_only"]).kind(Beacon),
        Case::offline("a beacon nowhere", json!({}), &["transmits_only", "not_placed"])
            .kind(Beacon)
            .place(Place::Nowhere),
        Case::online("a tag that signs in", seen! {}, &["healthy"]).kind(Tag),
    ]
}

fn sign_ins() -> Vec<Case> {
    let at = |ago: i64| json!({"at": NOW - ago, "address": "192.0.2.9", "cause": "bad_credentials"});
    vec![
        Case::offline(
            "never anything but a wrong secret",
            json!({"refused_sign_in": at(MINUTE)}),
            &["wrong_credentials"],
        ),
        Case::offline("a wrong secret", refused("bad_credentials"), &["wrong_credentials", "offline"]),
        Case::offline(
            "a revoked certificate",
            refused("certificate_revoked"),
            &["certificate_revoked", "offline"],
        ),
        Case::offline(
            "too many sign-ins",
            refused("sign_ins_per_address"),
            &["sign_in_throttled", "offline"],
        ),
        Case::offline(
            "too many connections",
            refused("connections_per_device"),
            &["sign_in_refused", "offline"],
        ),
        Case::offline(
            "too many connections of all",
            refused("connections_per_organization"),
            &["sign_in_refused", "offline"],
        ),
        Case::offline("another refusal", refused("client_id_too_long"), &["sign_in_refused", "offline"]),
        Case::offline(
            "a refusal before it was let in",
            seen! { "refused_sign_in": at(DAY), "disconnected": {"at": NOW - MINUTE, "cause": "goodbye"} },
            &["offline"],
        ),
        Case::online(
            "its own wrong secret, and it is back before that was saved",
            seen! { "sign_in": {"at": NOW - DAY}, "connected_since": null, "refused_sign_in": at(2 * MINUTE) },
            &["healthy"],
        ),
        Case::online(
            "somebody under its name",
            seen! { "refused_sign_in": at(MINUTE) },
            &["refused_beside", "healthy"],
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        Case::offline("it said goodbye", ended("goodbye"), &["offline"]),
        Case::offline("its connection broke", ended("connection_lost"), &["offline"]),
        Case::offline("the server stopped", ended("server_stopped"), &["offline"]),
        Case::offline("it went silent", ended("keep_alive_timeout"), &["lost"]),
        Case::offline("another took its session", ended("session_taken_over"), &["taken_over"]),
        Case::offline("its secret was replaced", ended("credentials_ended"), &["credentials_ended"]),
        Case::offline("it sent nonsense", ended("malformed_packet"), &["thrown_out"]),
        Case::offline(
            "an end from before",
            seen! { "disconnected": {"at": NOW - DAY, "cause": "malformed_packet"} },
            &["offline"],
        ),
        Case::offline("a phone that left", ended("keep_alive_timeout"), &["lost", "healthy"]).kind(Phone),
        Case::offline("a phone that was thrown out", ended("packet_too_large"), &["thrown_out"]).kind(Phone),
    ]
}

fn certificates() -> Vec<Case> {
    let soon = certificate(FINGERPRINT, NOW + 20 * DAY);
    let next = certificate([1; 32], NOW + 300 * DAY);
    let revoked = store::Certificate { revoked_at: Some(Timestamp(NOW)), ..next.clone() };
    let of_a_week = store::Certificate {
        not_before: Timestamp(NOW - 2 * DAY),
        ..certificate(FINGERPRINT, NOW + 5 * DAY)
    };
    let replayed =
        store::Replayed { count: 2, last_at: Timestamp(NOW - HOUR), last_from: Some("192.0.2.9".into()) };
    let copied = store::Certificate { replayed: Some(replayed), ..next.clone() };
    vec![
        Case::offline(
            "its certificate ended",
            ended("credentials_ended"),
            &["certificate_expired", "credentials_ended"],
        )
        .certified(&[certificate(FINGERPRINT, NOW - DAY)]),
        Case::online("its certificate ends soon", seen! {}, &["certificate_ending", "healthy"])
            .certified(&[soon.clone(), revoked]),
        Case::online("it has the next one", seen! {}, &["healthy"]).certified(&[soon, next]),
        Case::online("a short one, but not soon", seen! {}, &["healthy"]).certified(&[of_a_week]),
        Case::online("one that is not known", seen! {}, &["healthy"]).certified(&[]),
        Case::online("somebody copied its request", seen! {}, &["key_replayed", "healthy"])
            .certified(&[copied]),
    ]
}

fn places_and_limits() -> Vec<Case> {
    let tally = |ago: i64| json!({"count": 12, "last_at": NOW - ago});
    let over = "rate_limited:pings_per_minute";
    let mut everything = refused("bad_credentials");
    everything["clock_offset_ms"] = json!(-MINUTE);
    everything["limits"] = json!({"connections": tally(HOUR + 30 * MINUTE)});
    everything["refusals"] = json!({"subscribe_not_authorized": tally(3 * HOUR)});
    vec![
        Case::online("nowhere", seen! { "refusals": {"not_placed": tally(MINUTE)} }, &["not_placed"])
            .place(Place::Nowhere),
        Case::online("nowhere yet", seen! {}, &["not_placed"]).place(Place::From(Timestamp(NOW + DAY))),
        Case::online("phones stand nowhere", seen! {}, &["healthy"]).kind(Phone).place(Place::Nowhere),
        Case::online(
            "a phone whose person has not agreed",
            seen! { "refusals": {"no_consent": tally(MINUTE)} },
            &["no_consent"],
        )
        .kind(Phone)
        .place(Place::Nowhere),
        Case::offline("a phone that reports over HTTP", json!({"last_message_at": NOW - HOUR}), &["healthy"])
            .kind(Phone)
            .place(Place::Nowhere),
        Case::online(
            "throttled",
            seen! { "limits": {"messages_per_s": tally(MINUTE), "bytes_per_s": tally(2 * MINUTE)} },
            &["throttled"],
        ),
        Case::online(
            "throttled long ago",
            seen! { "limits": {"messages_per_s": tally(2 * HOUR)} },
            &["healthy"],
        ),
        Case::online(
            "over quota",
            seen! { "refusals": {over: tally(MINUTE)} },
            &["throttled", "losses_open"],
        )
        .losses(&[loss(15, 15, over, 1, 0), loss(9, 11, over, 3, 1)]),
        Case::online("the ledger alone", seen! {}, &["losses_open", "healthy"])
            .losses(&[loss(9, 11, over, 3, 0)]),
        Case::offline(
            "everything at once",
            everything,
            &["wrong_credentials", "offline", "not_placed", "throttled", "clock_corrected"],
        )
        .place(Place::Nowhere),
    ]
}

fn content() -> Vec<Case> {
    let tally = json!({"count": 1, "last_at": NOW - MINUTE});
    vec![
        Case::online(
            "a clock far behind",
            seen! { "clock_offset_ms": 11 * MINUTE, "refusals": {"clock_skew": tally} },
            &["clock_refused"],
        ),
        Case::online("a clock ahead", seen! { "clock_offset_ms": -90_000 }, &["clock_corrected", "healthy"]),
        Case::online("a clock that is tolerated", seen! { "clock_offset_ms": -5_000 }, &["healthy"]),
        Case::online(
            "a clock that was put right",
            seen! { "refusals": {"clock_skew": tally} },
            &["content_refused"],
        ),
        Case::online(
            "other people's topics",
            seen! { "refusals": {"publish_not_authorized": tally} },
            &["not_authorized"],
        ),
        Case::online(
            "bad pings",
            seen! { "refusals": {"bad_rssi": tally, "too_old": tally} },
            &["content_refused"],
        ),
        Case::online("silent", seen! { "last_message_at": NOW - 40 * MINUTE }, &["silent"]),
        Case::online(
            "silent since it connected",
            seen! { "last_message_at": null, "last_batch_at": null },
            &["silent"],
        ),
        Case::online("an appliance is silent", seen! { "last_message_at": NOW - DAY }, &["healthy"])
            .kind(Appliance),
        Case::online("messages without pings", seen! { "last_batch_at": NOW - DAY }, &["no_pings"]),
        Case::online(
            "a scanner whose messages hold nothing",
            seen! { "last_batch_at": NOW - DAY, "scanned": {"messages": {"empty": tally}} },
            &["no_pings"],
        )
        .with_format(),
        Case::online(
            "a scanner that cannot be read",
            seen! {
                "refusals": {"bad_rssi": tally, "unreadable": tally},
                "scanned": {"messages": {"unreadable": tally}, "unread": {"at": NOW - MINUTE, "filter": "gw/+/status",
                    "pointer": "/rssi", "expected": "a number of dBm from -127 to 20"}}
            },
            &["reporter_unreadable"],
        )
        .with_format(),
        Case::online(
            "a device that was a scanner once, and a bad ping today",
            seen! {
                "refusals": {"bad_rssi": tally},
                "scanned": {"unread": {"at": NOW - MINUTE, "filter": "gw/+/status", "pointer": "", "expected": "JSON"}}
            },
            &["content_refused"],
        ),
        Case::online(
            "a scanner that was not read long ago",
            seen! { "scanned": {"unread": {"at": NOW - DAY, "filter": "gw/+/status", "pointer": "", "expected": "JSON"}} },
            &["healthy"],
        )
        .with_format()
        .losses(&[loss(0, 4, "rate_limited:pings_per_minute", 5, 1)]),
    ]
}
