//! The program from outside: its commands, what they print, and what they leave behind.

mod authority;
mod explain;
mod listening;
mod operator;
mod pseudonyms;
mod world;
