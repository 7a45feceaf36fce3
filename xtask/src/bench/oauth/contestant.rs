//! The two servers: ours and oidc-provider, each with the same two clients and a person who agreed to both.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use super::browser::Browser;
use crate::bench::http::{Answer, Connection, Request, bearer};
use crate::bench::process::{Programs, Running};
use crate::node;
use crate::workspace::Workspace;

/// The yardstick, pinned, so that numbers change because of us.
const OIDC_PROVIDER: (&str, &str) = ("oidc-provider", "9.13.3");

/// Where clients wait for codes; nobody follows.
const REDIRECT: &str = "https://client.example/cb";
const SCOPE: &str = "venues:read";
/// An API of somebody, which oidc-provider signs access tokens for.
const RESOURCE: &str = "https://api.example/api/v1";
const PASSWORD: &str = "correct horse battery";

/// A verifier of PKCE and its challenge (RFC 7636 appendix B). The servers do not mind that it is always the same.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server that can be measured.
pub(super) enum Contestant {
    Promenade(Programs),
    /// The modules that have it, and the script that starts it.
    OidcProvider {
        modules: PathBuf,
        script: PathBuf,
    },
}

/// Which of the two clients, by how their refresh tokens behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A server with a secret: its refresh token stays.
    Confidential,
    /// An application in people's hands: its refresh token rotates.
    Public,
}

/// A server that listens, with a person who is signed in; it ends with this value.
pub(super) struct Provider {
    pub(super) process: Running,
    /// HOST:PORT.
    pub(super) address: String,
    pub(super) browser: Browser,
    /// An API key of ours for everything.
    pub(super) key: Option<String>,
    authorize: &'static str,
    confidential: Client,
    public: Client,
    _folder: TempDir,
}

/// A client and where it asks for tokens.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// HOST:PORT.
    address: String,
    path: &'static str,
    id: String,
    /// A client without one has refresh tokens that rotate.
    secret: Option<String>,
}

impl Contestant {
    /// Ours first, which tables begin with.
    pub(super) fn both(workspace: &Workspace) -> Result<[Self; 2]> {
        let folder = workspace.target()?.join("xtask").join("node-bench");
        let modules = node::with(&folder, &[OIDC_PROVIDER])?;
        let script = workspace.root().join("xtask/src/bench/oauth/oidc_provider.mjs");
        Ok([Self::Promenade(Programs::build(workspace)?), Self::OidcProvider { modules, script }])
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Promenade(_) => "promenade",
            Self::OidcProvider { .. } => OIDC_PROVIDER.0,
        }
    }

    /// Starts it afresh.
    pub(super) fn start(&self) -> Result<Provider> {
        match self {
            Self::Promenade(programs) => promenade(programs),
            Self::OidcProvider { modules, script } => {
                let world = json!({"redirect": REDIRECT, "scope": SCOPE, "resource": RESOURCE});
                let mut node = Command::new("node");
                node.env("NODE_ENV", "production").env("NODE_PATH", modules).env("NODE_NO_WARNINGS", "1");
                let node = node.arg(script).arg(world.to_string());
                let (process, line) =
                    Running::start_until_it_speaks(node.stderr(std::process::Stdio::null()))?;
                let address = line.trim().strip_prefix("http://").context("oidc-provider did not start")?;
                let client = |id: &str, secret| Client {
                    address: address.to_owned(),
                    path: "/token",
                    id: id.to_owned(),
                    secret,
                };
                Ok(Provider {
                    process,
                    address: address.to_owned(),
                    browser: Browser::new(address, &[("login", "ann"), ("password", PASSWORD)]),
                    key: None,
                    authorize: "/auth",
                    confidential: client("confidential", Some("s3cret-s3cret-s3cret".to_owned())),
                    public: client("public", None),
                    _folder: tempfile::tempdir()?,
                })
            }
        }
    }
}

/// Ours, with the account that the link of the first start makes.
fn promenade(programs: &Programs) -> Result<Provider> {
    let folder = tempfile::tempdir()?;
    let (server, link) = programs.serve_anew(folder.path(), &[])?;
    let (address, key) = (server.http, programs.token(folder.path(), &[])?);
    let mut browser = person(&address, "ann@example.org");
    browser.visit(&link, "/account")?;
    let client = |kind| -> Result<Client> {
        let body = json!({"name": "Bench", "kind": kind, "redirect_uris": [REDIRECT], "scopes": [SCOPE]});
        let request = Request::json(&address, "/api/v1/clients", &[bearer(&key)], &body);
        let made = Connection::open(&address)?.ask(&request)?;
        made.must_be(201)?;
        let id = made.text("id").context("a client without an id")?.to_owned();
        let secret = made.text("secret").map(str::to_owned);
        Ok(Client { address: address.clone(), path: "/oauth/token", id, secret })
    };
    Ok(Provider {
        authorize: "/oauth/authorize",
        confidential: client("confidential")?,
        public: client("public")?,
        process: server.process,
        browser,
        key: Some(key),
        address,
        _folder: folder,
    })
}

/// Somebody at ours, who agrees to everything.
pub(in crate::bench) fn person(address: &str, email: &str) -> Browser {
    let known = [
        ("email", email),
        ("password", PASSWORD),
        ("new_password", PASSWORD),
        ("name", "Ann"),
        ("decision", "agree"),
    ];
    Browser::new(address, &known)
}

impl Provider {
    /// Asks the person; the first time they sign in and agree, afterwards the code comes at once.
    pub(super) fn code(&mut self, kind: Kind) -> Result<String> {
        let address = self.authorize_path(kind);
        code_of(&self.browser.visit(&address, REDIRECT)?)
    }

    /// A request of the person's browser for another code.
    pub(super) fn authorize(&self, kind: Kind) -> Request {
        let path = self.authorize_path(kind);
        Request::get(&self.address, &path, &self.browser.cookies(&path))
    }

    /// The first tokens of a link.
    pub(super) fn tokens(&mut self, kind: Kind) -> Result<Answer> {
        let code = self.code(kind)?;
        let answer = Connection::open(&self.address)?.ask(&self.client(kind).exchange(&code))?;
        answer.must_be(200)?;
        Ok(answer)
    }

    fn authorize_path(&self, kind: Kind) -> String {
        let fields = [
            ("client_id", self.client(kind).id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        format!("{}?{}", self.authorize, crate::bench::http::encoded(&fields))
    }

    pub(super) fn client(&self, kind: Kind) -> &Client {
        match kind {
            Kind::Confidential => &self.confidential,
            Kind::Public => &self.public,
        }
    }
}

impl Client {
    /// A code for tokens.
    pub(super) fn exchange(&self, code: &str) -> Request {
        let grant = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
        self.ask(&[&grant[..], &[("code_verifier", VERIFIER)]].concat())
    }

    /// A refresh token for an access token.
    pub(super) fn refresh(&self, token: &str) -> Request {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// Whether each refresh brings another refresh token.
    pub(super) fn rotates(&self) -> bool {
        self.secret.is_none()
    }

    fn ask(&self, fields: &[(&str, &str)]) -> Request {
        let secret = self.secret.as_deref().map(|secret| ("client_secret", secret));
        let fields: Vec<_> = fields.iter().copied().chain([("client_id", &*self.id)]).chain(secret).collect();
        Request::form(&self.address, self.path, &[], &fields)
    }
}

/// The code in the address that a browser was sent to. It has nothing in it that would be escaped.
pub(in crate::bench) fn code_of(address: &str) -> Result<String> {
    let (_, query) = address.split_once('?').with_context(|| format!("no answer in {address}"))?;
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    Ok(code.with_context(|| format!("no code in {address}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_the_address() {
        assert_eq!(code_of("https://client.example/cb?iss=x&code=abc-_1&state=s").unwrap(), "abc-_1");
        assert!(code_of("https://client.example/cb?error=access_denied").is_err());
        assert!(code_of("https://client.example/cb").is_err());
    }
}
