//! When the next certificate is asked for, and what comes of each answer.

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use super::*;

const DAY_MS: i64 = 24 * 3_600_000;
const HOUR: Duration = Duration::from_hours(1);
/// 1 November 2026.
const BORN: Timestamp = Timestamp(1_793_491_200_000);

/// Of thirty days.
fn validity() -> Validity {
    Validity { not_before: BORN, not_after: BORN.plus(30 * DAY_MS) }
}

/// A time at which every certificate is to be renewed.
const LATE: Timestamp = Timestamp(BORN.0 + 25 * DAY_MS);

/// Signs a request until the last day of a year.
fn sign(request: &RenewalRequest, year: i32) -> String {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut request = CertificateSigningRequestParams::from_pem(&request.csr).unwrap();
    (request.params.not_before, request.params.not_after) =
        (date_time_ymd(year, 1, 1), date_time_ymd(year, 12, 31));
    request.signed_by(&authority).unwrap().pem()
}

fn signed(certificate: &str) -> Vec<u8> {
    let answer = Answer::Signed {
        certificate: certificate.into(),
        authority: "authority".into(),
        not_after: Timestamp(0),
    };
    serde_json::to_vec(&answer).unwrap()
}

fn word(renewal: &mut Renewal) -> String {
    renewal.reported = None;
    renewal.report(validity()).unwrap()["renewal"].as_str().unwrap().to_owned()
}

#[test]
fn a_fleet_asks_between_two_thirds_and_three_quarters_and_not_at_once() {
    let day_of = |seed| {
        let mut renewal = Renewal::new(seed);
        assert!(
            renewal.work(validity(), Timestamp(0), Duration::ZERO).is_none(),
            "of a clock that is not set"
        );
        (0..3_000).find(|tenth| {
            let wall = BORN.plus(tenth * DAY_MS / 100);
            renewal.work(validity(), wall, Duration::ZERO).is_some()
        })
    };
    let days: Vec<i64> = (0..60).map(|seed| day_of(seed).unwrap()).collect();
    let (first, last) = (days.iter().min().unwrap(), days.iter().max().unwrap());
    assert!((2_000..2_050).contains(first) && (2_200..=2_251).contains(last), "{first} {last}");
    assert_eq!(day_of(7), day_of(7), "and the same seed on the same day");
}

#[test]
fn an_answer_for_the_own_key_is_taken() {
    let mut renewal = Renewal::new(1);
    assert!(renewal.answer(&signed("x"), LATE).is_none(), "nobody asked");
    let request = renewal.work(validity(), LATE, Duration::ZERO).unwrap();
    assert!(renewal.work(validity(), LATE, Duration::ZERO).is_none(), "one at a time");
    let certificate = sign(&request, 2026);
    let pair = renewal.answer(&signed(&certificate), LATE).unwrap().unwrap();
    assert_eq!((pair.certificate, pair.authority.as_str()), (certificate, "authority"));
    renewal.renewed(Duration::ZERO);
    assert_eq!(word(&mut renewal), "ok");
    assert!(renewal.work(validity(), LATE, HOUR / 2).is_none(), "not at once, though the clocks disagree");
    assert!(renewal.work(validity(), LATE, 2 * HOUR).is_some());
}

#[test]
fn an_answer_that_does_not_do_is_not_taken() {
    let ask = || {
        let mut renewal = Renewal::new(1);
        let request = renewal.work(validity(), LATE, Duration::ZERO).unwrap();
        (renewal, request)
    };
    let (mut renewal, request) = ask();
    let others = sign(&ask().1, 2026);
    assert_eq!(renewal.answer(&signed(&others), LATE), Some(Err(Failure::Stranger)));
    for year in [2025, 2027] {
        let (mut renewal, request) = ask();
        let answer = renewal.answer(&signed(&sign(&request, year)), LATE).unwrap();
        assert_eq!(answer.err(), Some(Failure::NotValid), "{year}");
    }
    let (mut renewal, _) = ask();
    assert_eq!(renewal.answer(b"{}", LATE), Some(Err(Failure::Unreadable)));
    assert_eq!(renewal.answer(&signed(&sign(&request, 2026)), LATE), None, "it is asked for no more");
}

#[test]
fn a_failure_is_told_and_tried_again_after_an_hour_that_grows_to_a_day() {
    let mut renewal = Renewal::new(3);
    let mut now = Duration::ZERO;
    for hours in [1, 2, 4, 8, 16, 24, 24] {
        assert!(renewal.work(validity(), LATE, now).is_some(), "after {now:?}");
        renewal.failed(Failure::Refused(RenewalRefusal::Unavailable), now);
        assert_eq!(word(&mut renewal), "refused:unavailable");
        let early = now + hours * HOUR;
        assert!(renewal.work(validity(), LATE, early.saturating_sub(Duration::from_secs(1))).is_none());
        now = early + hours * HOUR / 2;
    }
    let mut renewal = Renewal::new(3);
    renewal.failed(Failure::Refused(RenewalRefusal::TooMany), Duration::ZERO);
    assert!(renewal.work(validity(), LATE, Duration::from_secs(24 * 3_600 - 1)).is_none());
    assert!(renewal.work(validity(), LATE, 36 * HOUR).is_some());
}

#[test]
fn what_is_not_answered_has_failed() {
    let mut renewal = Renewal::new(1);
    renewal.work(validity(), LATE, Duration::ZERO).unwrap();
    assert_eq!(renewal.due(Duration::ZERO), PATIENCE);
    assert!(renewal.work(validity(), LATE, PATIENCE).is_none());
    assert_eq!(word(&mut renewal), "failed:unanswered");

    let mut renewal = Renewal::new(1);
    renewal.parted(Duration::ZERO);
    assert_eq!(word(&mut renewal), "ok", "nobody had asked");
    renewal.work(validity(), LATE, Duration::ZERO).unwrap();
    renewal.parted(Duration::ZERO);
    assert_eq!(word(&mut renewal), "failed:unanswered");
    assert!(renewal.work(validity(), LATE, HOUR / 2).is_none(), "a connection that flaps asks no more often");
}

#[test]
fn the_report_is_told_when_it_is_another() {
    let mut renewal = Renewal::new(1);
    let part = json!({"not_after": validity().not_after, "renewal": "ok"});
    assert_eq!(renewal.report(validity()), Some(part));
    assert_eq!(renewal.report(validity()), None);
    renewal.failed(Failure::SignIn, Duration::ZERO);
    assert_eq!(renewal.report(validity()).unwrap()["renewal"], "failed:sign_in");
}
