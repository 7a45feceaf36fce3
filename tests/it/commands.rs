//! Commands and twins, from the HTTP interface to a device and back.

mod device;
mod exchange;
mod twin;
