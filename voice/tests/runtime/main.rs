//! Voice as a whole: real rows, real tokens, devices that answer, and assistants on this machine that are told.

mod alexa;
mod assistants;
mod gateway;
mod google;
mod logs;
mod missed;
mod reports;
mod world;
