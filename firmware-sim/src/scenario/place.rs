//! The place: the venue, its zones and what is mounted in them.

use crate::appliance::Manners;
use crate::floor::{Point, Polygon};
use protocol::{DeviceKind, Profile, ZoneKind};
use serde::Deserialize;

/// The venue.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenuePlan {
    /// Its name.
    pub name: String,
    /// Its IANA time zone.
    pub timezone: String,
    /// When its day starts.
    #[serde(default)]
    pub day_starts_at: LocalTime,
    /// Language and region of its people, as `de-DE`.
    #[serde(default)]
    pub locale: Option<String>,
    /// Width and height in metres. Who is not inside is not there at all.
    pub size: [f32; 2],
}

/// A part of the venue. It has either a `rectangle` or a `polygon`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZonePlan {
    /// Its name.
    pub name: String,
    /// What being in it means.
    pub kind: ZoneKind,
    /// Names of the zones one can step into from here.
    #[serde(default)]
    pub neighbours: Vec<String>,
    /// Left, bottom, right, top in metres.
    #[serde(default)]
    pub rectangle: Option<[f32; 4]>,
    /// The corners in order, in metres.
    #[serde(default)]
    pub polygon: Option<Vec<[f32; 2]>>,
    /// How much it draws people, beside the others.
    #[serde(default = "one")]
    pub attraction: f32,
}

impl ZonePlan {
    /// Its shape; `None` when the file gives none, two, or one without an area.
    pub fn shape(&self) -> Option<Polygon> {
        let corners = match (&self.rectangle, &self.polygon) {
            (Some([left, bottom, right, top]), None) if left < right && bottom < top => {
                vec![[*left, *bottom], [*right, *bottom], [*right, *top], [*left, *top]]
            }
            (None, Some(corners)) => corners.clone(),
            _ => return None,
        };
        Polygon::new(corners.into_iter().map(|[x, y]| Point::new(x, y)).collect())
    }
}

/// A fixed receiver.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayPlan {
    /// Its name.
    pub name: String,
    /// The zone it stands for.
    pub zone: String,
    /// Metres right, up the plan, above the floor.
    pub position: [f32; 3],
}

/// A fixed transmitter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeaconPlan {
    /// Its name.
    pub name: String,
    /// The zone it hangs in.
    pub zone: String,
    /// Metres right, up the plan, above the floor.
    pub position: [f32; 3],
    /// How often gateways report it, seconds.
    #[serde(default = "minute")]
    pub every_s: u32,
}

/// Something that can be controlled.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliancePlan {
    /// Its name.
    pub name: String,
    /// `appliance` or `kiosk`.
    #[serde(default = "appliance")]
    pub kind: DeviceKind,
    /// The zone it stands in.
    pub zone: String,
    /// What it is, and what it can do.
    pub profile: Profile,
    /// How it behaves.
    #[serde(default)]
    pub manners: Manners,
}

/// A time of day, `HH:MM`, kept as minutes after midnight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct LocalTime(pub u16);

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a time of day as \"09:30\"");
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return Err(wrong());
        }
        match (hours.parse::<u16>(), minutes.parse::<u16>()) {
            (Ok(hours @ 0..=23), Ok(minutes @ 0..=59)) => Ok(Self(hours * 60 + minutes)),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for LocalTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

fn one() -> f32 {
    1.0
}

fn appliance() -> DeviceKind {
    DeviceKind::Appliance
}

fn minute() -> u32 {
    60
}
