//! The HTTP interface from outside: a real server on a free port, a real database in a directory of its own.

mod access;
mod analytics;
mod connections;
mod credentials;
mod documents;
mod engines;
mod explain;
mod hostile;
mod idempotency;
mod live;
mod problems;
mod registry;
mod world;
