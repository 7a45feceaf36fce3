//! A platform that gives the answers of a script, one after the other, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

/// A server of HTTP/1.1 on this machine, which ends with its script.
pub(crate) struct Platform {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

/// What is answered.
pub(crate) struct Answer {
    status: u16,
    retry_after: Option<&'static str>,
    pub(crate) body: Value,
    /// Whether the request to sign that came is signed, or one for another key.
    sign: Option<bool>,
}

impl Answer {
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Self { status, retry_after: None, body, sign: None }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::of(200, body)
    }

    /// With a header `Retry-After`.
    pub(crate) fn after(self, seconds: &'static str) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// A certificate for the key that was sent last.
    pub(crate) fn certificate(device: &str) -> Self {
        Self { sign: Some(true), ..Self::ok(json!({"device": device, "not_after": "2026-12-24T10:00:00Z"})) }
    }

    /// A certificate that is of no use to who asked.
    pub(crate) fn certificate_for_another_key(device: &str) -> Self {
        Self { sign: Some(false), ..Self::certificate(device) }
    }
}

impl Platform {
    pub(crate) fn answering(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let asked = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let (script, heard) = (script.into_iter().collect::<Vec<_>>(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for answer in script {
                let (stream, _) = listener.accept().expect("a connection");
                let request = read(&stream);
                heard.lock().expect("no panic").push(request);
                let csr = heard
                    .lock()
                    .expect("no panic")
                    .iter()
                    .rev()
                    .find_map(|(_, body)| Some(body["csr"].as_str()?.to_owned()));
                respond(stream, answer, csr.as_deref());
            }
        });
        Self { address, asked }
    }

    /// The path and the body of each request.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn read(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let first = line();
    let path = first
        .strip_prefix("POST ")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .expect("a POST")
        .to_owned();
    let headers: Vec<String> = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned))
    };
    assert_eq!(header("content-type: ").as_deref(), Some("application/json"));
    assert!(header("host: ").is_some_and(|host| host.starts_with("127.0.0.1:")));
    let mut body = vec![0; header("content-length: ").expect("a length").parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    (path, serde_json::from_slice(&body).expect("JSON"))
}

fn respond(mut stream: TcpStream, answer: Answer, csr: Option<&str>) {
    let mut body = answer.body;
    if let Some(is_right) = answer.sign {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let request = CertificateSigningRequestParams::from_pem(csr.expect("a request")).expect("a request");
        let certificate = if is_right {
            request.signed_by(&authority).expect("a certificate")
        } else {
            request.params.signed_by(&KeyPair::generate().expect("a key"), &authority).expect("a certificate")
        };
        body["certificate"] = certificate.pem().into();
        body["authority"] = authority.pem().into();
    }
    let body = body.to_string();
    let retry_after =
        answer.retry_after.map_or(String::new(), |seconds| format!("retry-after: {seconds}\r\n"));
    let head = format!(
        "HTTP/1.1 {} -\r\ncontent-type: application/json\r\n{retry_after}content-length: {}\r\n\r\n",
        answer.status,
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("a listener");
}
