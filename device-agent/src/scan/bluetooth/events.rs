//! What BlueZ tells of an adapter and of what it hears.
//!
//! btleplug's own stream asks BlueZ for the whole device at each advertisement, only to find out a name that the event has
//! already. So on Linux the layer below it is listened to, on a connection of its own; everything else goes through btleplug.

use std::collections::HashMap;

use btleplug::Error;
use btleplug::platform::PeripheralId;
use futures_util::Stream;

/// Something that BlueZ told.
#[derive(Debug)]
pub(super) enum Event {
    /// The adapter was switched on, or off.
    Powered(bool),
    /// A device that BlueZ did not know.
    Discovered(PeripheralId),
    /// How strongly it was heard, in dBm.
    Level(PeripheralId, i16),
    /// Manufacturer specific data, by company.
    Manufacturer(PeripheralId, HashMap<u16, Vec<u8>>),
    /// Service data, by UUID.
    Service(PeripheralId, HashMap<u128, Vec<u8>>),
}

/// What is told of the adapter of this name from now on; the end is never told.
#[cfg(target_os = "linux")]
pub(super) async fn events(adapter: &str) -> Result<impl Stream<Item = Event> + use<>, Error> {
    use std::future::ready;

    use bluez_async::{AdapterEvent, BluetoothEvent, BluetoothSession, DeviceEvent};
    use futures_util::StreamExt;

    let (_connection, session) = BluetoothSession::new().await?;
    let adapters = session.get_adapters().await?;
    let named = adapters.into_iter().map(|info| info.id).find(|id| id.to_string() == adapter);
    let own = named.ok_or(Error::DeviceNotFound)?;
    let told = session.adapter_event_stream(&own).await?;
    Ok(told.filter_map(move |event| {
        // The stream is of this connection, which has to live as long.
        let _ = &session;
        ready(match event {
            BluetoothEvent::Adapter { id, event: AdapterEvent::Powered { powered } } if id == own => {
                Some(Event::Powered(powered))
            }
            BluetoothEvent::Device { id, event } if id.adapter() == own => match event {
                DeviceEvent::Discovered => Some(Event::Discovered(id.into())),
                DeviceEvent::Rssi { rssi } => Some(Event::Level(id.into(), rssi)),
                DeviceEvent::ManufacturerData { manufacturer_data } => {
                    Some(Event::Manufacturer(id.into(), manufacturer_data))
                }
                DeviceEvent::ServiceData { service_data } => {
                    let data = service_data.into_iter().map(|(uuid, data)| (uuid.as_u128(), data));
                    Some(Event::Service(id.into(), data.collect()))
                }
                _ => None,
            },
            _ => None,
        })
    }))
}

/// There is no BlueZ.
#[cfg(not(target_os = "linux"))]
pub(super) async fn events(_: &str) -> Result<impl Stream<Item = Event> + use<>, Error> {
    Err::<futures_util::stream::Empty<Event>, _>(Error::NotSupported("only BlueZ is listened to".into()))
}
