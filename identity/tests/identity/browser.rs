//! A browser: it keeps cookies and fills in forms.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::Value;

use crate::world::{Answer, App, PASSWORD, World, encoded};

/// A browser and the cookies it has.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A form as a page shows it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    /// What is hidden or filled in.
    pub(crate) fields: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new() }
    }

    /// A browser in which somebody signed in.
    pub(crate) async fn signed_in(world: &'a World, email: &str) -> Self {
        let mut browser = Self::new(world);
        assert_eq!(browser.sign_in(email, PASSWORD).await.location(), "/account");
        browser
    }

    /// Fills in the sign-in page.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let form = self.get("/sign-in?again=1").await.form("/sign-in");
        self.submit(&form, &[("email", email), ("password", password)]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Sends a form with some fields filled in or changed.
    pub(crate) async fn submit(&mut self, form: &Form, filled: &[(&str, &str)]) -> Answer {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &form.fields {
            if !filled.iter().any(|(known, _)| known == name) {
                fields.push((name, value));
            }
        }
        fields.extend(filled);
        self.post(&form.action, &fields).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(encoded(fields))).await
    }

    /// Posts JSON, as the script of a page does.
    pub(crate) async fn post_json(&mut self, path: &str, said: &Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, Body::from(said.to_string())).await
    }

    /// Goes through the usual request of a client to its end, agreeing when asked. Gives the answer that leads back.
    pub(crate) async fn authorize(&mut self, app: &App, changes: &[(&str, Option<&str>)]) -> Answer {
        let answer = self.get(&app.authorize(changes)).await;
        if answer.status.is_redirection() {
            return answer;
        }
        self.submit(&answer.form("/oauth/consent"), &[("decision", "agree")]).await
    }

    /// The code of the usual request.
    pub(crate) async fn code(&mut self, app: &App) -> String {
        let answer = self.authorize(app, &[]).await;
        answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, pairs.join("; ")).header(header::USER_AGENT, "Test/1.0");
        let answer = self.world.send(request.body(body).unwrap()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let text = set.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Answer {
    /// The form of a page that leads to an address.
    #[track_caller]
    pub(crate) fn form(&self, action: &str) -> Form {
        let start = format!("<form method=\"post\" action=\"{action}\">");
        let found = self.text.find(&start).unwrap_or_else(|| panic!("no form to {action}: {self:?}"));
        let html = &self.text[found..];
        let html = &html[..html.find("</form>").unwrap()];
        let inputs = html.split("<input ").skip(1).map(|input| &input[..input.find('>').unwrap()]);
        let attribute = |input: &str, name: &str| {
            let (_, rest) = input.split_once(&format!("{name}=\""))?;
            Some(unescaped(&rest[..rest.find('"')?]))
        };
        let fields = inputs.filter_map(|input| {
            Some((attribute(input, "name")?, attribute(input, " value").unwrap_or_default()))
        });
        Form { action: action.to_owned(), fields: fields.collect() }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
