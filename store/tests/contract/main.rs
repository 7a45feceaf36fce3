//! What the store promises, on both engines.

mod analytics;
mod checkpoints;
mod configuration;
mod devices;
mod engines;
mod idempotency;
mod ingest;
mod keys;
mod live;
mod migrations;
mod organizations;
mod registry;
mod shop;
mod venues;
mod zones;
