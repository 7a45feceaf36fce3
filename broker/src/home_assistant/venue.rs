//! What is announced of a venue: how many are in each of its zones, and inside in all.

use protocol::Topic;
use serde_json::{Value, json};
use store::{Venue, Zone};

use super::component::{Component, Platform, plain};
use super::device::body;

/// The body of a venue's message.
pub(super) fn announcement(venue: &Venue, zones: &[Zone]) -> Value {
    let topic = Topic::Occupancy { organization: venue.organization, venue: venue.id }.to_string();
    let sensor = |key: String, name: &str, expression: &str| {
        Component::new(Platform::Sensor, key, name)
            .with("state_topic", topic.as_str())
            .with("value_template", plain(expression))
            .with("unit_of_measurement", "people")
            .with("state_class", "measurement")
    };
    let mut components = vec![sensor("total".to_owned(), "Inside", "value_json.total")];
    for zone in zones {
        let expression = format!("value_json.zones.get('{}')", zone.id);
        components.push(sensor(format!("zone_{}", zone.id), &zone.name, &expression));
    }
    body(&venue.id.to_string(), &venue.name, &json!("venue"), components)
}
