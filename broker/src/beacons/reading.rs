//! What a beacon or a tag said of itself last, and its parts of the twin.

use protocol::{BeaconTelemetry, DeviceId, Profile, Timestamp};
use serde_json::{Map, Value, json};

use super::watched::Watched;

/// A beacon's twin is written once in this time at most for what is merely new.
const TELL_EVERY_MS: i64 = 60_000;
/// Degrees Celsius that a thermometer on earth can show, as the capability `sensor` takes them.
const CELSIUS: std::ops::RangeInclusive<f32> = -100.0..=1_000.0;

/// What it said last.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    said: BeaconTelemetry,
    /// The gateway or kiosk that passed it on; none where it was something that moves.
    by: Option<DeviceId>,
    /// It is not in the twin yet.
    is_new: bool,
    /// When it was last written into the twin, on our clock.
    told_at: Option<Timestamp>,
}

/// Takes out of a message what nobody can measure; a battery of 0 mV is one that is not measured (`eddystone-tlm/tlm-plain.md`,
/// "Field Notes").
pub(super) fn plausible(mut said: BeaconTelemetry) -> BeaconTelemetry {
    said.battery_mv = said.battery_mv.filter(|mv| *mv > 0);
    said.battery_percent = said.battery_percent.filter(|percent| *percent <= 100);
    said.temperature_c = said.temperature_c.filter(|celsius| CELSIUS.contains(celsius));
    said
}

impl Reading {
    pub(super) fn new(said: BeaconTelemetry, by: Option<DeviceId>) -> Self {
        Self { said, by, is_new: true, told_at: None }
    }

    /// Takes in what it said later; what is older says nothing new, and what was left out stays as it was.
    pub(super) fn hear(&mut self, said: BeaconTelemetry, by: Option<DeviceId>) {
        if said.at <= self.said.at {
            return;
        }
        let before = std::mem::replace(&mut self.said, said);
        let said = &mut self.said;
        said.battery_mv = said.battery_mv.or(before.battery_mv);
        said.battery_percent = said.battery_percent.or(before.battery_percent);
        said.temperature_c = said.temperature_c.or(before.temperature_c);
        said.advertisements = said.advertisements.or(before.advertisements);
        said.uptime_s = said.uptime_s.or(before.uptime_s);
        (self.by, self.is_new) = (by, true);
    }

    /// Whether it is time to write it into the twin.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.is_new && self.told_at.is_none_or(|at| now.since(at) >= TELL_EVERY_MS)
    }

    pub(super) fn told(&mut self, now: Timestamp) {
        (self.is_new, self.told_at) = (false, Some(now));
    }

    /// It could not be written.
    pub(super) fn untold(&mut self) {
        (self.is_new, self.told_at) = (true, None);
    }
}

/// The parts of the twin: `beacon`, and `sensor` for what the profile says is measured. Times are Unix milliseconds.
pub(super) fn patch(
    watched: Option<&Watched>,
    reading: Option<&Reading>,
    profile: Option<&Profile>,
) -> Map<String, Value> {
    let mut beacon = Map::new();
    if let Some(watched) = watched {
        beacon.insert("state".into(), json!(watched.state));
        beacon.insert("since".into(), json!(watched.since));
    }
    let heard = watched.and_then(|watched| watched.heard).map(|heard| (heard.at, heard.by));
    if let Some((at, by)) = heard.or(reading.map(|reading| (reading.said.at, reading.by))) {
        beacon.insert("heard_at".into(), json!(at));
        // Null takes away who heard it before.
        beacon.insert("heard_by".into(), json!(by));
    }
    let mut patch = Map::new();
    if let Some(Reading { said, .. }) = reading {
        let celsius = said.temperature_c.map(hundredths);
        for (name, value) in [
            ("battery_mv", said.battery_mv.map(Value::from)),
            ("battery_percent", said.battery_percent.map(Value::from)),
            ("temperature_c", celsius.map(Value::from)),
            ("advertisements", said.advertisements.map(Value::from)),
            ("uptime_s", said.uptime_s.map(Value::from)),
        ] {
            beacon.extend(value.map(|value| (name.to_owned(), value)));
        }
        let sensor = profile.and_then(|profile| profile.capabilities.sensor.as_ref());
        let measured = [
            ("temperature", protocol::capability::Reading::Temperature, celsius),
            ("battery", protocol::capability::Reading::Battery, said.battery_percent.map(f64::from)),
        ];
        let of_sensor = |(name, reading, value): (&str, _, Option<f64>)| {
            let is_declared = sensor.is_some_and(|sensor| sensor.readings.contains(&reading));
            value.filter(|_| is_declared).map(|value| (name.to_owned(), json!(value)))
        };
        let part: Map<_, _> = measured.into_iter().filter_map(of_sensor).collect();
        if !part.is_empty() {
            patch.insert("sensor".into(), Value::Object(part));
        }
    }
    patch.insert("beacon".into(), Value::Object(beacon));
    patch
}

/// As people read it, and not as single precision has it.
fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at: i64, rest: &str) -> BeaconTelemetry {
        let text = format!(r#"{{"id":"app:a","at":{at}{rest}}}"#);
        plausible(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn the_parts_of_the_twin_have_what_was_said() {
        let gateway = DeviceId::new(Timestamp(1), [1; 10]);
        let mut reading = Reading::new(said(5, r#","battery_mv":2987,"temperature_c":21.7"#), Some(gateway));
        reading.hear(said(7, r#","temperature_c":22.25,"battery_percent":80,"uptime_s":9"#), None);
        reading.hear(said(6, r#","temperature_c":99"#), Some(gateway));
        let beacon = json!({"heard_at": 7, "heard_by": null, "battery_mv": 2987, "battery_percent": 80,
            "temperature_c": 22.25, "uptime_s": 9});
        let told = patch(None, Some(&reading), None);
        assert_eq!(Value::Object(told), json!({"beacon": beacon}));
        let profile = json!({"type": "sensor", "capabilities": {"sensor": {"readings": ["temperature"]}}});
        let profile: Profile = serde_json::from_value(profile).unwrap();
        let told = patch(None, Some(&reading), Some(&profile));
        profile.capabilities.holds(&told).unwrap();
        assert_eq!(Value::Object(told), json!({"beacon": beacon, "sensor": {"temperature": 22.25}}));
        let rounded = patch(None, Some(&Reading::new(said(1, r#","temperature_c":21.7"#), None)), None);
        assert_eq!(rounded["beacon"]["temperature_c"], json!(21.7));
    }

    #[test]
    fn what_nobody_can_measure_is_left_out() {
        let said = said(1, r#","battery_mv":0,"battery_percent":101,"temperature_c":-101"#);
        assert_eq!((said.battery_mv, said.battery_percent, said.temperature_c), (None, None, None));
    }

    #[test]
    fn a_twin_is_written_once_a_minute() {
        let mut reading = Reading::new(said(1, ""), None);
        assert!(reading.is_due(Timestamp(0)));
        reading.told(Timestamp(0));
        assert!(!reading.is_due(Timestamp(i64::MAX)), "nothing is new");
        reading.hear(said(2, ""), None);
        assert!(!reading.is_due(Timestamp(59_999)) && reading.is_due(Timestamp(60_000)));
        reading.told(Timestamp(60_000));
        reading.untold();
        assert!(reading.is_due(Timestamp(60_000)), "it was not written");
    }
}
