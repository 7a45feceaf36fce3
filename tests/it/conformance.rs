//! The conformance suite: a case for each statement of the OASIS standards MQTT 3.1.1 and MQTT 5.0 that a client can
//! observe, run against this broker and against Mosquitto at once. Where a case fails here, the test fails.
//!
//! The ids are those of the standards' own lists (appendix B of each). One statement may have several cases, and what the
//! standards say without a number stands under the statement that makes it binding: errors, for example, under
//! MQTT-4.8.0-1 (3.1.1) and MQTT-4.13.1-1 (5.0), which say that they end the connection.
//!
//! `PROMENADE_TEST_CASES` names the cases to run, by a part of their line in the table: `3.1.2-24`, `will`, `[5.0]`. The
//! table is left beside the build as `tmp/conformance.txt`.

mod aliases;
mod authentication;
mod case;
mod connack;
mod connect;
mod connection;
mod disconnect;
mod expiry;
mod flow_control;
mod headers;
mod mosquitto;
mod ownership;
mod peer;
mod properties;
mod publish;
mod qos1;
mod qos2;
mod retain_options;
mod retained;
mod session;
mod shared;
mod strings;
mod subscribe;
mod subscription_ids;
mod subscription_options;
mod table;
mod topics;
mod unsubscribe;
mod will;
mod will_delay;

use anyhow::ensure;

use case::Case;
use mosquitto::Mosquitto;
use table::Table;

use crate::world::{Engine, World};

/// What the suite needs of our server: strangers on topics of their own.
const SETTINGS: &[(&str, &str)] = &[
    ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", r##"["#", "$test/#"]"##),
    ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", r##"["#", "$test/#"]"##),
    // As many as Mosquitto offers, so that a case can go beyond it.
    ("PROMENADE_MQTT__RECEIVE_MAXIMUM", "20"),
    // As much as Mosquitto is told, for the same reason.
    ("PROMENADE_MQTT__MAXIMUM_PACKET_SIZE", mosquitto::MAXIMUM_PACKET_SIZE),
];

/// Cases that fail here and may, each by its name in the table, with the reason. It should be empty.
const KNOWN: &[(&str, &str)] = &[];

/// Every case, in the order of the table.
fn cases() -> Vec<Case> {
    [
        headers::cases(),
        strings::cases(),
        connect::cases(),
        connection::cases(),
        authentication::cases(),
        connack::cases(),
        session::cases(),
        expiry::cases(),
        will::cases(),
        will_delay::cases(),
        publish::cases(),
        properties::cases(),
        aliases::cases(),
        qos1::cases(),
        qos2::cases(),
        ownership::cases(),
        flow_control::cases(),
        retained::cases(),
        retain_options::cases(),
        topics::cases(),
        subscribe::cases(),
        subscription_options::cases(),
        subscription_ids::cases(),
        shared::cases(),
        unsubscribe::cases(),
        disconnect::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn what_the_standard_says_holds() -> anyhow::Result<()> {
    let world = World::with(Engine::Sqlite, SETTINGS).await?;
    let mosquitto = Mosquitto::start().await?;
    let cases = case::chosen(cases());
    let (ours, theirs) =
        tokio::join!(case::run_all(&cases, world.mqtt()), case::run_all(&cases, mosquitto.address));
    let table = Table::of(&cases, ours, theirs);
    print!("{table}");
    table.keep()?;
    let wrong = table.wrong(KNOWN);
    ensure!(wrong.is_empty(), "{} cases are not as they must be here:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// The suite's promise about itself: enough cases, every id one of the standard's form, no case twice.
#[test]
fn the_cases_are_named_after_statements() {
    let runs = case::runs(cases());
    assert!(runs.len() >= 300, "only {} cases", runs.len());
    let mut names: Vec<_> = runs.iter().map(case::Run::name).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
    for run in &runs {
        let numbers = run.statement.strip_prefix("MQTT-").expect("the prefix");
        let numbers: Vec<_> = numbers.split(['.', '-']).collect();
        assert!(matches!(numbers.len(), 3 | 4), "{}", run.name());
        assert!(numbers.iter().all(|number| number.parse::<u8>().is_ok()), "{}", run.name());
    }
}
