//! The Lambda function of the skill, run by a real Python against a real server.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use super::assistants::Assistants;
use super::house::House;
use crate::oauth::python;
use crate::world::PATIENCE;

const CORRELATION: &str = "c0rr-e1ation";

/// Calls the handler as Lambda does, and keeps the answer apart from what the function itself says.
const CALL: &str = "import json, sys; from lambda_function import lambda_handler; \
    answer = lambda_handler(json.load(sys.stdin), None); \
    json.dump(answer, open(sys.argv[1], 'w'))";

/// What the function answers, and everything that it says beside it, which is what Lambda logs.
async fn invoke(server: SocketAddr, directive: &Value) -> anyhow::Result<(Value, String)> {
    let folder = tempfile::tempdir()?;
    let answer = folder.path().join("answer.json");
    let mut child = Command::new(python()?)
        .args(["-c", CALL])
        .arg(&answer)
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/alexa-lambda"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PROMENADE_URL", format!("http://{server}/"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("a stdin")?;
    stdin.write_all(directive.to_string().as_bytes()).await?;
    drop(stdin);
    let output = timeout(PATIENCE, child.wait_with_output()).await.context("it does not end")??;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}");
    Ok((serde_json::from_slice(&std::fs::read(answer)?)?, said))
}

fn discover(token: &str) -> Value {
    json!({"directive": {
        "header": {
            "namespace": "Alexa.Discovery", "name": "Discover", "payloadVersion": "3", "messageId": "m",
            "correlationToken": CORRELATION,
        },
        "payload": {"scope": {"type": "BearerToken", "token": token}},
    }})
}

/// The body that the function could not hand on is nowhere in what it says.
fn is_discreet(said: &str, token: &str) -> bool {
    ![token, CORRELATION, "Discover", "BearerToken"].iter().any(|secret| said.contains(secret))
}

#[tokio::test]
async fn the_lambda_function_hands_on_and_back_and_says_nothing_of_it() -> anyhow::Result<()> {
    let assistants = Assistants::start().await?;
    let mut house = House::open(&assistants).await?;
    let linked = house.link("Alexa").await?;
    let (server, good) = (house.http(), linked.access());

    let (found, said) = invoke(server, &discover(good)).await?;
    ensure!(found["event"]["header"]["name"] == "Discover.Response", "{found}");
    ensure!(found["event"]["payload"]["endpoints"][0]["endpointId"] == house.display.to_string(), "{found}");
    ensure!(said.is_empty(), "{said}");

    let bad = "not-a-token-of-anybody";
    let (refused, said) = invoke(server, &discover(bad)).await?;
    ensure!(refused["event"]["payload"]["type"] == "INVALID_AUTHORIZATION_CREDENTIAL", "{refused}");
    ensure!(said.is_empty(), "{said}");

    // The port is kept and nobody listens on it, so nobody else can either.
    let away = TcpSocket::new_v4()?;
    away.bind("127.0.0.1:0".parse()?)?;
    let (answer, said) = invoke(away.local_addr()?, &discover(good)).await?;
    let header = &answer["event"]["header"];
    ensure!(header["name"] == "ErrorResponse" && header["correlationToken"] == CORRELATION, "{answer}");
    ensure!(answer["event"]["payload"]["type"] == "BRIDGE_UNREACHABLE", "{answer}");
    ensure!(said.contains("Promenade does not answer: URLError"), "{said}");
    ensure!(is_discreet(&said, good), "{said}");

    // A server that answers something else, such as a proxy before one that is away, is as good as none.
    let (answer, said) = invoke(assistants.address()?, &discover(good)).await?;
    ensure!(answer["event"]["payload"]["type"] == "BRIDGE_UNREACHABLE", "{answer}");
    ensure!(said.contains("HTTPError 502") && is_discreet(&said, good), "{said}");
    house.close().await
}
