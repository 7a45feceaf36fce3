//! What the store promises, on both engines.

mod analytics;
mod certificates;
mod checkpoints;
mod claims;
mod configuration;
mod devices;
mod engines;
mod facts;
mod idempotency;
mod ingest;
mod keys;
mod live;
mod losses;
mod migrations;
mod organizations;
mod registry;
mod sessions;
mod shop;
mod venues;
mod zones;
