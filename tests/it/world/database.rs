//! The database behind a world: a file, or a fresh database on the private PostgreSQL.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use tokio::process::Command;

use super::line::Line;

/// Which engine a world runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// An engine with a database of its own.
pub(crate) enum Made {
    Sqlite,
    Postgres(PostgresDatabase),
}

pub(crate) struct PostgresDatabase {
    server: String,
    name: String,
    /// Where the program under test finds it.
    url: String,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Engine {
    pub(super) async fn make(self) -> anyhow::Result<Made> {
        Ok(match self {
            Self::Sqlite => Made::Sqlite,
            Self::Postgres => Made::Postgres(PostgresDatabase::make().await?),
        })
    }
}

impl Made {
    /// A database on PostgreSQL that is reached over a line of its own.
    pub(super) async fn on_a_line() -> anyhow::Result<(Self, Line)> {
        let mut database = PostgresDatabase::make().await?;
        let parts = database.url.split_once('@').and_then(|(user, rest)| Some((user, rest.split_once('/')?)));
        let (user, (address, name)) = parts.with_context(|| format!("no address in {}", database.url))?;
        let line = Line::to(address.parse()?).await?;
        database.url = format!("{user}@{}/{name}", line.address());
        Ok((Self::Postgres(database), line))
    }

    pub(super) fn settings(&self) -> Vec<(String, String)> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres(database) => vec![("PROMENADE_DATABASE__URL".into(), database.url.clone())],
        }
    }

    pub(super) fn url(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", folder.join("promenade.db").display()),
            Self::Postgres(database) => database.url.clone(),
        }
    }
}

impl PostgresDatabase {
    async fn make() -> anyhow::Result<Self> {
        let server = std::env::var("PROMENADE_TEST_POSTGRES").context(
            "this test needs the private PostgreSQL that `cargo xtask test` starts (PROMENADE_TEST_POSTGRES)",
        )?;
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("it_{}_{number}", std::process::id());
        run(&server, &format!("CREATE DATABASE {name}")).await?;
        let (address, _) = server.rsplit_once('/').unwrap_or((&server, ""));
        let url = format!("{address}/{name}");
        Ok(Self { server, name, url })
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = std::process::Command::new("psql").args([&self.server, "-q", "-c", &statement]).status();
    }
}

async fn run(server: &str, statement: &str) -> anyhow::Result<()> {
    let output = Command::new("psql").args([server, "-q", "-c", statement]).output().await.context("psql")?;
    ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
