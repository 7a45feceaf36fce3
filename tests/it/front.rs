//! The front over real sockets: who may do what, what is delivered to whom, sessions, wills, receipts, and bad neighbours.

mod access;
mod client;
mod delivery;
mod hello;
mod key;
mod limits;
mod movements;
mod receipts;
mod retained;
mod sessions;
mod slow;
mod status;
mod will;
