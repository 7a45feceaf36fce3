use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use proptest::prelude::*;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use x509_parser::extensions::GeneralName;

use super::*;

/// 2026-03-02T12:00:00Z.
const NOW: Timestamp = Timestamp(1_772_452_800_000);

macro_rules! request {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/requests/", $name, ".pem"))
    };
}

fn device() -> DeviceId {
    "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap()
}

fn authority() -> (TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::init(folder.path(), "Shop", NOW).unwrap();
    (folder, authority)
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn at(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.second() as u64))
}

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority.certificate())).unwrap();
    Arc::new(roots)
}

/// What the MQTT front does with the certificate of a client.
fn is_let_in(authority: &Authority, certificate: &str, time: Timestamp) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority), provider).build().unwrap();
    verifier.verify_client_cert(&der(certificate), &[], at(time)).is_ok()
}

/// What a client does with the certificate of the server.
fn is_trusted(authority: &Authority, certificate: &str, name: &'static str) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(authority), provider).build().unwrap();
    let name = name.try_into().unwrap();
    verifier.verify_server_cert(&der(certificate), &[], &name, &[], at(NOW)).is_ok()
}

#[test]
fn an_authority_is_made_once_and_read_again() {
    let (folder, made) = authority();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(std::fs::metadata(path(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path(CERTIFICATE)).unwrap().permissions().mode() & 0o133, 0);
    let read = Authority::open(folder.path()).unwrap().unwrap();
    assert_eq!((read.certificate(), read.not_after()), (made.certificate(), made.not_after()));
    assert_eq!(made.not_after(), NOW.plus(7_305 * DAY_MS), "twenty years");
    let issued = read.issue(device(), Days::AtMost(DEFAULT_DAYS), None, NOW).unwrap();
    assert!(is_let_in(&made, &issued.certificate, NOW));
    for left in [KEY, CERTIFICATE] {
        let error = Authority::init(folder.path(), "Other", NOW).unwrap_err();
        assert!(
            matches!(&error, AuthorityError::Exists(path) if path.ends_with(CERTIFICATE) || path.ends_with(KEY))
        );
        std::fs::remove_file(path(left)).unwrap();
        let error = Authority::open(folder.path());
        if left == KEY {
            assert!(matches!(error, Err(AuthorityError::Unusable { path, .. }) if path.ends_with(KEY)));
        } else {
            assert!(error.unwrap().is_none());
        }
    }
}

#[test]
fn half_an_authority_is_not_left_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Nothing can be seen there, and yet nothing can be made.
    let block = |name: &str| std::os::unix::fs::symlink("nowhere", path(name)).unwrap();
    block(CERTIFICATE);
    Authority::init(folder.path(), "Shop", NOW).unwrap_err();
    assert!(!path(KEY).exists());
    std::fs::remove_file(path(CERTIFICATE)).unwrap();
    let authority = Authority::init(folder.path(), "Shop", NOW).unwrap();
    block(SERVER_CERTIFICATE);
    let names = ["shop.example".parse().unwrap()];
    authority.make_server(folder.path(), &names, NOW).unwrap_err();
    assert!(!path(SERVER_KEY).exists() && path(KEY).exists());
    std::fs::remove_file(path(SERVER_CERTIFICATE)).unwrap();
    authority.make_server(folder.path(), &names, NOW).unwrap();
}

#[test]
fn what_is_no_authority_is_said_to_be_none() {
    let (folder, authority) = authority();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let refused = |part: &str| {
        let error = Authority::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(part), "{part} is not in {error}");
    };
    let issued = authority.issue(device(), Days::AtMost(DEFAULT_DAYS), None, NOW).unwrap();
    let other = Authority::init(&folder.path().join("other"), "Other", NOW).unwrap();
    write(CERTIFICATE, other.certificate());
    refused("authority.key is the key of another certificate");
    write(CERTIFICATE, &issued.certificate);
    write(KEY, &issued.key.unwrap());
    refused("not the certificate of an authority");
    write(CERTIFICATE, "nothing");
    refused("authority.pem cannot be used: it is not a certificate");
    write(KEY, "nothing");
    refused("authority.key cannot be used");
}

#[test]
fn a_certificate_is_for_its_device_and_for_signing_in() {
    let (_folder, authority) = authority();
    let issued = authority.issue(device(), Days::Exactly(30), None, Timestamp(NOW.0 + 999)).unwrap();
    assert_eq!((issued.not_before, issued.not_after), (NOW.minus(5 * 60_000), NOW.plus(30 * DAY_MS)));
    let certificate = der(&issued.certificate);
    assert_eq!(issued.fingerprint, Fingerprint::of(&certificate));
    let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
    assert_eq!(parsed.subject().to_string(), format!("CN={}", device()));
    assert_eq!(parsed.issuer().to_string(), "CN=Shop");
    assert_eq!(
        (parsed.raw_serial().len(), parsed.raw_serial_as_string().replace(':', "")),
        (16, issued.serial)
    );
    assert!(!parsed.is_ca());
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(*names, [GeneralName::URI(&format!("urn:uuid:{}", device()))]);

    assert!(is_let_in(&authority, &issued.certificate, NOW));
    assert!(is_let_in(&authority, &issued.certificate, issued.not_after));
    assert!(!is_let_in(&authority, &issued.certificate, issued.not_after.plus(1_000)));
    assert!(!is_let_in(&authority, &issued.certificate, issued.not_before.minus(1_000)));
    assert!(
        !is_let_in(&self::authority().1, &issued.certificate, NOW),
        "another authority knows nothing of it"
    );
    assert!(!is_trusted(&authority, &issued.certificate, "localhost"));
    let key = PrivateKeyDer::from_pem_slice(issued.key.unwrap().as_bytes()).unwrap();
    let certified = rustls::sign::CertifiedKey::from_der(
        vec![certificate.clone()],
        key,
        &rustls::crypto::ring::default_provider(),
    );
    assert!(certified.is_ok(), "the key is the certificate's: {certified:?}");
    let again = authority.issue(device(), Days::Exactly(30), None, NOW).unwrap();
    assert_ne!(again.serial, parsed.raw_serial_as_string().replace(':', ""));
}

#[test]
fn the_key_of_a_request_is_signed_and_nothing_else_of_it() {
    let (_folder, authority) = authority();
    for (name, pem) in [
        ("p256", request!("p256")),
        ("p384", request!("p384")),
        ("ed25519", request!("ed25519")),
        ("rsa2048", request!("rsa2048")),
    ] {
        let request = SigningRequest::parse(&format!("a text before\n{pem}")).unwrap();
        let issued = authority.issue(device(), Days::AtMost(DEFAULT_DAYS), Some(&request), NOW).unwrap();
        assert!(issued.key.is_none() && is_let_in(&authority, &issued.certificate, NOW), "{name}");
        let (_, asked) = parse_x509_pem(pem.as_bytes()).unwrap();
        let asked = x509_parser::certification_request::X509CertificationRequest::from_der(&asked.contents);
        let certificate = der(&issued.certificate);
        let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
        assert_eq!(
            parsed.public_key().raw,
            asked.unwrap().1.certification_request_info.subject_pki.raw,
            "{name}"
        );
        assert_eq!(parsed.subject().to_string(), format!("CN={}", device()), "{name}");
        assert!(
            !parsed.is_ca() && !parsed.extended_key_usage().unwrap().unwrap().value.server_auth,
            "{name}"
        );
        assert!(!issued.certificate.contains("somebody"), "{name}");
    }
}

#[test]
fn other_requests_are_refused_with_what_is_wrong() {
    let certificate = authority().1.certificate().to_owned();
    let (_, pem) = parse_x509_pem(request!("p256").as_bytes()).unwrap();
    let more = [pem.contents.as_slice(), &[0]].concat();
    assert!(SigningRequest::read(&more).unwrap().is_none(), "something behind it");
    for (name, pem, part) in [
        ("p521", request!("p521"), "the key must be"),
        ("secp256k1", request!("secp256k1"), "the key must be"),
        ("rsa1024", request!("rsa1024"), "the key must be"),
        ("rsapss", request!("rsapss"), "the key must be"),
        ("changed", request!("changed"), "the signature"),
        ("a certificate", certificate.as_str(), "must be a certificate signing request"),
        ("cut", &request!("p256")[..400], "must be a certificate signing request"),
        ("nothing", "", "must be a certificate signing request"),
    ] {
        match SigningRequest::parse(pem) {
            Err(AuthorityError::Request(text)) => assert!(text.contains(part), "{name}: {text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn nothing_outlives_the_authority() {
    let (_folder, authority) = authority();
    let end = authority.not_after();
    let late = end.minus(10 * DAY_MS);
    assert_eq!(authority.issue(device(), Days::AtMost(DEFAULT_DAYS), None, late).unwrap().not_after, end);
    assert_eq!(authority.issue(device(), Days::Exactly(10), None, late).unwrap().not_after, end);
    let refused = authority.issue(device(), Days::Exactly(11), None, late);
    assert!(matches!(refused, Err(AuthorityError::Outlives(at)) if at == end));
    assert!(
        matches!(authority.issue(device(), Days::AtMost(DEFAULT_DAYS), None, end), Err(AuthorityError::Ended(at)) if at == end)
    );
}

#[test]
fn a_server_gets_one_certificate_for_all_of_its_names() {
    let (folder, authority) = authority();
    let names: Vec<ServerName> = ["mqtt.example.org", "localhost", "127.0.0.1", "::1"]
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    let issued = authority.make_server(folder.path(), &names, NOW).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join(SERVER_CERTIFICATE)).unwrap(), issued.certificate);
    assert_eq!(std::fs::read_to_string(folder.path().join(SERVER_KEY)).ok(), issued.key);
    let mode = std::fs::metadata(folder.path().join(SERVER_KEY)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for name in ["mqtt.example.org", "localhost", "127.0.0.1", "::1"] {
        assert!(is_trusted(&authority, &issued.certificate, name), "{name}");
    }
    assert!(!is_trusted(&authority, &issued.certificate, "example.org"));
    assert!(!is_let_in(&authority, &issued.certificate, NOW), "a server is no device");
    let again = authority.make_server(folder.path(), &names, NOW);
    assert!(matches!(again, Err(AuthorityError::Exists(path)) if path.ends_with(SERVER_CERTIFICATE)));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        prop_assert!(SigningRequest::parse(&text).is_err());
    }

    #[test]
    fn a_changed_request_gets_no_other_key_signed(at in 0usize..415, change in 1u8..) {
        let (_, pem) = parse_x509_pem(request!("p256").as_bytes()).unwrap();
        let mut der = pem.contents;
        prop_assert_eq!(der.len(), 415);
        let key = SigningRequest::read(&der).unwrap().unwrap().subject_public_key_info();
        der[at] ^= change;
        if let Ok(Some(request)) = SigningRequest::read(&der) {
            prop_assert_eq!(request.subject_public_key_info(), key);
        }
    }
}
