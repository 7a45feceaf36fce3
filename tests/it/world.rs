//! A world of its own for each test: a server process, its data, its database, and what is registered in it.

mod api;
mod database;
mod key;
mod process;
mod shop;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

pub(crate) use api::Api;
pub(crate) use database::Engine;
pub(crate) use key::Key;
pub(crate) use process::{Server, program};
pub(crate) use shop::{Gateway, Shop, batch};

/// How long anything may take before a test says that it did not happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running server and everything it keeps.
pub(crate) struct World {
    folder: TempDir,
    engine: database::Made,
    server: Server,
    settings: Vec<(String, String)>,
    token: String,
}

impl World {
    /// A fresh server on SQLite.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::on(Engine::Sqlite).await
    }

    /// A fresh server on the engine.
    pub(crate) async fn on(engine: Engine) -> anyhow::Result<Self> {
        Self::with(engine, &[]).await
    }

    /// A fresh server with settings of its own, as environment variables.
    pub(crate) async fn with(engine: Engine, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let engine = engine.make().await?;
        let mut settings: Vec<_> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        settings.extend(engine.settings());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(folder.path(), &settings, nowhere, nowhere).await?;
        let mut world = Self { folder, engine, server, settings, token: String::new() };
        world.token = world.make_token(&["--name", "test", "--scope", "*"]).await?;
        Ok(world)
    }

    /// Runs `promenade token` beside the server, as an operator does.
    pub(crate) async fn make_token(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = program("promenade")
            .arg("token")
            .arg("--data")
            .arg(self.folder.path())
            .args(arguments)
            .envs(self.settings.iter().cloned())
            .output()
            .await?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().next_back().map(str::to_owned);
        line.filter(|_| output.status.success())
            .with_context(|| format!("promenade token: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// SIGKILL, and not a moment of warning.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.server.kill().await
    }

    /// SIGTERM, and the exit status must be a success.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.server.stop().await
    }

    /// Starts the server again on the same data and the same addresses.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        let (http, mqtt) = (self.server.http, self.server.mqtt);
        self.server = Server::start(self.folder.path(), &self.settings, http, mqtt).await?;
        Ok(())
    }

    /// The API with a key that may do everything.
    pub(crate) fn api(&self) -> Api {
        self.api_as(&self.token)
    }

    /// The API with another key.
    pub(crate) fn api_as(&self, token: &str) -> Api {
        Api::new(self.server.http, token)
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.server.http
    }

    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.server.mqtt
    }

    pub(crate) fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The database's URL, for a look at the rows once the server has stopped.
    pub(crate) fn database_url(&self) -> String {
        self.engine.url(self.folder.path())
    }

    /// A counter of `/metrics`; labels as they are printed, such as `promenade_refusals_total{cause="bad_filter"}`.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.api().text("/metrics").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.map(str::trim).map_or(Ok(0.0), str::parse)?)
    }

    /// Waits until a counter reaches a value.
    pub(crate) async fn metric_reaches(&self, name: &str, value: f64) -> anyhow::Result<()> {
        eventually(name, async || Ok((self.metric(name).await? >= value).then_some(()))).await
    }
}

/// Where its broker is.
impl From<&World> for SocketAddr {
    fn from(world: &World) -> Self {
        world.mqtt()
    }
}

/// Asks again and again until there is an answer; a failure names what never happened.
pub(crate) async fn eventually<T>(
    what: &str,
    ask: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if since.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} in vain: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
