//! Commands and twins, from the HTTP interface to a device and back.

pub(crate) mod device;
mod exchange;
mod never_twice;
mod twin;
