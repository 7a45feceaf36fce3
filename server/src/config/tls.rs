//! The `[tls]` section: which certificates the server shows, and whose certificates sign devices in.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use api::authority;
use broker::TlsFiles;
use serde::Deserialize;

use super::Config;

/// The `[tls]` section: files as PEM, read again when they change. Relative paths begin at the data directory, so that they
/// mean the same in the file, in the environment and for whoever runs a command beside the server.
///
/// What is left out is looked for where `promenade ca init` puts it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate, and behind it those it was signed with.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The authority whose certificates sign devices in.
    pub client_authority: Option<PathBuf>,
}

impl Tls {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => bail!("tls.certificate needs tls.key beside it"),
            (None, Some(_)) => bail!("tls.key needs tls.certificate beside it"),
            _ => Ok(()),
        }
    }
}

impl Config {
    /// The folder of our own certificate authority, whether there is one or not.
    pub fn authority(&self) -> PathBuf {
        self.data.join("ca")
    }

    /// The certificates that TLS is served with; none when nothing listens for it. Says which setting is missing, or which file.
    pub fn tls_files(&self) -> anyhow::Result<Option<TlsFiles>> {
        let need = self.listen.need_tls();
        if need.is_empty() {
            return Ok(None);
        }
        let (certificate, key) = match (&self.tls.certificate, &self.tls.key) {
            (Some(certificate), Some(key)) => (
                self.readable("tls.certificate", certificate)?,
                self.readable("tls.key", key)?,
            ),
            _ => self.own_certificate().with_context(|| {
                format!(
                    "{} needs a certificate: set tls.certificate and tls.key, or make one with `promenade ca init --data {} \
                     --server NAME`",
                    need.join(" and "),
                    self.data.display()
                )
            })?,
        };
        let own_authority = self.authority().join(authority::CERTIFICATE);
        let client_authority = match &self.tls.client_authority {
            Some(path) => Some(self.readable("tls.client_authority", path)?),
            None => Some(own_authority).filter(|path| path.is_file()),
        };
        let origin = if self.tls.certificate.is_some() { "tls.certificate" } else { "`promenade ca init`" };
        tracing::info!(
            certificate = %certificate.display(),
            client_authority = client_authority.as_ref().map(|path| tracing::field::display(path.display())),
            "TLS is served with the certificate of {origin}"
        );
        Ok(Some(TlsFiles { certificate, key, client_authority }))
    }

    /// What `promenade ca init --server` made.
    fn own_certificate(&self) -> Option<(PathBuf, PathBuf)> {
        let folder = self.authority();
        let (certificate, key) =
            (folder.join(authority::SERVER_CERTIFICATE), folder.join(authority::SERVER_KEY));
        (certificate.is_file() && key.is_file()).then_some((certificate, key))
    }

    fn readable(&self, setting: &str, path: &Path) -> anyhow::Result<PathBuf> {
        let path = self.data.join(path);
        std::fs::File::open(&path)
            .with_context(|| format!("{setting}: {} cannot be read", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;

    fn config(folder: &Path) -> Config {
        let mut config = Config { data: folder.to_owned(), ..Config::default() };
        config.listen.mqtts = Address(Some(([127, 0, 0, 1], 0).into()));
        config
    }

    fn refused(config: &Config, parts: &[&str]) {
        let error = format!("{:#}", config.tls_files().expect_err("no certificate"));
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        refused(&config, &["listen.mqtts needs a certificate", "tls.certificate", "promenade ca init"]);
        config.listen.wss = config.listen.mqtts;
        refused(&config, &["listen.mqtts and listen.wss"]);
        config.tls.certificate = Some("c.pem".into());
        config.tls.key = Some("/nowhere/k.pem".into());
        refused(&config, &["tls.certificate", "c.pem"]);
        std::fs::write(folder.path().join("c.pem"), "").expect("written");
        refused(&config, &["tls.key", "/nowhere/k.pem"]);
        config.tls.key = Some("c.pem".into());
        config.tls.client_authority = Some("ca.pem".into());
        refused(&config, &["tls.client_authority", "ca.pem"]);
        config.listen.mqtts = Address(None);
        config.listen.wss = Address(None);
        assert!(config.tls_files().expect("nothing needs it").is_none());
    }

    #[test]
    fn what_was_made_here_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        std::fs::create_dir(config.authority()).expect("made");
        let made = |name: &str| {
            let path = config.authority().join(name);
            std::fs::write(&path, "").expect("written");
            path
        };
        let (certificate, key) = (made("server.pem"), made("server.key"));
        let files = config.tls_files().expect("found").expect("needed");
        assert_eq!((files.certificate, files.key, files.client_authority), (certificate, key, None));
        let authority = made("authority.pem");
        let elsewhere = made("elsewhere.pem");
        let files = config.tls_files().expect("found").expect("needed");
        assert_eq!(files.client_authority.as_ref(), Some(&authority));
        // A certificate from elsewhere does not change whose certificates sign devices in.
        config.tls.certificate = Some("ca/elsewhere.pem".into());
        config.tls.key = Some(elsewhere.clone());
        let files = config.tls_files().expect("found").expect("needed");
        assert_eq!((files.certificate, files.client_authority), (elsewhere.clone(), Some(authority)));
        config.tls.client_authority = Some("ca/elsewhere.pem".into());
        let files = config.tls_files().expect("found").expect("needed");
        assert_eq!(files.client_authority, Some(elsewhere));
    }
}
