//! The latest lines are there for who asks, as many as there is room for, and what is said below `info` is not.

use tracing::{debug, error, info, warn};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::clock::ManualClock;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A log that has heard this.
fn log(say: impl FnOnce(&ManualClock)) -> Log {
    let manual = ManualClock::new(NOW);
    let log = Log::new(Clock::Manual(manual.clone()));
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::with_default(subscriber, || say(&manual));
    log
}

fn query(change: impl FnOnce(&mut Query)) -> Query {
    let mut query =
        Query { from: NOW, to: NOW.plus(3_600_000), level: Gravity::Info, contains: String::new() };
    change(&mut query);
    query
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[test]
fn lines_are_found_by_time_gravity_and_words() {
    let log = log(|clock| {
        info!(host = "broker", port = 8_883, "connected");
        clock.advance(std::time::Duration::from_secs(1));
        warn!(why = ?Some("silence"), "the connection is lost");
        clock.advance(std::time::Duration::from_secs(1));
        error!("pings are lost");
        debug!(id = "ble:00:11:22:33:44:55", "somebody passes");
        info!(target: "btleplug", id = "ble:00:11:22:33:44:55", "somebody passes");
    });
    let all = [
        "connected host=\"broker\" port=8883",
        "the connection is lost why=Some(\"silence\")",
        "pings are lost",
    ];
    let answer = log.answer(&query(|_| {}));
    assert_eq!((texts(&answer), &answer["truncated"]), (all.to_vec(), &json!(false)));
    let line = json!({"at": NOW, "level": "info", "target": "device_agent::log::tests", "text": all[0]});
    assert_eq!(answer["lines"][0], line);
    assert_eq!(texts(&log.answer(&query(|query| query.from = NOW.plus(1)))), all[1..]);
    assert_eq!(texts(&log.answer(&query(|query| query.to = NOW.plus(1_000)))), all[..2]);
    assert_eq!(texts(&log.answer(&query(|query| query.level = Gravity::Warn))), all[1..]);
    assert_eq!(texts(&log.answer(&query(|query| query.contains = "lost".into()))), all[1..]);
    assert_eq!(texts(&log.answer(&query(|query| query.contains = "ble:".into()))), Vec::<&str>::new());
}

#[test]
fn an_answer_is_no_longer_than_an_answer_may_be_and_has_the_latest() {
    let log = log(|_| (0..10_000).for_each(|number| info!(number, "\"quoted\"")));
    let answer = log.answer(&query(|_| {}));
    let bytes = answer.to_string().len();
    assert!((MAX_ARGS_BYTES - 200..=MAX_ARGS_BYTES).contains(&bytes), "{bytes}");
    assert_eq!(answer["truncated"], true);
    let texts = texts(&answer);
    assert_eq!(texts.last(), Some(&"\"quoted\" number=9999"));
    assert!(texts.is_sorted());
}

#[test]
fn memory_is_bounded_by_lines_and_by_their_length() {
    let words = "é".repeat(10_000);
    let log = log(|_| (0..1_000).for_each(|_| info!(words, "much")));
    let lines = log.lines.lock().unwrap();
    let bytes: usize = lines.lines.iter().map(Line::bytes).sum();
    assert_eq!(bytes, lines.bytes);
    assert!((MOST_BYTES - 2 * LONGEST..=MOST_BYTES).contains(&bytes), "{bytes}");
    assert!(lines.lines.iter().all(|line| line.text.len() <= LONGEST + '…'.len_utf8()));
}
