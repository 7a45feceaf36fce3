//! One version of a venue's configuration.

use std::collections::{BTreeMap, HashMap};

use protocol::{DeviceId, ZoneId, ZoneKind};

use crate::{Calendar, Settings};

/// One version of what the estimate needs to know about a venue.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The venue's time zone and start of day.
    pub calendar: Calendar,
    /// The parameters of the estimate.
    pub settings: Settings,
    /// The venue's zones.
    pub zones: BTreeMap<ZoneId, ZoneKind>,
    /// The zone of each placed anchor. An anchor that is missing here, or whose zone is missing in `zones`, is not
    /// heard: its sightings count as if they had never been.
    pub anchors: HashMap<DeviceId, ZoneId>,
}
