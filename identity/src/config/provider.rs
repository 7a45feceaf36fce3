//! The `[[identity.provider]]` sections: whom people may sign in with instead of a password.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};

/// Somebody else's server that says who people are.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// What this server calls it, in addresses and rows: lower-case letters, digits and dashes. Not to be changed later.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Its issuer, for [`ProviderKind::Oidc`] alone: its metadata is behind it (`OpenID` Connect Discovery section 4).
    #[serde(default)]
    pub issuer: Option<String>,
    /// Who this server is to it.
    pub client_id: String,
    /// The secret that it gave this server; either this or a file.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// A file with the secret and nothing else.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What it is asked for; without any, what signing in needs.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where browsers go, instead of where this kind has it; for kinds without metadata.
    #[serde(default)]
    pub authorize: Option<String>,
    /// Where codes are exchanged; as `authorize`.
    #[serde(default)]
    pub token: Option<String>,
    /// Where it is asked who somebody is; as `authorize`.
    #[serde(default)]
    pub userinfo: Option<String>,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// `OpenID` Connect, at `https://accounts.google.com`.
    Google,
    /// Plain `OAuth2`, and the Graph API.
    Facebook,
    /// Plain `OAuth2`, and the profile of Login with Amazon.
    Amazon,
    /// `OpenID` Connect.
    Oidc,
}

/// The secret stays out of logs.
impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, kind, issuer, client_id, client_secret_file, scopes, .. } = self;
        f.debug_struct("ProviderConfig")
            .field("id", id)
            .field("name", name)
            .field("kind", kind)
            .field("issuer", issuer)
            .field("client_id", client_id)
            .field("client_secret", &self.client_secret.as_ref().map(|_| "…"))
            .field("client_secret_file", client_secret_file)
            .field("scopes", scopes)
            .finish_non_exhaustive()
    }
}

impl ProviderKind {
    /// Whether it has metadata and ID tokens.
    pub(crate) fn is_openid(self) -> bool {
        matches!(self, Self::Google | Self::Oidc)
    }
}

impl ProviderConfig {
    /// What accounts are known by to belong to it.
    pub(crate) fn issuer(&self) -> &str {
        match self.kind {
            ProviderKind::Google => "https://accounts.google.com",
            ProviderKind::Facebook => "https://www.facebook.com",
            ProviderKind::Amazon => "https://www.amazon.com",
            ProviderKind::Oidc => self.issuer.as_deref().unwrap_or_default(),
        }
    }

    /// What it is asked for.
    pub(crate) fn scopes(&self) -> Vec<&str> {
        if !self.scopes.is_empty() {
            return self.scopes.iter().map(String::as_str).collect();
        }
        match self.kind {
            ProviderKind::Google | ProviderKind::Oidc => vec!["openid", "email", "profile"],
            ProviderKind::Facebook => vec!["public_profile", "email"],
            ProviderKind::Amazon => vec!["profile"],
        }
    }

    fn validate(&self, may_be_private: bool) -> Result<(), String> {
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=50).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return Err("`name` has 1 to 50 characters".to_owned());
        }
        if !is_visible(&self.client_id) || self.client_id.len() > 500 {
            return Err("`client_id` is missing or has characters that no client id has".to_owned());
        }
        match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => {
                return Err("`client_secret` and `client_secret_file` exclude each other".to_owned());
            }
            (None, None) => return Err("needs `client_secret` or `client_secret_file`".to_owned()),
            (Some(secret), None) if secret.trim().is_empty() => {
                return Err("`client_secret` is empty".to_owned());
            }
            _ => {}
        }
        match (self.kind, &self.issuer) {
            (ProviderKind::Oidc, None) => return Err("a provider of kind `oidc` needs `issuer`".to_owned()),
            (ProviderKind::Oidc, Some(issuer)) => {
                check_address(issuer, may_be_private).map_err(|why| format!("`issuer` {why}"))?;
                if issuer.contains(['?', '#']) || issuer.len() > 500 {
                    return Err("`issuer` has no query and at most 500 characters".to_owned());
                }
            }
            (_, Some(_)) => return Err("`issuer` is for providers of kind `oidc`".to_owned()),
            _ => {}
        }
        for (name, address) in
            [("authorize", &self.authorize), ("token", &self.token), ("userinfo", &self.userinfo)]
        {
            let Some(address) = address else { continue };
            if self.kind.is_openid() {
                return Err(format!("`{name}` stands in the metadata of a provider of this kind"));
            }
            check_address(address, may_be_private).map_err(|why| format!("`{name}` {why}"))?;
        }
        if self.scopes.iter().any(|scope| !is_visible(scope)) {
            return Err("`scopes` has one that is none".to_owned());
        }
        if self.kind.is_openid() && !self.scopes().contains(&"openid") {
            return Err("`scopes` needs `openid`".to_owned());
        }
        Ok(())
    }
}

/// Names the first provider that cannot be used, and why.
pub(super) fn validate(providers: &[ProviderConfig], may_be_private: bool) -> Result<(), String> {
    let (mut ids, mut issuers) = (BTreeSet::new(), BTreeSet::new());
    for provider in providers {
        let id = &provider.id;
        let is_slug = !id.is_empty()
            && id.len() <= 32
            && !id.starts_with('-')
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_slug || id == crate::passkey::PROVIDER {
            return Err(format!(
                "identity.provider: `id` has 1 to 32 lower-case letters, digits and dashes, and is not `passkey`: {id:?}"
            ));
        }
        provider.validate(may_be_private).map_err(|why| format!("identity.provider `{id}`: {why}"))?;
        if !ids.insert(id) {
            return Err(format!("identity.provider `{id}`: there are two of this `id`"));
        }
        // Subjects are told apart by their issuer alone.
        if !issuers.insert(provider.issuer()) {
            return Err(format!("identity.provider `{id}`: another one has the same issuer"));
        }
    }
    Ok(())
}

/// An address that this server may call: `https`, or `http` where private addresses are allowed.
pub(crate) fn check_address(address: &str, may_be_private: bool) -> Result<Url, &'static str> {
    let url = Url::parse(address).map_err(|_| "is no URL")?;
    let has_host = match url.host() {
        Some(Host::Domain(name)) => !name.is_empty(),
        Some(_) => true,
        None => false,
    };
    if !has_host || !url.username().is_empty() || url.password().is_some() {
        return Err("must have a host and no user");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if may_be_private => Ok(url),
        _ => Err("must be an `https` URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn google() -> ProviderConfig {
        ProviderConfig {
            id: "google".to_owned(),
            name: "Google".to_owned(),
            kind: ProviderKind::Google,
            issuer: None,
            client_id: "id".to_owned(),
            client_secret: Some("hunter2".to_owned()),
            client_secret_file: None,
            scopes: Vec::new(),
            authorize: None,
            token: None,
            userinfo: None,
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(validate(&[google()], false), Ok(()));
        let oidc = |issuer: &str| ProviderConfig {
            id: "work".to_owned(),
            kind: ProviderKind::Oidc,
            issuer: Some(issuer.to_owned()),
            ..google()
        };
        assert_eq!(validate(&[google(), oidc("https://id.work.example/realm")], false), Ok(()));
        assert_eq!(validate(&[oidc("http://127.0.0.1:9/")], true), Ok(()));
        let wrong = [
            (ProviderConfig { id: "Google".to_owned(), ..google() }, "`id`"),
            (ProviderConfig { id: "passkey".to_owned(), ..google() }, "`id`"),
            (ProviderConfig { id: "a/b".to_owned(), ..google() }, "`id`"),
            (ProviderConfig { name: String::new(), ..google() }, "`name`"),
            (ProviderConfig { client_id: String::new(), ..google() }, "`client_id`"),
            (ProviderConfig { client_secret: None, ..google() }, "`client_secret`"),
            (ProviderConfig { client_secret: Some(" ".to_owned()), ..google() }, "`client_secret`"),
            (ProviderConfig { client_secret_file: Some("x".into()), ..google() }, "exclude"),
            (ProviderConfig { issuer: Some("https://x.example".to_owned()), ..google() }, "`issuer`"),
            (ProviderConfig { issuer: None, ..oidc("") }, "`issuer`"),
            (oidc("http://127.0.0.1:9/"), "`issuer`"),
            (oidc("https://x.example/?a"), "`issuer`"),
            (oidc("https://user@x.example"), "`issuer`"),
            (ProviderConfig { token: Some("https://x.example".to_owned()), ..google() }, "`token`"),
            (ProviderConfig { scopes: vec!["email".to_owned()], ..google() }, "`scopes`"),
            (ProviderConfig { scopes: vec!["openid email".to_owned()], ..google() }, "`scopes`"),
        ];
        for (config, part) in wrong {
            let why = validate(std::slice::from_ref(&config), false).unwrap_err();
            assert!(why.starts_with("identity.provider") && why.contains(part), "{part}: {why}");
        }
        assert!(validate(&[google(), google()], false).unwrap_err().contains("two"));
        let again = ProviderConfig { id: "again".to_owned(), ..google() };
        assert!(validate(&[google(), again], false).unwrap_err().contains("same issuer"));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", google()).contains("hunter2"));
    }
}
