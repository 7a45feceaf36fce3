//! A person in a real browser, with a passkey that the browser keeps.

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use super::{EMAIL, PASSWORD, Provider, REDIRECT, script};
use crate::world::{PATIENCE, World};

#[tokio::test]
async fn a_person_signs_up_adds_a_passkey_and_a_second_step_links_a_service_and_unlinks_it()
-> anyhow::Result<()> {
    let mail = tempfile::tempdir()?;
    let folder = mail.path().to_str().context("a path of text")?;
    let settings = [("PROMENADE_IDENTITY__SIGN_UP", "open"), ("PROMENADE_IDENTITY__MAIL__FOLDER", folder)];
    // Browsers have no passkeys for an address without a name.
    let (world, _line, issuer) = World::called_localhost(&settings).await?;
    let provider = Provider::of(world).await?;
    let modules = std::env::var("PROMENADE_TEST_NODE_PATH")
        .context("`cargo xtask test` installs the modules that this test needs")?;
    let told = json!({
        "issuer": issuer,
        "client": provider.client,
        "secret": provider.secret,
        "redirect": REDIRECT,
        "email": EMAIL,
        "password": PASSWORD,
        "mail": folder,
        "chromium": "/usr/bin/chromium",
    });
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules).arg(script("journey.mjs")).arg(told.to_string()).kill_on_drop(true);
    let output = timeout(PATIENCE * 3, node.output()).await.context("it does not end")??;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && said.contains("unlinked"), "after {said}: {wrong}");
    Ok(())
}
