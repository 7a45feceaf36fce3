//! Rows, live state and the ingest log: the only crate that knows SQL.
