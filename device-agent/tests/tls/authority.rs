//! An authority of the test's own, and a broker that it vouches for.

use std::path::PathBuf;
use std::time::Duration;

use device_agent::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair, date_time_ymd,
};
use tempfile::TempDir;

use super::mosquitto::Mosquitto;

/// Lines for a broker that knows devices by their certificates alone.
pub(crate) const CERTIFIED: &str = "require_certificate true\nuse_identity_as_username true\n";

/// An authority, and what it gave out.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let authority = Self { dir: tempfile::tempdir().expect("a temporary directory"), issuer };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).expect("a file");
        authority
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives a certificate for this host, or for nobody's.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name, hosts).signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).expect("a file");
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).expect("a file");
    }

    /// A certificate of this name for a key that was sent, valid from and to so many seconds from now.
    pub(crate) fn sign(&self, csr: &str, name: &str, from_s: i64, to_s: i64) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).expect("a request");
        request.params = params(name, &[]);
        let now = Clock::system().now().0 / 1_000;
        let moment =
            |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs((now + seconds).unsigned_abs());
        (request.params.not_before, request.params.not_after) = (moment(from_s), moment(to_s));
        request.signed_by(&self.issuer).expect("a certificate").pem()
    }

    /// The authority itself, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A broker with TLS that is called `localhost`.
    pub(crate) async fn broker(&self, users: &[(&str, &str)], more: &str) -> Mosquitto {
        self.issue("server", &["localhost"]);
        let lines = format!(
            "cafile {}\ncertfile {}\nkeyfile {}\n{more}",
            self.file("ca.pem").display(),
            self.file("server.pem").display(),
            self.file("server.key").display()
        );
        Mosquitto::with(self.dir.path(), users, lines).await
    }
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
