//! An advertisement as BlueZ takes it (BlueZ, `doc/org.bluez.LEAdvertisingManager.rst` and `doc/org.bluez.LEAdvertisement.rst`):
//! an object of ours on the bus whose properties it reads when the object is registered.

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::Duration;

use dbus::arg::{PropMap, RefArg, Variant};
use dbus::channel::{BusType, Channel};
use dbus::{Error, Message, MessageType, Path};
use protocol::beacon::APPLE;
use tracing::info;

use super::{AdvertisingState, End, Shared, is_stopped};
use crate::config::AdvertiseConfig;

const BLUEZ: &str = "org.bluez";
const MANAGER: &str = "org.bluez.LEAdvertisingManager1";
const ADVERTISEMENT: &str = "org.bluez.LEAdvertisement1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const OBJECT: &str = "/org/promenade/agent/advertisement";

/// What BlueZ may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether the advertisement is still wanted; what the bus says comes at once.
const LOOK: Duration = Duration::from_secs(5);

/// What the bus is to tell: that BlueZ is another or gone, and that an adapter goes.
const MATCHES: [&str; 2] = [
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.ObjectManager',member='InterfacesRemoved'",
];

/// Objects of BlueZ, with their interfaces and properties.
type Objects = HashMap<Path<'static>, HashMap<String, PropMap>>;

/// Has the advertisement sent until something ends that.
pub(super) fn session(config: &AdvertiseConfig, state: &Shared, stopped: &mpsc::Receiver<()>) -> End {
    match advertise(config, state, stopped) {
        Ok(end) => end,
        Err(error) => End::of(&error),
    }
}

fn advertise(config: &AdvertiseConfig, state: &Shared, stopped: &mpsc::Receiver<()>) -> Result<End, Error> {
    let channel = Channel::get_private(BusType::System)?;
    for rule in MATCHES {
        let add = Message::call_with_args(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "AddMatch",
            (rule,),
        );
        channel.send_with_reply_and_block(add, PATIENCE)?;
    }
    let list = Message::method_call(
        &BLUEZ.into(),
        &"/".into(),
        &"org.freedesktop.DBus.ObjectManager".into(),
        &"GetManagedObjects".into(),
    );
    let objects: Objects = channel.send_with_reply_and_block(list, PATIENCE)?.read1()?;
    let adapter = match choose(&objects, config.adapter.as_deref()) {
        Ok(adapter) => adapter,
        Err(end) => return Ok(end),
    };
    let options = PropMap::new();
    let register = Message::call_with_args(
        BLUEZ,
        &adapter,
        MANAGER,
        "RegisterAdvertisement",
        (Path::from(OBJECT), options),
    );
    // While it registers the object BlueZ asks it, so waiting for nothing but the answer would wait for ever.
    let serial = channel.send(register).map_err(|()| Error::new_failed("the bus takes no message"))?;
    let mut is_on = false;
    loop {
        let message = channel.blocking_pop_message(if is_on { LOOK } else { PATIENCE })?;
        if is_stopped(stopped, Duration::ZERO) {
            return Ok(End::Stopped);
        }
        let Some(mut message) = message else {
            if is_on {
                continue;
            }
            return Ok(End::Bus("Timeout".into()));
        };
        if message.get_reply_serial() == Some(serial) {
            message.as_result()?;
            info!(adapter = %adapter, "the device advertises");
            state.set(AdvertisingState::On);
            is_on = true;
        } else if let Some(end) = take(&channel, &message, &adapter, config) {
            return Ok(end);
        }
    }
}

/// Answers BlueZ, and understands when it is over.
fn take(channel: &Channel, message: &Message, adapter: &Path<'_>, config: &AdvertiseConfig) -> Option<End> {
    let (interface, member) = (message.interface(), message.member());
    let (interface, member) =
        (interface.as_deref().unwrap_or_default(), member.as_deref().unwrap_or_default());
    let is_call = message.msg_type() == MessageType::MethodCall;
    match (is_call, interface, member) {
        (true, PROPERTIES, "GetAll") => {
            let is_ours = message.read1() == Ok(ADVERTISEMENT);
            let properties = if is_ours { properties(config) } else { PropMap::new() };
            let _ = channel.send(message.return_with_args((properties,)));
        }
        (true, ADVERTISEMENT, "Release") => {
            let _ = channel.send(message.method_return());
            return Some(End::GivenUp("it is released"));
        }
        (true, ..) => {
            if let Some(reply) = dbus::channel::default_reply(message) {
                let _ = channel.send(reply);
            }
        }
        (false, _, "NameOwnerChanged") => return Some(End::GivenUp("BlueZ went or came")),
        (false, _, "InterfacesRemoved") if message.read1::<Path<'_>>().is_ok_and(|gone| gone == *adapter) => {
            return Some(End::GivenUp("the adapter is gone"));
        }
        _ => {}
    }
    None
}

/// The adapter of this name, else the first that is powered, else the first; of those that can advertise.
fn choose(objects: &Objects, wanted: Option<&str>) -> Result<Path<'static>, End> {
    let mut adapters: Vec<_> = objects
        .iter()
        .filter_map(|(path, interfaces)| Some((path, interfaces, interfaces.get("org.bluez.Adapter1")?)))
        .filter(|(path, ..)| wanted.is_none_or(|wanted| path.rsplit('/').next() == Some(wanted)))
        .collect();
    if adapters.is_empty() {
        return Err(End::NoAdapter);
    }
    adapters.retain(|(_, interfaces, _)| interfaces.contains_key(MANAGER));
    let is_off = |properties: &PropMap| {
        properties.get("Powered").and_then(|powered| powered.0.as_u64()).is_none_or(|powered| powered == 0)
    };
    adapters.sort_by_key(|&(path, _, properties)| (is_off(properties), path.clone()));
    adapters.first().map(|(path, ..)| (*path).clone()).ok_or(End::Unsupported)
}

/// What is sent, and how.
fn properties(config: &AdvertiseConfig) -> PropMap {
    let variant = |value: Box<dyn RefArg>| Variant(value);
    let frame = HashMap::from([(APPLE, variant(Box::new(config.ibeacon.frame().encode())))]);
    HashMap::from([
        ("Type".into(), variant(Box::new("broadcast".to_owned()))),
        ("ManufacturerData".into(), variant(Box::new(frame))),
        ("MinInterval".into(), variant(Box::new(config.interval_ms))),
        ("MaxInterval".into(), variant(Box::new(config.interval_ms))),
    ])
}

impl End {
    fn of(error: &Error) -> Self {
        let name = error.name().unwrap_or_default();
        match name {
            "org.bluez.Error.NotSupported" => Self::Unsupported,
            _ => Self::Bus(format!("{} ({name})", error.message().unwrap_or_default())),
        }
    }
}
