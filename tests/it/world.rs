//! A world of its own for each test: a server process, its data, its database, and what is registered in it.

mod api;
mod certificate;
mod database;
mod key;
mod line;
mod process;
mod shop;
mod transport;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use certificate::make_certificates;
use process::Addresses;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) use api::{Answer, Api};
pub(crate) use certificate::Certificate;
pub(crate) use database::Engine;
pub(crate) use key::Key;
pub(crate) use line::{Line, State};
pub(crate) use process::{Server, program};
pub(crate) use shop::{Gateway, Shop, batch};
pub(crate) use transport::Transport;

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
        Self::start(tempfile::tempdir()?, engine.make().await?, settings, Addresses::PLAIN).await
    }

    /// A fresh server on SQLite that listens on every transport and has a certificate authority.
    pub(crate) async fn secure(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        make_certificates(folder.path()).await?;
        Self::start(folder, database::Made::Sqlite, settings, Addresses::ALL).await
    }

    /// A fresh server on PostgreSQL, with the line between the two.
    pub(crate) async fn on_a_line() -> anyhow::Result<(Self, Line)> {
        let (engine, line) = database::Made::on_a_line().await?;
        Ok((Self::start(tempfile::tempdir()?, engine, &[], Addresses::PLAIN).await?, line))
    }

    /// A fresh server on SQLite that browsers know as `localhost`, with the line to it and its issuer.
    pub(crate) async fn called_localhost(settings: &[(&str, &str)]) -> anyhow::Result<(Self, Line, String)> {
        // Its address is in its settings, so there has to be one before it starts.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let issuer = format!("http://localhost:{}", listener.local_addr()?.port());
        let settings: Vec<_> =
            settings.iter().copied().chain([("PROMENADE_IDENTITY__ISSUER", issuer.as_str())]).collect();
        let world = Self::with(Engine::Sqlite, &settings).await?;
        let line = Line::from(listener, world.http())?;
        Ok((world, line, issuer))
    }

    async fn start(
        folder: TempDir,
        engine: database::Made,
        settings: &[(&str, &str)],
        addresses: Addresses,
    ) -> anyhow::Result<Self> {
        let mut settings: Vec<_> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        settings.extend(engine.settings());
        // Exact numbers of few people, which a server that is left as it is does not tell.
        settings.push(("PROMENADE_PRIVACY__SMALLEST_GROUP".to_owned(), "1".to_owned()));
        let server = Server::start(folder.path(), &settings, addresses).await?;
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

    /// SIGTERM; answers how the process ended.
    pub(crate) async fn end(&mut self) -> anyhow::Result<ExitStatus> {
        self.server.end().await
    }

    /// SIGHUP.
    pub(crate) async fn hang_up(&self) -> anyhow::Result<()> {
        self.server.signal("HUP").await
    }

    /// Starts the server again on the same data and the same addresses.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        let addresses = self.server.addresses;
        self.server = Server::start(self.folder.path(), &self.settings, addresses).await?;
        Ok(())
    }

    /// Starts another server on the same database, with a data directory of its own.
    pub(crate) async fn start_beside(&self, data: &Path) -> anyhow::Result<Server> {
        Server::start(data, &self.settings, Addresses::PLAIN).await
    }

    /// The API with a key that may do everything.
    pub(crate) fn api(&self) -> Api {
        self.api_as(&self.token)
    }

    /// The API with another key.
    pub(crate) fn api_as(&self, token: &str) -> Api {
        Api::new(self.server.addresses.http, token)
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.server.addresses.http
    }

    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.server.addresses.mqtt
    }

    /// Where a transport is served.
    pub(crate) fn address(&self, transport: Transport) -> anyhow::Result<SocketAddr> {
        let Addresses { mqtt, mqtts, ws, wss, .. } = self.server.addresses;
        let address = match transport {
            Transport::Tcp => Some(mqtt),
            Transport::Tls => mqtts,
            Transport::Ws => ws,
            Transport::Wss => wss,
        };
        address.with_context(|| format!("this world has no {transport}"))
    }

    /// The certificate of the authority, as PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca/authority.pem")
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.server.pid()
    }

    pub(crate) fn data(&self) -> &Path {
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

    /// How often something was refused for that cause.
    pub(crate) async fn refusals(&self, cause: &str) -> anyhow::Result<u64> {
        Ok(self.metric(&format!("promenade_refusals_total{{cause=\"{cause}\"}}")).await? as u64)
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
    eventually_within(PATIENCE, what, ask).await
}

/// The same where it takes its time.
pub(crate) async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    ask: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if since.elapsed() > patience {
            bail!("waited {patience:?} in vain: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
