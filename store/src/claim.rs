//! A server's claim to be the only one that serves from a database.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use crate::engine::{Postgres, SERVER_LOCK, Store};
use crate::error::{Result, StoreError};

/// Being the only server of a database, for as long as this is kept.
///
/// On `PostgreSQL` it is a session-level advisory lock
/// (<https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>) on a connection of its own, which must
/// lead to the server itself: a pooler that gives its sessions away after each transaction gives the lock away too. On
/// `SQLite` the lock of the data directory does this, and the claim is always given and never lost.
#[derive(Debug)]
pub struct Claim {
    connection: Option<PgConnection>,
}

/// Where a claim of ours may still be held although its connection is gone: the sessions of the database's server that
/// asked for one. A server that was cut off finds its own ghost in its place.
#[derive(Debug, Default)]
pub struct Tenure {
    backends: Vec<Backend>,
}

/// A session of a `PostgreSQL` server. Process ids come again, so the time of its start belongs to it.
#[derive(Debug)]
struct Backend {
    pid: i32,
    started: String,
}

/// How often to see whether the connection is still there; also how late a loss is noticed.
const INTERVAL: Duration = Duration::from_secs(3);

/// Without an answer for so long it counts as lost: the other side may have given up on us, and the lock with it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a claim may take to be answered: a line that is half open never says that it is.
const ANSWER: Duration = Duration::from_secs(10);

/// `lock_not_available` (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Store {
    /// Claims the database; a conflict over `server` when another server has it. Of one that was killed a moment ago the
    /// claim ends within the two seconds that this waits.
    ///
    /// What is left of earlier claims of the same `tenure` is ended first, so whoever lost one, or gave up waiting for one,
    /// claims again with it. A role may end its own sessions
    /// (<https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL>).
    pub async fn claim(&self, tenure: &mut Tenure) -> Result<Claim> {
        let Self::Postgres(postgres) = self else { return Ok(Claim { connection: None }) };
        match timeout(ANSWER, postgres.claim(tenure)).await {
            Ok(claimed) => claimed,
            Err(_) => Err(StoreError::Unavailable("the claim was not answered".into())),
        }
    }
}

impl Postgres {
    async fn claim(&self, tenure: &mut Tenure) -> Result<Claim> {
        // The server looks after 15 s of silence whether we are still there, and after 15 more it gives us up: a machine
        // that fell off the network does not keep the next one from serving for hours.
        const PREPARE: &str =
            "SELECT set_config('lock_timeout', '2000', false), set_config('tcp_keepalives_idle', '15', false),
                set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)";
        const LOCK: &str = "SELECT pg_advisory_lock($1)";
        let mut connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        sqlx::query(PREPARE).execute(&mut connection).await?;
        let backend = Backend::of(&mut connection).await?;
        tenure.end(&mut connection).await?;
        // Noted before it asks: the lock may be given and only the answer lost.
        tenure.backends.push(backend);
        match sqlx::query(LOCK).bind(SERVER_LOCK).execute(&mut connection).await {
            Ok(_) => Ok(Claim { connection: Some(connection) }),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                Err(StoreError::Conflict("server"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Backend {
    /// The one that serves a connection.
    async fn of(connection: &mut PgConnection) -> Result<Self> {
        const SQL: &str = "SELECT pid, extract(epoch FROM backend_start)::TEXT FROM pg_stat_activity
            WHERE pid = pg_backend_pid()";
        let (pid, started) = sqlx::query_as(SQL).fetch_one(connection).await?;
        Ok(Self { pid, started })
    }
}

impl Tenure {
    /// Ends the sessions, those of them that are still there.
    async fn end(&mut self, connection: &mut PgConnection) -> Result<()> {
        const SQL: &str = "SELECT pg_terminate_backend(activity.pid) FROM pg_stat_activity activity
            JOIN UNNEST($1::INT[], $2::TEXT[]) AS ours (pid, started) ON activity.pid = ours.pid
                AND extract(epoch FROM activity.backend_start)::TEXT = ours.started";
        let pids: Vec<i32> = self.backends.iter().map(|backend| backend.pid).collect();
        let started: Vec<&str> = self.backends.iter().map(|backend| backend.started.as_str()).collect();
        sqlx::query(SQL).bind(pids).bind(started).execute(connection).await?;
        self.backends.clear();
        Ok(())
    }
}

impl Claim {
    /// Waits until the claim is lost, with its connection, and says how. Another server may have it from then on. May be
    /// given up and called again.
    pub async fn lost(&mut self) -> StoreError {
        let Some(connection) = &mut self.connection else { return std::future::pending().await };
        loop {
            match timeout(PATIENCE, connection.ping()).await {
                Ok(Ok(())) => sleep(INTERVAL).await,
                Ok(Err(error)) => return error.into(),
                Err(_) => return StoreError::Unavailable("the server does not answer".into()),
            }
        }
    }

    /// Ends the claim, so that the next server can have it at once. Dropping it does the same a moment later.
    pub async fn release(self) -> Result<()> {
        if let Some(connection) = self.connection {
            connection.close().await?;
        }
        Ok(())
    }
}
