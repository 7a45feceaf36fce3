//! The HTTP interface from outside: a real server on a free port, a real database in a directory of its own.

mod access;
mod analytics;
mod audit;
mod bulk;
mod clients;
mod commands;
mod connections;
mod credentials;
mod documents;
mod engines;
mod explain;
mod filter;
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
mod twins;
mod world;
