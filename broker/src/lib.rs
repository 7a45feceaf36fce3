//! The MQTT front, ingest and its workers.
