//! TLS, WebSocket and client certificates over real sockets, and peers that are slow on any of them.

mod certificates;
mod reload;
mod slow;
mod web;
