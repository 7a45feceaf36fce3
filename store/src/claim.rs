//! A server's claim to be the only one that serves from a database.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use crate::engine::{SERVER_LOCK, Store};
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

/// How often to see whether the connection is still there; also how late a loss is noticed.
const INTERVAL: Duration = Duration::from_secs(3);

/// Without an answer for so long it counts as lost: the other side may have given up on us, and the lock with it.
const PATIENCE: Duration = Duration::from_secs(20);

/// `lock_not_available` (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Store {
    /// Claims the database; a conflict over `server` when another server has it. Of one that was killed a moment ago the
    /// claim ends within the two seconds that this waits.
    pub async fn claim(&self) -> Result<Claim> {
        // The server looks after 15 s of silence whether we are still there, and after 15 more it gives us up: a machine
        // that fell off the network does not keep the next one from serving for hours.
        const PREPARE: &str =
            "SELECT set_config('lock_timeout', '2000', false), set_config('tcp_keepalives_idle', '15', false),
                set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)";
        const LOCK: &str = "SELECT pg_advisory_lock($1)";
        let Self::Postgres(postgres) = self else { return Ok(Claim { connection: None }) };
        let mut connection = PgConnection::connect_with(&postgres.pool.connect_options()).await?;
        sqlx::query(PREPARE).execute(&mut connection).await?;
        match sqlx::query(LOCK).bind(SERVER_LOCK).execute(&mut connection).await {
            Ok(_) => Ok(Claim { connection: Some(connection) }),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                Err(StoreError::Conflict("server"))
            }
            Err(error) => Err(error.into()),
        }
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
