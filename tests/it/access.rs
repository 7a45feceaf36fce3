//! Who reaches which topics, tried in every combination, and that two organizations never meet.

mod organizations;
mod people;
mod table;
