//! One binary for every end-to-end test: real servers in processes of their own, real clients, a `World` for each test.

mod access;
mod agent;
mod air;
mod beacons;
#[cfg(target_os = "linux")]
mod bluetooth;
/// A BlueZ without a radio.
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the tests of the agent, which use all of it")]
#[path = "../../device-agent/tests/bluez/air.rs"]
mod bluez;
mod clients;
mod commands;
mod configuration;
mod conformance;
mod demo;
#[cfg(target_os = "linux")]
mod emulated;
mod enrolment;
mod explain;
mod fleets;
mod front;
mod home_assistant;
mod hostile;
mod kill;
mod mall;
mod mqtt;
mod oauth;
mod openapi;
mod order;
mod privacy;
mod programs;
mod reporters;
mod restart;
mod soak;
mod transports;
mod voice;
mod world;
