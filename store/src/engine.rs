//! The two engines, and the macros that run one statement on either.

use std::str::FromStr;
use std::time::Duration;

use protocol::OrganizationId;
use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Transaction};
use uuid::Uuid;

use crate::error::{Result, StoreError};
use crate::random;

/// The advisory lock of `PostgreSQL` that the one server of a database has.
pub(crate) const SERVER_LOCK: i64 = 0x5072_6f6d_656e_0002;

/// The advisory lock of `PostgreSQL` that groups of changes to sessions take, one after the other.
pub(crate) const SESSIONS_LOCK: i64 = 0x5072_6f6d_656e_0001;

/// What must survive a crash, on one of two engines. Cloning shares the connections.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file beside the program: the default.
    Sqlite(Sqlite),
    /// A server that several programs share.
    Postgres(Postgres),
}

/// An `SQLite` database: one connection that writes, a few that read.
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// The only writer: `SQLite` has one at a time, and waiting in our own queue is fairer and cheaper than its busy loop.
    pub(crate) writer: SqlitePool,
    /// Readers see the last commit and never wait for the writer.
    pub(crate) readers: SqlitePool,
    pub(crate) installation_key: [u8; 32],
}

/// A `PostgreSQL` database.
#[derive(Debug, Clone)]
pub struct Postgres {
    pub(crate) pool: PgPool,
    pub(crate) installation_key: [u8; 32],
}

/// What a program opens a database for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// To serve from it: it is made and brought up to date.
    Serve,
    /// To work beside a server: it is taken as it is.
    Join,
}

/// Runs one expression against whichever engine is open; reads only, because `SQLite` hands out its readers here.
macro_rules! on {
    ($store:expr, |$db:ident| $body:expr) => {
        match $store {
            $crate::engine::Store::Sqlite(sqlite) => {
                let $db = &sqlite.readers;
                $body
            }
            $crate::engine::Store::Postgres(postgres) => {
                let $db = &postgres.pool;
                $body
            }
        }
    };
}

/// Runs one expression inside whichever transaction is open.
macro_rules! within {
    ($tx:expr, |$db:ident| $body:expr) => {
        match $tx {
            $crate::engine::Tx::Sqlite(transaction) => {
                let $db = &mut **transaction;
                $body
            }
            $crate::engine::Tx::Postgres(transaction) => {
                let $db = &mut **transaction;
                $body
            }
        }
    };
}

/// A write transaction; dropped without [`Tx::commit`] it never happened.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, sqlx::Sqlite>),
    Postgres(Transaction<'static, sqlx::Postgres>),
}

impl Store {
    /// Opens `sqlite:PATH` (made when missing) or `postgres://…` and brings its schema up to date.
    ///
    /// The first opening makes the installation key. It lives in the database, so that a backup is complete and several
    /// programs agree on it.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, Opening::Serve).await
    }

    /// Opens a database as a server left it, for programs beside a server: nothing is made and nothing brought up to date, since
    /// the server may be of another version. [`StoreError::Schema`] where this program could not work with it.
    pub async fn join(url: &str) -> Result<Self> {
        Self::open_with(url, Opening::Join).await
    }

    async fn open_with(url: &str, opening: Opening) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Postgres::open(url, opening).await.map(Self::Postgres)
        } else if url.starts_with("sqlite:") {
            Sqlite::open(url, opening).await.map(Self::Sqlite)
        } else {
            Err(StoreError::Invalid("the database is neither sqlite: nor postgres://".into()))
        }
    }

    /// Answers when the engine does.
    pub async fn ready(&self) -> Result<()> {
        on!(self, |db| sqlx::query("SELECT 1").execute(db).await.map(drop))?;
        Ok(())
    }

    /// Reads the whole database and answers when it is sound; on `SQLite` this takes seconds for each gigabyte. A
    /// `PostgreSQL` server checks its own files.
    pub async fn check(&self) -> Result<()> {
        let Self::Sqlite(sqlite) = self else { return self.ready().await };
        let findings: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_all(&sqlite.readers).await?;
        if findings == ["ok"] { Ok(()) } else { Err(StoreError::Corrupt("database file")) }
    }

    /// Closes every connection once what runs on it is done; an `SQLite` file is then complete without its journal.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => {
                sqlite.readers.close().await;
                sqlite.writer.close().await;
            }
            Self::Postgres(postgres) => postgres.pool.close().await,
        }
    }

    /// From now on nothing is asked of a `PostgreSQL` database any more, whoever tries: every call answers that it is
    /// unavailable. What runs on a connection already is left to end. For whoever must write nothing more.
    pub fn abandon(&self) {
        if let Self::Postgres(postgres) = self {
            // Calling it is what closes the pool; waiting would be for the connections.
            drop(postgres.pool.close());
        }
    }

    /// The key that device secrets and API keys are hashed under.
    pub fn installation_key(&self) -> &[u8; 32] {
        match self {
            Self::Sqlite(sqlite) => &sqlite.installation_key,
            Self::Postgres(postgres) => &postgres.installation_key,
        }
    }

    /// Begins a change of an organization's registry. Such changes touch several rows in no fixed order, so those of one
    /// organization come one after the other.
    pub(crate) async fn change(&self, organization: OrganizationId) -> Result<Tx> {
        const SQLITE: &str = "SELECT id FROM organizations WHERE id = $1";
        // Rows that refer to the organization can still be inserted meanwhile.
        const POSTGRES: &str = "SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE";
        let mut tx = self.begin().await?;
        let id = organization.as_uuid();
        let found: Option<Uuid> = match &mut tx {
            Tx::Sqlite(tx) => sqlx::query_scalar(SQLITE).bind(id).fetch_optional(&mut **tx).await?,
            Tx::Postgres(tx) => sqlx::query_scalar(POSTGRES).bind(id).fetch_optional(&mut **tx).await?,
        };
        if found.is_none() { Err(StoreError::NotFound) } else { Ok(tx) }
    }

    pub(crate) async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            // A deferred transaction that reads first could find the file changed when it comes to write.
            Self::Sqlite(sqlite) => Tx::Sqlite(sqlite.writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(postgres) => Tx::Postgres(postgres.pool.begin().await?),
        })
    }
}

impl Store {
    /// A read transaction: all of its statements see the same state.
    pub(crate) async fn snapshot(&self) -> Result<Tx> {
        const REPEATABLE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match self {
            Self::Sqlite(sqlite) => Tx::Sqlite(sqlite.readers.begin().await?),
            Self::Postgres(postgres) => Tx::Postgres(postgres.pool.begin_with(REPEATABLE).await?),
        })
    }
}

impl Tx {
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

const INSTALL: &str = "INSERT INTO installation (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
/// The migrations that ran, the newest.
const APPLIED: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
const INSTALLATION_KEY: &str = "SELECT key FROM installation WHERE id = 1";

impl Sqlite {
    /// Readers are few: they share the machine with ingest, and each keeps a page cache and its statements.
    const READERS: u32 = 3;

    async fn open(url: &str, opening: Opening) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(opening == Opening::Serve)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL would lose acknowledged batches in a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(128)
            // 4,096 pages of 4 KiB: checkpoints come four times rarer than by default, and the journal stays near 16 MiB.
            .pragma("wal_autocheckpoint", "4096")
            .pragma("journal_size_limit", "33554432")
            .pragma("temp_store", "MEMORY")
            // What was deleted from a page that is written anyway is zeros, so that no key or pseudonym outlives its row.
            .pragma("secure_delete", "FAST")
            .disable_statement_logging();
        let pool = || {
            SqlitePoolOptions::new()
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(10))
        };
        let writer =
            pool().max_connections(1).connect_with(options.clone().pragma("cache_size", "-4096")).await?;
        let migrations = sqlx::migrate!("../migrations/sqlite");
        match opening {
            Opening::Serve => {
                refuse_newer(&migrations, sqlx::query_scalar(APPLIED).fetch_one(&writer).await)?;
                migrations.run(&writer).await?;
                sqlx::query(INSTALL).bind(random::bytes::<32>()?.as_slice()).execute(&writer).await?;
            }
            Opening::Join => {
                let found = sqlx::query_scalar(APPLIED).fetch_one(&writer).await;
                check_schema(&migrations, found)?;
            }
        }
        let key: Vec<u8> = sqlx::query_scalar(INSTALLATION_KEY).fetch_one(&writer).await?;
        let readers = pool()
            .max_connections(Self::READERS)
            .min_connections(1)
            .connect_with(options.read_only(true).pragma("cache_size", "-1024"))
            .await?;
        Ok(Self { writer, readers, installation_key: installation_key(&key)? })
    }
}

impl Postgres {
    const CONNECTIONS: u32 = 16;

    async fn open(url: &str, opening: Opening) -> Result<Self> {
        let options =
            PgConnectOptions::from_str(url)?.statement_cache_capacity(256).disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(Self::CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        let migrations = sqlx::migrate!("../migrations/postgres");
        match opening {
            Opening::Serve => {
                refuse_newer(&migrations, sqlx::query_scalar(APPLIED).fetch_one(&pool).await)?;
                migrations.run(&pool).await?;
                sqlx::query(INSTALL).bind(random::bytes::<32>()?.as_slice()).execute(&pool).await?;
            }
            Opening::Join => {
                let found = sqlx::query_scalar(APPLIED).fetch_one(&pool).await;
                check_schema(&migrations, found)?;
            }
        }
        let key: Vec<u8> = sqlx::query_scalar(INSTALLATION_KEY).fetch_one(&pool).await?;
        Ok(Self { pool, installation_key: installation_key(&key)? })
    }
}

/// Whether the database is of this program's version.
fn check_schema(migrations: &Migrator, found: sqlx::Result<i64>) -> Result<()> {
    let (found, known) = versions(migrations, found)?;
    if found == known { Ok(()) } else { Err(StoreError::Schema { found, known }) }
}

/// Whether the database can be brought up to date: one that a later version of the program has changed cannot.
fn refuse_newer(migrations: &Migrator, found: sqlx::Result<i64>) -> Result<()> {
    let (found, known) = versions(migrations, found)?;
    if found <= known { Ok(()) } else { Err(StoreError::Schema { found, known }) }
}

/// The version of the database, and the newest that is known; one without the table of migrations has version 0.
fn versions(migrations: &Migrator, found: sqlx::Result<i64>) -> Result<(i64, i64)> {
    let found = match found {
        Err(sqlx::Error::Database(error)) if is_no_table(&*error) => 0,
        found => found?,
    };
    Ok((found, migrations.iter().map(|migration| migration.version).max().unwrap_or(0)))
}

/// `undefined_table` of `PostgreSQL`; `SQLite` has no code of its own for it.
fn is_no_table(error: &dyn DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}

fn installation_key(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("installation key"))
}
