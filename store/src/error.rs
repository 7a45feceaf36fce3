//! What can go wrong in the store.

/// What a store method answers with.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing of that id in that organization, or it is deleted.
    #[error("not found")]
    NotFound,
    /// The change contradicts what is stored; the text names what (`identifier`, `position`, `configuration`, …).
    #[error("conflicts with the stored {0}")]
    Conflict(&'static str),
    /// The value can never be stored; the text says why, in words for whoever sent it.
    #[error("{0}")]
    Invalid(String),
    /// There are as many of these as there may be; the text names them.
    #[error("no more {0} fit")]
    Full(&'static str),
    /// The engine cannot be reached or is too busy: the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The tables are those of another version of the program.
    #[error("the database has version {found} of the tables, this program needs {known}: {}", advice(*found, *known))]
    Schema {
        /// The newest migration that the database has seen; 0 for none.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The engine refused the statement.
    #[error("the database refused a statement")]
    Sql(#[source] sqlx::Error),
    /// A stored value cannot be read back; the text names which.
    #[error("the stored {0} cannot be read")]
    Corrupt(&'static str),
}

fn advice(found: i64, known: i64) -> &'static str {
    if found < known {
        "start `promenade serve` of this version once, which brings it up to date"
    } else {
        "a later version of the program has used it; use that one"
    }
}

impl StoreError {
    /// Turns the breach of a uniqueness constraint into a conflict over `what`.
    pub(crate) fn unique(what: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::Conflict(what),
            _ => error.into(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let busy = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(database) => database.code().is_some_and(|code| is_passing(&code)),
            _ => false,
        };
        if busy { Self::Unavailable(error.to_string()) } else { Self::Sql(error) }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        sqlx::Error::from(error).into()
    }
}

/// Codes that say "later": `SQLite`'s busy and locked (primary code in the low byte, <https://sqlite.org/rescode.html>),
/// `PostgreSQL`'s serialization failure, deadlock, shutdown and connection limit
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_passing(code: &str) -> bool {
    const PASSING: [&str; 7] = ["40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03"];
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6),
        _ => PASSING.contains(&code),
    }
}

#[cfg(test)]
mod tests {
    use super::is_passing;

    #[test]
    fn busy_is_told_from_broken() {
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_BUSY_SNAPSHOT.
        assert!(["5", "6", "517", "40001", "57P01"].into_iter().all(is_passing));
        // SQLITE_CONSTRAINT_UNIQUE, unique_violation, undefined_table.
        assert!(!["2067", "23505", "42P01", "1"].into_iter().any(is_passing));
    }
}
