//! What a case is, and how all of them run: side by side, each with clients and topics of its own.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::sync::Semaphore;

use super::peer::Peer;

/// How many cases run at once against one server.
const AT_ONCE: usize = 16;

/// How long a case may take. Those that wait for seconds to pass take up to five; everything else is done at once.
const PATIENCE: Duration = Duration::from_secs(15);

type Steps = dyn Fn(Peer) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync;

/// A row: what the standard says, in both versions or in one, and the steps that show it.
pub(super) struct Case {
    statements: Statements,
    what: &'static str,
    steps: Arc<Steps>,
}

/// The statement's id in 3.1.1 and in 5.0, which number differently.
#[derive(Clone, Copy)]
pub(super) struct Statements {
    v3: Option<&'static str>,
    v5: Option<&'static str>,
}

/// A case in one version.
pub(super) struct Run {
    pub(super) statement: &'static str,
    /// 4 or 5.
    pub(super) level: u8,
    pub(super) what: &'static str,
    number: usize,
    steps: Arc<Steps>,
}

/// Said by both versions; first the id in 3.1.1, then the one in 5.0.
pub(super) fn both(v3: &'static str, v5: &'static str) -> Statements {
    Statements { v3: Some(v3), v5: Some(v5) }
}

/// Said by 3.1.1 alone.
pub(super) fn v3(id: &'static str) -> Statements {
    Statements { v3: Some(id), v5: None }
}

/// Said by 5.0 alone.
pub(super) fn v5(id: &'static str) -> Statements {
    Statements { v3: None, v5: Some(id) }
}

/// A case with its steps.
pub(super) fn case<F>(statements: Statements, what: &'static str, steps: fn(Peer) -> F) -> Case
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Case::with(statements, what, steps)
}

/// A case in which a client that is connected sends bytes for which the server must end the connection. Where version 5
/// says why, it is with one of these codes.
pub(super) fn breaks(
    statements: Statements,
    what: &'static str,
    bytes: fn(&Peer) -> Vec<u8>,
    codes: &'static [u8],
) -> Case {
    let steps = move |peer: Peer| async move {
        let mut client = peer.client("breaker").await?;
        client.send_bytes(&bytes(&peer)).await?;
        peer.cut_off(&mut client, codes).await
    };
    Case::with(statements, what, steps)
}

/// A case in which the first bytes on a connection are such that the server must not let the client in. It may say no with
/// one of the codes of the version before it closes.
pub(super) fn rejects(
    statements: Statements,
    what: &'static str,
    bytes: fn(&Peer) -> Vec<u8>,
    codes: Refusals,
) -> Case {
    let steps = move |peer: Peer| async move { peer.not_let_in(&bytes(&peer), codes.of(peer.level)).await };
    Case::with(statements, what, steps)
}

/// The codes of a CONNACK that fit a refusal, in 3.1.1 and in 5.0.
#[derive(Clone, Copy)]
pub(super) struct Refusals {
    pub(super) v3: &'static [u8],
    pub(super) v5: &'static [u8],
}

impl Case {
    /// A case whose steps know more than the server.
    pub(super) fn with<F>(
        statements: Statements,
        what: &'static str,
        steps: impl Fn(Peer) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { statements, what, steps: Arc::new(move |peer| Box::pin(steps(peer))) }
    }
}

impl Refusals {
    fn of(self, level: u8) -> &'static [u8] {
        if level == 5 { self.v5 } else { self.v3 }
    }
}

/// Fails with both values where they differ.
#[expect(clippy::needless_pass_by_value, reason = "it is called with what was just received")]
pub(super) fn equal<T: PartialEq<E> + Debug, E: Debug>(
    what: &str,
    got: T,
    expected: E,
) -> anyhow::Result<()> {
    ensure!(got == expected, "{what}: {got:?} instead of {expected:?}");
    Ok(())
}

impl Run {
    /// As the table has it.
    pub(super) fn name(&self) -> String {
        format!("[{}] [{}] {}", self.statement, self.version(), self.what)
    }

    pub(super) fn version(&self) -> &'static str {
        if self.level == 5 { "5.0" } else { "3.1.1" }
    }
}

/// The cases, each in every version that it is about.
pub(super) fn runs(cases: Vec<Case>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        for (level, statement) in [(4, case.statements.v3), (5, case.statements.v5)] {
            let (what, steps) = (case.what, Arc::clone(&case.steps));
            runs.extend(statement.map(|statement| Run { statement, level, what, number, steps }));
        }
    }
    runs
}

/// Those that the environment asks for; all where it does not ask.
pub(super) fn chosen(cases: Vec<Case>) -> Vec<Run> {
    let wanted = std::env::var("PROMENADE_TEST_CASES").unwrap_or_default();
    runs(cases).into_iter().filter(|run| run.name().contains(&wanted)).collect()
}

/// Runs all against a server; the outcomes are in the order of the cases.
pub(super) async fn run_all(runs: &[Run], server: SocketAddr) -> Vec<anyhow::Result<()>> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let start = |run: &Run| {
        let (places, steps) = (Arc::clone(&places), Arc::clone(&run.steps));
        let peer = Peer::new(server, run.level, run.number);
        tokio::spawn(async move {
            let _place = places.acquire().await?;
            let outcome = tokio::time::timeout(PATIENCE, steps(peer)).await;
            outcome.unwrap_or_else(|_| Err(anyhow!("nothing happens any more")))
        })
    };
    let running: Vec<_> = runs.iter().map(start).collect();
    let mut outcomes = Vec::new();
    for task in running {
        outcomes.push(task.await.unwrap_or_else(|panicked| Err(panicked.into())));
    }
    outcomes
}
