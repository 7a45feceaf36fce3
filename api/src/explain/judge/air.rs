//! What those know of a beacon who hear it.

use protocol::beacon::BeaconState;

use super::Evidence;
use crate::explain::air::Air;
use crate::explain::finding::{Code, Finding};

impl Evidence {
    /// Of what never signs in, this is all that is known; what does has its own word, and this is beside it.
    pub(super) fn of_air(&self) -> Vec<Finding> {
        let Some(air) = &self.air else { return Vec::new() };
        let found = [
            self.battery_low(air),
            self.never_heard(air),
            self.not_heard(air),
            self.heard_otherwise(air),
            self.heard(air),
        ];
        let found = found.into_iter().flatten();
        if self.signs_in() {
            found.map(|finding| Finding { is_problem: false, ..finding }).collect()
        } else {
            found.collect()
        }
    }

    fn battery_low(&self, air: &Air) -> Option<Finding> {
        let low = air.watch.low_at?;
        let volts = air.watch.battery_mv.map(|mv| format!("{mv} mV"));
        let percent = air.watch.battery_percent.map(|percent| format!("{percent} %"));
        let left: Vec<String> = volts.into_iter().chain(percent).collect();
        let what = format!(
            "Its battery is nearly empty: {} are left, as it said itself, and it was low first {}.",
            left.join(", "),
            self.ago(low)
        );
        Some(Finding::problem(Code::BatteryLow, what, "Change its battery."))
    }

    fn never_heard(&self, air: &Air) -> Option<Finding> {
        // Nobody need be near a gateway that has an identifier.
        if air.watch.state != BeaconState::Unheard || self.signs_in() {
            return None;
        }
        let remedy = "Check that it transmits, that its identifier here is the one that it sends (or its key and its counter, where that \
                      changes), and that a gateway, a kiosk or a phone is near it and reports.";
        Some(Finding::problem(Code::NeverHeard, "Nobody has ever heard it.", remedy))
    }

    fn not_heard(&self, air: &Air) -> Option<Finding> {
        if air.watch.state != BeaconState::Silent {
            return None;
        }
        let what = format!(
            "It is not heard any more, while those who used to hear it go on reporting. It was last heard {}.",
            self.last_heard(air)?
        );
        Some(Finding::problem(
            Code::NotHeard,
            what,
            "Check its battery, and whether it is still in its place.",
        ))
    }

    fn heard_otherwise(&self, air: &Air) -> Option<Finding> {
        let since = self.ago(air.watch.moved_at?);
        let what = format!(
            "It is heard otherwise than it used to be, first {since}: it was most likely moved. It was last heard {}.",
            self.last_heard(air)?
        );
        let remedy = "Tell where it stands: PATCH /api/v1/devices/{device} with its venue and zone. If it stands where it did, the same \
                      says so, and how it is usually heard is learned anew.";
        Some(Finding::problem(Code::HeardOtherwise, what, remedy))
    }

    fn heard(&self, air: &Air) -> Option<Finding> {
        if !matches!(air.watch.state, BeaconState::Ok | BeaconState::Low) {
            return None;
        }
        let what = format!("It is heard as usual, last {}.", self.last_heard(air)?);
        Some(Finding::note(Code::Heard, what, "Nothing needs to be done."))
    }

    /// When, by whom and how strongly.
    fn last_heard(&self, air: &Air) -> Option<String> {
        let heard = air.watch.heard.as_ref()?;
        let by = match (&air.by, heard.by) {
            (Some(name), _) => format!("by \"{name}\""),
            (None, Some(_)) => "by a device that was deleted since".to_owned(),
            (None, None) => "by a phone or something else that moves".to_owned(),
        };
        let strength = heard.rssi.map_or_else(String::new, |rssi| format!("at {rssi:.0} dBm "));
        Some(format!("{}, {strength}{by}", self.ago(heard.at)))
    }
}
