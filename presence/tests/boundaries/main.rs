//! Every limit, exactly at it and one millisecond or second beside it.

mod configuration;
mod hall;
mod lateness;
mod notices;
mod runs;
mod zones;
