//! What browsers and clients can do with the identity server, and what they cannot.

mod accounts;
mod authenticator;
mod authorization;
mod browser;
mod clients;
mod code_flow;
mod consent;
mod devices;
mod discovery;
mod exchange;
mod logout;
mod logs;
mod own_pages;
mod passkey_refusals;
mod passkeys;
mod provider;
mod refreshes;
mod revocation;
mod signing_in;
mod smtp;
mod tokens;
mod upstream;
mod upstream_attacks;
mod upstream_links;
mod upstream_tokens;
mod world;
