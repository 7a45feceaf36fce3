//! The simulator as a whole: days, recordings, and fleets and loads against a small broker that misbehaves on purpose.

mod appliances;
mod broker;
mod commands;
mod day;
mod faults;
mod fleet;
mod load;
mod mall;
mod pattern;
mod recorded_air;
mod registry;
mod secure;
