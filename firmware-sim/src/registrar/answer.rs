//! The API's answers, and what is kept of them.

use protocol::{Timestamp, ZoneId};
use serde::Deserialize;

/// The platform's numbers of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Footfall {
    /// Everything before this moment is final, unless something comes late.
    pub complete_through: Option<Timestamp>,
    /// Whether something that came late is still being worked in.
    pub recomputing: bool,
    /// Each hour, in order.
    pub hours: Vec<MeasuredBucket>,
    /// The whole day.
    pub day: MeasuredBucket,
}

/// The platform's numbers of one bucket. `None` where they are suppressed, or where there is nothing to take a median of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasuredBucket {
    /// When it starts.
    pub start: Timestamp,
    /// Visits.
    pub visits: Option<u64>,
    /// Different subjects with a visit.
    pub uniques: Option<u64>,
    /// Bounces.
    pub bounces: Option<u64>,
    /// Passers-by.
    pub passers_by: Option<u64>,
    /// Median dwell, seconds.
    pub dwell_median_s: Option<f64>,
    /// Subjects inside, on average over the time.
    pub occupancy_mean: Option<f64>,
    /// Whether all is withheld, since few people are behind it.
    pub suppressed: bool,
}

/// A stay as the platform tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredStay {
    /// The pseudonym.
    pub subject: String,
    /// Where.
    pub zone: ZoneId,
    /// First sighting.
    pub from: Timestamp,
    /// Last sighting.
    pub to: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct Series {
    complete_through: Option<jiff::Timestamp>,
    recomputing: Recomputing,
    #[serde(rename = "series")]
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Completeness {
    complete_through: Option<jiff::Timestamp>,
    recomputing: Recomputing,
}

/// Either a flag or the windows that are being recomputed.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Recomputing {
    Flag(bool),
    Windows(Vec<serde::de::IgnoredAny>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Bucket {
    start: jiff::Timestamp,
    visits: Option<u64>,
    uniques: Option<u64>,
    bounces: Option<u64>,
    passers_by: Option<u64>,
    dwell_median_s: Option<f64>,
    occupancy_mean: Option<f64>,
    suppressed: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stays {
    pub(super) items: Vec<Stay>,
    pub(super) next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stay {
    subject: String,
    zone: ZoneId,
    from: jiff::Timestamp,
    to: jiff::Timestamp,
}

impl Footfall {
    pub(super) fn of(hours: Series, days: Series) -> Result<Self, String> {
        let [day] = <[Bucket; 1]>::try_from(days.buckets)
            .map_err(|buckets| format!("one day has {} buckets", buckets.len()))?;
        Ok(Self {
            complete_through: hours.complete_through.map(stamp),
            recomputing: hours.recomputing.is_going_on(),
            hours: hours.buckets.into_iter().map(measured).collect(),
            day: measured(day),
        })
    }
}

impl Completeness {
    pub(super) fn is_settled(&self, until: Timestamp) -> bool {
        let complete = self.complete_through.is_some_and(|through| stamp(through) >= until);
        complete && !self.recomputing.is_going_on()
    }
}

impl Recomputing {
    fn is_going_on(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Windows(windows) => !windows.is_empty(),
        }
    }
}

impl MeasuredStay {
    pub(super) fn of(stay: Stay) -> Result<Self, String> {
        let (from, to) = (stamp(stay.from), stamp(stay.to));
        if to < from {
            return Err(format!("a stay ends at {} before it begins at {}", stay.to, stay.from));
        }
        Ok(Self { subject: stay.subject, zone: stay.zone, from, to })
    }
}

fn measured(bucket: Bucket) -> MeasuredBucket {
    MeasuredBucket {
        start: stamp(bucket.start),
        visits: bucket.visits,
        uniques: bucket.uniques,
        bounces: bucket.bounces,
        passers_by: bucket.passers_by,
        dwell_median_s: bucket.dwell_median_s,
        occupancy_mean: bucket.occupancy_mean,
        suppressed: bucket.suppressed,
    }
}

fn stamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footfall_is_read_as_the_contract_writes_it() {
        let bucket = r#"{"start":"2026-11-21T09:00:00Z","visits":3,"uniques":2,"bounces":1,"passers_by":4,
            "dwell_median_s":61.5,"dwell_p90_s":70,"occupancy_peak":2,"occupancy_mean":0.5,"suppressed":false}"#;
        let hidden = r#"{"start":"2026-11-21T10:00:00Z","visits":null,"uniques":null,"bounces":null,
            "passers_by":null,"dwell_median_s":null,"occupancy_mean":null,"suppressed":true}"#;
        let series = |buckets: &str| -> Series {
            let text = format!(
                r#"{{"venue":"x","complete_through":"2026-11-22T00:00:00Z","recomputing":false,"series":[{buckets}]}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let footfall = Footfall::of(series(&format!("{bucket},{hidden}")), series(bucket)).unwrap();
        assert_eq!(footfall.hours[0].dwell_median_s, Some(61.5));
        assert_eq!(footfall.hours[0].occupancy_mean, Some(0.5));
        assert_eq!((footfall.hours[1].visits, footfall.hours[1].suppressed), (None, true));
        assert_eq!(footfall.day.start, Timestamp(1_795_251_600_000));
        assert!(Footfall::of(series(""), series("")).is_err());
    }

    #[test]
    fn settled_means_complete_and_at_rest() {
        let state = |text: &str| -> Completeness { serde_json::from_str(text).unwrap() };
        let until = Timestamp(1_795_251_600_000);
        let cases = [
            (r#"{"complete_through":"2026-11-21T09:00:00Z","recomputing":false}"#, true),
            (r#"{"complete_through":"2026-11-21T09:00:00Z","recomputing":true}"#, false),
            (r#"{"complete_through":"2026-11-21T08:59:59Z","recomputing":false}"#, false),
            (r#"{"complete_through":null,"recomputing":false}"#, false),
            (r#"{"complete_through":"2026-11-21T09:00:00Z","recomputing":[{"from":1}]}"#, false),
        ];
        for (text, settled) in cases {
            assert_eq!(state(text).is_settled(until), settled, "{text}");
        }
    }
}
