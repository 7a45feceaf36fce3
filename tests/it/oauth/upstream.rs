//! Signing in by somebody else's provider: oidc-provider, of the JavaScript world.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::{python, script};
use crate::world::{Engine, PATIENCE, World};

const CLIENT: &str = "promenade";
const SECRET: &str = "a secret: of + the/client=";

#[tokio::test]
async fn a_person_signs_in_by_oidc_provider() -> anyhow::Result<()> {
    let modules = std::env::var("PROMENADE_TEST_NODE_PATH")
        .context("`cargo xtask test` installs the modules that this test needs")?;
    let mut provider = Command::new("node")
        .env("NODE_PATH", modules)
        .arg(script("upstream.mjs"))
        .args([CLIENT, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(provider.stdout.take().context("its output")?).lines();
    let mut line =
        async || timeout(PATIENCE, lines.next_line()).await?.map(|line| line.context("it ended early"));
    let issuer = line().await??;

    let mail = tempfile::tempdir()?;
    let mail = mail.path().display().to_string();
    let section = format!(
        "[{{id = \"node\", name = \"Node\", kind = \"oidc\", issuer = \"{issuer}\", client_id = \"{CLIENT}\", \
         client_secret = \"{SECRET}\"}}]"
    );
    let settings = [
        ("PROMENADE_IDENTITY__PROVIDER", section.as_str()),
        ("PROMENADE_IDENTITY__ALLOW_PRIVATE_ADDRESSES", "true"),
        ("PROMENADE_IDENTITY__SIGN_UP", "open"),
        ("PROMENADE_IDENTITY__MAIL__FOLDER", mail.as_str()),
    ];
    let world = World::with(Engine::Sqlite, &settings).await?;
    let here = format!("http://{}", world.http());
    let mut told = provider.stdin.take().context("its input")?;
    told.write_all(format!("{here}/identity/providers/node/callback\n").as_bytes()).await?;
    ensure!(line().await?? == "ready");

    let mut person = Command::new(python()?);
    person.env("PYTHONPATH", script("")).arg(script("upstream.py"));
    person.arg(json!({"issuer": here}).to_string()).kill_on_drop(true);
    let output = timeout(PATIENCE, person.output()).await.context("it does not end")??;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "after {said}: {wrong}");
    ensure!(said.contains("who does not agree is told so"), "{said}");
    Ok(())
}
