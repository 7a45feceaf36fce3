//! A person speaks, a device in the room answers: the whole way, with a real `OAuth2` client, a real broker and agent, and
//! fakes of nothing but the servers of Google and Amazon.

mod assistants;
mod house;
mod lambda;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::assistants::{Assistants, EVENTS, REPORT};
use self::house::House;
use crate::world::eventually;

#[tokio::test]
async fn turn_on_the_window_display() -> anyhow::Result<()> {
    let assistants = Assistants::start().await?;
    let mut house = House::open(&assistants).await?;
    let display = house.display.to_string();

    // Google: linked by a client of OAuth2, asked, and obeyed.
    let google = house.link("Google").await?;
    let sync = house.google(&google, "SYNC", json!({})).await?;
    let devices = sync["payload"]["devices"].as_array().context("devices")?;
    ensure!(devices.len() == 1 && devices[0]["id"] == display, "{sync}");
    ensure!(devices[0]["name"]["name"] == "Window display", "{sync}");
    let turn = |on: bool| {
        let execution = json!([{"command": "action.devices.commands.OnOff", "params": {"on": on}}]);
        json!({"commands": [{"devices": [{"id": display}], "execution": execution}]})
    };
    let turned = house.google(&google, "EXECUTE", turn(true)).await?;
    let result = &turned["payload"]["commands"][0];
    ensure!(
        result["status"] == "SUCCESS" && result["states"] == json!({"online": true, "on": true}),
        "{turned}"
    );
    let commands = house.api().get(&format!("/devices/{display}/commands")).await?;
    let command = &commands["items"][0];
    ensure!(command["name"] == "on_off.set" && command["status"] == "done", "{command}");
    let query = json!({"devices": [{"id": display}]});
    let queried = house.google(&google, "QUERY", query).await?;
    ensure!(queried["payload"]["devices"][&display]["on"] == true, "{queried}");

    // It goes away and comes back, and Google is told of both.
    house.pull_the_plug().await?;
    let turned = house.google(&google, "EXECUTE", turn(false)).await?;
    let result = &turned["payload"]["commands"][0];
    ensure!(result["status"] == "OFFLINE" && result["errorCode"] == "deviceOffline", "{turned}");
    let state = |body: &Value| body["payload"]["devices"]["states"][&display].clone();
    let is_away = |body: &Value| state(body)["online"] == false;
    let is_on = |body: &Value| state(body)["online"] == true && state(body)["on"] == true;
    assistants.wait_after(REPORT, 0, &is_away).await.context("that it is away")?;
    let before = assistants.calls(REPORT).len();
    house.plug_in()?;
    assistants.wait_after(REPORT, before, &is_on).await.context("that it is back")?;

    // Alexa, beside it.
    let alexa = house.link("Alexa").await?;
    let granted = house.accept_grant(&alexa).await?;
    ensure!(granted["event"]["header"]["name"] == "AcceptGrant.Response", "{granted}");
    let discovered = house.discover(&alexa).await?;
    let endpoint = &discovered["event"]["payload"]["endpoints"][0];
    ensure!(
        endpoint["endpointId"] == display && endpoint["friendlyName"] == "Window display",
        "{discovered}"
    );
    let before = (assistants.calls(EVENTS).len(), assistants.calls(REPORT).len());
    let off = house.alexa_turns(&alexa, "TurnOff").await?;
    ensure!(off["event"]["header"]["name"] == "Response", "{off}");
    let power = off["context"]["properties"].as_array().context("properties")?;
    ensure!(
        power.iter().any(|property| property["name"] == "powerState" && property["value"] == "OFF"),
        "{off}"
    );
    // What was said to one is told to the other.
    let is_off = |body: &Value| state(body)["on"] == false;
    assistants.wait_after(REPORT, before.1, &is_off).await.context("Google hears of Alexa")?;
    ensure!(
        house.google(&google, "EXECUTE", turn(true)).await?["payload"]["commands"][0]["status"] == "SUCCESS"
    );
    let changed = |body: &Value| {
        body["event"]["header"]["name"] == "ChangeReport"
            && body["event"]["payload"]["change"]["properties"][0]["value"] == "ON"
    };
    assistants.wait_after(EVENTS, before.0, &changed).await.context("Alexa hears of Google")?;
    house.pull_the_plug().await?;
    let unreachable = house.alexa_turns(&alexa, "TurnOff").await?;
    ensure!(unreachable["event"]["payload"]["type"] == "ENDPOINT_UNREACHABLE", "{unreachable}");
    house.plug_in()?;
    eventually("it is back", async || {
        Ok((house.api().get(&format!("/devices/{display}")).await?["connected"] == true).then_some(()))
    })
    .await?;

    // Unlinked, nothing goes to Google any more, while Alexa goes on.
    house.unlink(&google).await?;
    ensure!(house.google_status(&google).await? == 401);
    let before = (assistants.calls(EVENTS).len(), assistants.calls(REPORT).len());
    ensure!(house.alexa_turns(&alexa, "TurnOff").await?["event"]["header"]["name"] == "Response");
    ensure!(house.alexa_turns(&alexa, "TurnOn").await?["event"]["header"]["name"] == "Response");
    let on = house.api().post(&format!("/devices/{display}/commands?wait=10s"), switch(false)).await?;
    ensure!(on["status"] == "done", "{on}");
    let changed = |body: &Value| {
        body["event"]["header"]["name"] == "ChangeReport"
            && body["event"]["payload"]["change"]["properties"][0]["value"] == "OFF"
    };
    assistants.wait_after(EVENTS, before.0, &changed).await.context("Alexa goes on")?;
    let reports = &assistants.calls(REPORT)[before.1..];
    ensure!(reports.is_empty(), "Google was told after it was unlinked: {reports:?}");
    ensure!(house.counted("requests_total{assistant=\"google\",intent=\"SYNC\"}").await? >= 1.0);
    ensure!(
        house.counted("requests_total{assistant=\"alexa\",intent=\"Alexa.PowerController\"}").await? >= 4.0
    );
    ensure!(house.counted("reports_total{assistant=\"alexa\",outcome=\"sent\"}").await? >= 1.0);
    house.unlink(&alexa).await?;
    let refused = house.alexa_turns(&alexa, "TurnOn").await?;
    ensure!(refused["event"]["payload"]["type"] == "INVALID_AUTHORIZATION_CREDENTIAL", "{refused}");
    house.close().await
}

fn switch(on: bool) -> Value {
    json!({"name": "on_off.set", "args": {"on": on}})
}
