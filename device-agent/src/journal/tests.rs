//! The journal knows after a restart, a power cut or a full disk what it knew before.

mod faults;
mod power;

use std::fs::{self, OpenOptions};
use std::io::Write;

use protocol::{CommandReason, SignedOrder, Timestamp};
use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;

pub(crate) use faults::Faults;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);

fn id(number: u64) -> CommandId {
    format!("01999999-0000-7000-8000-{number:012x}").parse().expect("an id")
}

fn order(number: u64) -> Order {
    Order { name: "on_off.set".into(), args: json!({"on": number}) }
}

fn terms(ttl_s: Option<i64>) -> Terms {
    Terms {
        deadline: ttl_s.map(|ttl| NOW.plus(ttl * 1_000)),
        came: Some(NOW),
        nonce: None,
        arrived: Duration::ZERO,
    }
}

fn open(dir: &TempDir) -> Journal {
    Journal::open(dir.path()).expect("a journal")
}

fn done() -> Ack {
    Ack::new(AckStatus::Done)
}

fn status(journal: &Journal, number: u64) -> Option<AckStatus> {
    journal.get(id(number)).map(|entry| entry.ack.status)
}

/// The journal's one file.
pub(crate) fn file(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "journal")).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn it_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    for number in 0..4 {
        journal.accept(id(number), order(number), terms(Some(60))).unwrap();
    }
    journal
        .refuse(id(9), terms(None), Ack::because(AckStatus::Refused, CommandReason::NotSigned, None))
        .unwrap();
    journal.begin(id(0)).unwrap();
    journal.end(id(0), Ack { reported: Some(Map::from_iter([("a".into(), json!(1))])), ..done() }).unwrap();
    journal.acknowledge(id(0), AckStatus::Done);
    journal.begin(id(2)).unwrap();
    journal.acknowledge(id(3), AckStatus::Running);
    journal.follow(7).unwrap();
    drop(journal);

    let mut journal = open(&dir);
    let all = |journal: &Journal| [0, 1, 2, 3, 9].map(|number| status(journal, number));
    let expected =
        [AckStatus::Done, AckStatus::Accepted, AckStatus::Failed, AckStatus::Accepted, AckStatus::Refused];
    assert_eq!(all(&journal), expected.map(Some));
    assert_eq!(journal.get(id(0)).unwrap().ack.reported.as_ref().unwrap()["a"], json!(1));
    assert_eq!(journal.get(id(2)).unwrap().ack.cause().0, Some(CommandReason::Interrupted));
    assert_eq!(journal.unacknowledged(), [1, 2, 3, 9].map(id));
    assert_eq!((journal.waiting(), journal.next_waiting().unwrap().0), (2, id(1)));
    assert_eq!(journal.next_waiting().unwrap().1.order, Some(order(1)));
    assert_eq!(journal.followed(), Some(7));
    assert!(journal.mend());
    drop(journal);
    assert_eq!(all(&open(&dir)), expected.map(Some), "what was interrupted stays so");
}

#[test]
fn one_agent_at_a_time_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&dir);
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::InUse { .. })));
    drop(journal);
    open(&dir);
}

#[test]
fn what_is_over_for_certain_is_forgotten_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    journal.accept(id(0), order(0), terms(Some(60))).unwrap();
    journal.accept(id(1), order(1), terms(Some(60))).unwrap();
    journal.accept(id(2), order(2), terms(None)).unwrap();
    let nonce = Nonce { text: "0123456789abcdef".into(), until: NOW.plus(3_600_000) };
    journal.accept(id(3), order(3), Terms { nonce: Some(nonce), ..terms(Some(60)) }).unwrap();
    journal.accept(id(4), order(4), terms(Some(60))).unwrap();
    for number in [0, 2, 3, 4] {
        journal.end(id(number), done()).unwrap();
    }
    for number in [0, 2, 3] {
        journal.acknowledge(id(number), AckStatus::Done);
    }
    let known =
        |journal: &Journal| (0..5).filter(|&number| status(journal, number).is_some()).collect::<Vec<_>>();
    journal.forget(MINUTE + MARGIN, Some(NOW.plus(60_000 + 600_000)));
    assert_eq!(known(&journal), [0, 1, 2, 3, 4]);
    journal.forget(MINUTE + MARGIN + Duration::from_millis(1), None);
    assert_eq!(known(&journal), [1, 2, 3, 4], "1 is not over, 4 was not heard, 3 was signed for an hour");
    assert!(journal.may_have_run("0123456789abcdef", NOW.plus(1)));
    journal.forget(Duration::ZERO, Some(NOW.plus(3_600_000 + 600_001)));
    assert_eq!(known(&journal), [1, 2, 4]);
    journal.forget(WITHOUT_DEADLINE + Duration::from_millis(1), None);
    assert_eq!(known(&journal), [1]);
    assert!(!journal.may_have_run("0123456789abcdef", NOW.plus(3_600_001)));
}

#[test]
fn what_was_signed_is_kept_until_its_deadline_is_over_on_the_own_clock() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    let week = Duration::from_millis(SignedOrder::LONGEST_MS as u64);
    let until = NOW.plus(SignedOrder::LONGEST_MS);
    let nonce = Nonce { text: "0123456789abcdef".into(), until };
    journal.accept(id(0), order(0), Terms { nonce: Some(nonce.clone()), ..terms(Some(60)) }).unwrap();
    journal.accept(id(1), order(1), Terms { nonce: Some(nonce), came: None, ..terms(Some(60)) }).unwrap();
    for number in [0, 1] {
        journal.end(id(number), done()).unwrap();
    }
    journal.forget(week + MARGIN, Some(until));
    assert_eq!([0, 1].map(|number| status(&journal, number)), [Some(AckStatus::Done); 2]);
    for number in [0, 1] {
        journal.acknowledge(id(number), AckStatus::Done);
    }
    journal.forget(week + MARGIN, Some(until));
    assert_eq!([0, 1].map(|number| status(&journal, number)), [Some(AckStatus::Done); 2]);
    journal.forget(week + MARGIN + MINUTE, None);
    assert_eq!([0, 1].map(|number| status(&journal, number)), [None, Some(AckStatus::Done)]);
    journal.forget(week * 10, None);
    assert_eq!(status(&journal, 1), Some(AckStatus::Done), "nobody knows how much was left when it came");
}

/// As after a day on which the device's clock was a year ahead.
#[test]
fn what_was_signed_is_not_taken_again_though_its_nonce_was_forgotten_too_early() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    let nonce = Nonce { text: "0123456789abcdef".into(), until: NOW.plus(3_600_000) };
    journal.accept(id(0), order(0), Terms { nonce: Some(nonce), ..terms(Some(60)) }).unwrap();
    journal.end(id(0), done()).unwrap();
    journal.acknowledge(id(0), AckStatus::Done);
    journal.forget(Duration::ZERO, Some(NOW.plus(365 * 86_400_000)));
    assert_eq!(status(&journal, 0), None);
    for _ in 0..2 {
        assert!(journal.may_have_run("0123456789abcdef", NOW.plus(3_600_000)));
        assert!(!journal.may_have_run("0123456789abcdef", NOW.plus(3_600_001)));
        journal.rewrite().unwrap();
        drop(journal);
        journal = open(&dir);
    }
}

/// An older agent noted what the command said of the time; that is not believed.
#[test]
fn what_an_older_agent_noted_is_kept_by_the_own_clock_alone() {
    let line = json!({
        "line": "closed", "command": id(0), "terms": {"deadline": NOW.plus(60_000), "now": NOW.plus(60_000)},
        "ack": {"status": "done"},
    });
    let Line::Closed { terms: noted, .. } = serde_json::from_value(line).unwrap() else {
        panic!("another line")
    };
    assert_eq!(noted, Terms { came: None, ..terms(Some(60)) });
}

#[test]
fn a_full_journal_gives_up_only_what_can_be_spared() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    let full = CAPACITY as u64;
    for number in 0..full {
        let ttl = (number >= 2).then_some(60);
        journal.accept(id(number), order(number), terms(ttl)).unwrap();
    }
    let accept = |journal: &mut Journal, number| journal.accept(id(number), order(number), terms(Some(60)));
    assert!(matches!(accept(&mut journal, full), Err(JournalError::Full)));
    for number in [0, 1, 2] {
        journal.end(id(number), done()).unwrap();
        journal.acknowledge(id(number), AckStatus::Done);
    }
    journal.end(id(3), Ack::new(AckStatus::Refused)).unwrap();
    accept(&mut journal, full).unwrap();
    accept(&mut journal, full + 1).unwrap();
    assert!(matches!(accept(&mut journal, full + 2), Err(JournalError::Full)));
    assert_eq!([0, 1, 2, 3].map(|number| status(&journal, number).is_some()), [false, false, true, true]);
    journal.acknowledge(id(3), AckStatus::Refused);
    accept(&mut journal, full + 2).unwrap();
    assert_eq!((status(&journal, 2), status(&journal, 3)), (Some(AckStatus::Done), None));
}

#[test]
fn the_file_stays_short_however_much_happens() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    journal.accept(id(0), order(0), terms(Some(60))).unwrap();
    let long = Order { name: "x".into(), args: json!("y".repeat(10_000)) };
    for number in 1..=200 {
        journal.accept(id(number), long.clone(), terms(Some(1))).unwrap();
        journal.end(id(number), done()).unwrap();
        journal.acknowledge(id(number), AckStatus::Done);
        journal.forget(Duration::ZERO, Some(NOW.plus(601_001)));
    }
    assert!(fs::metadata(file(dir.path())).unwrap().len() < 600_000);
    assert_eq!(journal.entries.len(), 1);
    drop(journal);
    assert_eq!(status(&open(&dir), 0), Some(AckStatus::Accepted));
}

#[test]
fn of_a_damaged_journal_nothing_is_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    journal.accept(id(0), order(0), terms(Some(60))).unwrap();
    let before = fs::metadata(file(dir.path())).unwrap().len();
    journal.begin(id(0)).unwrap();
    journal.accept(id(1), order(1), terms(Some(60))).unwrap();
    drop(journal);
    let mut bytes = fs::read(file(dir.path())).unwrap();
    bytes[before as usize + 30] ^= 1;
    fs::write(file(dir.path()), bytes).unwrap();
    let mut journal = open(&dir);
    assert_eq!([0, 1].map(|number| status(&journal, number)), [Some(AckStatus::Failed); 2]);
    assert!(journal.mend() && journal.next_waiting().is_none());
    journal.accept(id(2), order(2), terms(None)).unwrap();
    drop(journal);
    assert_eq!(status(&open(&dir), 2), Some(AckStatus::Accepted));
}

#[test]
fn a_torn_tail_is_cut_off_and_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    journal.accept(id(0), order(0), terms(None)).unwrap();
    drop(journal);
    let mut tail = OpenOptions::new().append(true).open(file(dir.path())).unwrap();
    tail.write_all(&[0x55; 777]).unwrap();
    drop(tail);
    let mut journal = open(&dir);
    assert_eq!(status(&journal, 0), Some(AckStatus::Accepted));
    journal.accept(id(1), order(1), terms(None)).unwrap();
    drop(journal);
    let journal = open(&dir);
    assert_eq!([0, 1].map(|number| status(&journal, number)), [Some(AckStatus::Accepted); 2]);
}

#[test]
fn what_could_not_be_read_again_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    let long = |bytes: usize| Order { name: "x".into(), args: json!("y".repeat(bytes)) };
    let accepted = journal.accept(id(0), long(record::LONGEST), terms(None));
    assert!(matches!(accepted, Err(JournalError::TooLong { .. })));
    journal.accept(id(1), long(record::LONGEST - 1_000), terms(None)).unwrap();
    drop(journal);
    let journal = open(&dir);
    assert_eq!((status(&journal, 0), status(&journal, 1)), (None, Some(AckStatus::Accepted)));
}

/// As an older agent finds it that comes back.
#[test]
fn a_line_of_another_agent_is_as_good_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir);
    journal.accept(id(0), order(0), terms(None)).unwrap();
    journal.file.append(br#"{"line":"paused"}"#, true).unwrap();
    drop(journal);
    let mut journal = open(&dir);
    assert_eq!(status(&journal, 0), Some(AckStatus::Failed));
    journal.accept(id(1), order(1), terms(None)).unwrap();
    drop(journal);
    assert_eq!(status(&open(&dir), 1), Some(AckStatus::Accepted), "it was written anew without that line");
}
