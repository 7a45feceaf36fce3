//! The HTTP interface from outside: a real server on a free port, a real database in a directory of its own.

mod access;
mod analytics;
mod audit;
mod clients;
mod connections;
mod credentials;
mod documents;
mod engines;
mod explain;
mod grants;
mod hostile;
mod idempotency;
mod invitations;
mod live;
mod members;
mod permissions;
mod phones;
mod problems;
mod registry;
mod roles;
mod tokens;
mod world;
