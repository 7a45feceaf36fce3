//! The HTTP API as a test speaks it.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use reqwest::{Client, Method, Response};
use serde_json::Value;

/// A client with one key.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    server: SocketAddr,
    token: String,
}

/// An answer: its status and its document.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Api {
    pub(super) fn new(server: SocketAddr, token: &str) -> Self {
        Self { client: Client::new(), server, token: token.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.done(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.done(Method::POST, path, Some(body)).await
    }

    /// Posts with an idempotency key; whatever is no success is an error.
    pub(crate) async fn keyed(&self, key: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("http://{}/api/v1{path}", self.server);
        let request = self.client.post(url).bearer_auth(&self.token).header("Idempotency-Key", key);
        let response = request.json(&body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "POST {path}: {status} {text}");
        serde_json::from_str(&text).context(text)
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.done(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.done(Method::DELETE, path, None).await
    }

    /// Whatever the answer is.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Answer> {
        let response = self.send(method, path, body).await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).context(text)? };
        Ok(Answer { status, body })
    }

    /// A page or document outside the API, as text.
    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{}{path}", self.server);
        let response = self.client.get(url).bearer_auth(&self.token).send().await?;
        Ok(response.error_for_status()?.text().await?)
    }

    async fn done(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let what = format!("{method} {path}");
        let answer = self.ask(method, path, body).await?;
        ensure!((200..300).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Response> {
        let url = format!("http://{}/api/v1{path}", self.server);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?)
    }
}
