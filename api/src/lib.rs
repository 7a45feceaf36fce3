//! The HTTP interface: registry, analytics, live stream.
