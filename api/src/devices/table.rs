//! Devices as a table (CSV, RFC 4180): out for spreadsheets, and in, many at once.

mod csv;
mod export;
mod import;

pub(crate) use export::{__path_export, export};
pub(crate) use import::{__path_import, MAX_BYTES, PATH as IMPORT_PATH, import};

/// The columns that an import may have, and that an export has beside `id` and `created_at`.
const COLUMNS: [&str; 8] = ["name", "kind", "venue", "zone", "x", "y", "z", "identifier"];
