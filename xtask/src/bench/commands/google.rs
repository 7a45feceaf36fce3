//! Google as a client of the server: a person links it once, and its EXECUTE turns devices on and off.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::bench::http::{Answer, Connection, Request, bearer, encoded};
use crate::bench::oauth::{browser::Browser, contestant};

/// Where Google waits for codes; nobody follows.
const REDIRECT: &str = "https://oauth-redirect.googleusercontent.com/r/bench";
const SCOPES: [&str; 2] = ["devices:read", "commands:write"];

/// What makes the server serve Google.
pub(super) const SETTINGS: [(&str, &str); 1] = [("PROMENADE_VOICE__GOOGLE__ENABLED", "true")];

/// What devices are, so that Google may switch them.
pub(super) fn profile() -> String {
    json!({"type": "light", "capabilities": {"on_off": {}}, "voice": true}).to_string()
}

/// A person makes the first account by its `link` and lets Google use what there is; an EXECUTE for each device. `key` is an API key
/// for everything.
pub(super) fn executes(address: &str, key: &str, link: &str, devices: &[&str]) -> Result<Vec<Request>> {
    let mut person = contestant::person(address, "ann@example.org");
    person.visit(link, "/account")?;
    let token = access_token(address, key, &mut person)?;
    let execute = |(number, device): (usize, &&str)| {
        let execution =
            json!([{"command": "action.devices.commands.OnOff", "params": {"on": number % 2 == 0}}]);
        let commands = json!([{"devices": [{"id": device}], "execution": execution}]);
        let input = json!({"intent": "action.devices.EXECUTE", "payload": {"commands": commands}});
        let body = json!({"requestId": number.to_string(), "inputs": [input]});
        Request::json(address, "/voice/google", &[bearer(&token)], &body)
    };
    Ok(devices.iter().enumerate().map(execute).collect())
}

/// Whether what was asked for is done.
pub(super) fn is_done(answer: &Answer) -> bool {
    answer.text("status") == Some("SUCCESS")
}

fn access_token(address: &str, key: &str, person: &mut Browser) -> Result<String> {
    let client = json!({"name": "Google", "kind": "assistant", "party": "google", "redirect_uris": [REDIRECT],
        "scopes": SCOPES, "grants": ["authorization_code", "refresh_token"]});
    let mut connection = Connection::open(address)?;
    let made = connection.ask(&Request::json(address, "/api/v1/clients", &[bearer(key)], &client))?;
    made.must_be(201)?;
    let (id, secret) = (made.text("id").context("no id")?, made.text("secret").context("no secret")?);
    let scope = SCOPES.join(" ");
    let asked = [
        ("client_id", id),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", &scope),
        ("state", "bench"),
    ];
    let back = person.visit(&format!("/oauth/authorize?{}", encoded(&asked)), REDIRECT)?;
    let code = contestant::code_of(&back)?;
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("client_id", id),
        ("client_secret", secret),
    ];
    let answer = connection.ask(&Request::form(address, "/oauth/token", &[], &exchange))?;
    answer.must_be(200)?;
    Ok(answer.text("access_token").context("no access token")?.to_owned())
}
