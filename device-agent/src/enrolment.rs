//! Coming in: a device without credentials asks for some, shows a code, and polls until somebody, or the claim key of its
//! fleet, lets it in.
//!
//! This is the device's side of RFC 8628 (sections 3.2 to 3.5) over `POST /api/v1/enrolments` and `…/enrolments/token`.
//! Nothing is kept before there are credentials, and what is asked is forgotten when it is broken off. Credentials are
//! given once; where their answer is lost, the device asks anew.

mod address;
mod answer;
mod client;
mod former;
mod screen;
mod serial;
mod waiting;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{DeviceId, DeviceKind};
use serde::{Deserialize, Serialize};

use crate::Clock;
use crate::backoff::Backoff;
use crate::config::{EnrolmentConfig, Secret};
use crate::identity::{Credentials, Draft, DraftError, IdentityError};
use crate::link::{TlsError, anonymous};

use answer::{Meaning, understand};
use client::Client;

pub use address::{Address, AddressError};
pub use former::{Forgotten, FormerError, forget};
pub use waiting::come_in;

/// Upper bounds of the wait after the platform could not be reached, in milliseconds; from the first to the second.
const BACKOFF_MS: (u64, u64) = (2_000, 60_000);

/// The longest pace of polls that is believed, in seconds.
const SLOWEST_S: u64 = 3_600;

/// Why a device does not come in.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Authorities.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The file of the claim key.
    #[error("the claim key in {} cannot be read", path.display())]
    ClaimKey {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key, or the certificate that came for it.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The file of the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The platform decided so.
    #[error("the platform does not let this device in: {0}")]
    Refused(String),
    /// The platform speaks differently.
    #[error("the platform answers something else than it should")]
    Unreadable,
}

/// What happens meanwhile, for whoever stands before the device.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Somebody has to type this code, or scan it.
    Code(&'a Codes),
    /// Nothing is done for so long, for this reason, or because nobody has decided yet.
    Wait(Duration, Option<&'a str>),
}

/// How the device waits (RFC 8628, section 3.2).
#[derive(Debug, Deserialize)]
pub struct Codes {
    device_code: Secret,
    /// What an installer types.
    pub user_code: String,
    /// A page that says what to do with it.
    pub verification_uri: String,
    /// The same with the code.
    pub verification_uri_complete: String,
    /// Seconds until it is over.
    pub expires_in: u64,
    /// Seconds between two polls.
    interval: u64,
}

/// What a device says of itself.
#[derive(Serialize)]
struct Request {
    kind: DeviceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_key: Option<String>,
}

/// What a device gets; it has either a secret or a certificate.
#[derive(Deserialize)]
struct Given {
    device: DeviceId,
    secret: Option<Secret>,
    certificate: Option<String>,
    authority: Option<String>,
}

/// Asks until the platform has decided, and returns what the device signs in with from then on.
///
/// What is not decided yet, a platform that cannot be reached or cannot do it now, and requests that nobody approved in
/// time are waited out. May be dropped at any moment.
pub async fn enrol(
    config: &EnrolmentConfig,
    clock: &Clock,
    seed: u64,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(DeviceId, Credentials), EnrolmentError> {
    let address = Address::of(config)?;
    let tls = if address.tls { Some(anonymous(config.ca.as_deref())?) } else { None };
    let mut asking = Asking {
        client: Client::new(address, tls),
        clock,
        backoff: Backoff::new(BACKOFF_MS.0, BACKOFF_MS.1, seed),
        progress,
    };
    loop {
        // A key of its own for each request: where an answer was lost, the platform has the one before already.
        let draft = if config.certificate { Some(Draft::new()?) } else { None };
        let Some(codes) = asking.begin(&request(config, draft.as_ref())?).await? else {
            let wait = asking.backoff();
            asking.wait(wait, Some("the platform knows this key already; it asks anew, with another")).await;
            continue;
        };
        (asking.progress)(Progress::Code(&codes));
        if let Some(body) = asking.poll(&codes).await? {
            let given = serde_json::from_slice(&body).map_err(|_| EnrolmentError::Unreadable)?;
            return credentials(given, draft.as_ref());
        }
        asking.wait(codes.interval(), Some("nobody let this device in in time; it asks anew")).await;
    }
}

/// Who asks, and how.
struct Asking<'a> {
    client: Client,
    clock: &'a Clock,
    backoff: Backoff,
    progress: &'a mut (dyn FnMut(Progress<'_>) + Send),
}

impl Asking<'_> {
    /// How to wait; nothing when only another request helps.
    async fn begin(&mut self, request: &str) -> Result<Option<Codes>, EnrolmentError> {
        match self.ask("/api/v1/enrolments", request).await {
            Meaning::Given(body) => Codes::read(&body).map(Some).ok_or(EnrolmentError::Unreadable),
            Meaning::Over => Ok(None),
            Meaning::Refused(why) => Err(EnrolmentError::Refused(why)),
            _ => Err(EnrolmentError::Unreadable),
        }
    }

    /// What is given in the end; nothing when it is too late.
    async fn poll(&mut self, codes: &Codes) -> Result<Option<Vec<u8>>, EnrolmentError> {
        let body = serde_json::json!({"device_code": codes.device_code.reveal()}).to_string();
        let mut interval = codes.interval();
        loop {
            match self.ask("/api/v1/enrolments/token", &body).await {
                Meaning::Given(body) => return Ok(Some(body)),
                Meaning::Over => return Ok(None),
                Meaning::Refused(why) => return Err(EnrolmentError::Refused(why)),
                Meaning::SlowDown => interval += Duration::from_secs(5),
                Meaning::Pending | Meaning::Later(..) => {}
            }
            self.wait(interval, None).await;
        }
    }

    /// Asks as often as it takes to get an answer that decides something.
    async fn ask(&mut self, path: &str, body: &str) -> Meaning {
        loop {
            let (why, pause) = match self.client.post(path, body.to_owned()).await.map(understand) {
                Ok(Meaning::Later(why, pause)) => (why, pause),
                Ok(meaning) => {
                    // Who asks anew again and again waits longer and longer.
                    if meaning != Meaning::Over {
                        self.backoff.reset();
                    }
                    return meaning;
                }
                Err(error) => (error.to_string(), None),
            };
            let wait = match pause {
                // All of a fleet were told the same.
                Some(pause) => self.backoff.around(pause),
                None => self.backoff(),
            };
            self.wait(wait, Some(&why)).await;
        }
    }

    /// The wait after something that did not work.
    fn backoff(&mut self) -> Duration {
        self.backoff.next().max(Duration::from_secs(1))
    }

    async fn wait(&mut self, wait: Duration, why: Option<&str>) {
        (self.progress)(Progress::Wait(wait, why));
        self.clock.until(self.clock.elapsed() + wait).await;
    }
}

impl Codes {
    fn read(body: &[u8]) -> Option<Self> {
        let codes: Self = serde_json::from_slice(body).ok()?;
        let shown = [&codes.user_code, &codes.verification_uri, &codes.verification_uri_complete];
        // They go to a terminal.
        let is_plain =
            |text: &&String| text.len() <= 2_000 && text.bytes().all(|byte| byte.is_ascii_graphic());
        shown.iter().all(is_plain).then_some(codes)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.clamp(1, SLOWEST_S))
    }

    /// The code in large letters with what to do about it, and for a terminal as a QR code too.
    pub fn show(&self, is_terminal: bool) -> String {
        let mut text = String::new();
        if is_terminal && let Some(qr) = screen::qr(&self.verification_uri_complete) {
            text.push_str(&qr);
        }
        let _ = write!(text, "\n{}\n", screen::large(&self.user_code));
        let minutes = self.expires_in.div_ceil(60);
        let _ = writeln!(text, "Code {} at {}, within {minutes} min", self.user_code, self.verification_uri);
        text
    }
}

/// The request as JSON.
fn request(config: &EnrolmentConfig, draft: Option<&Draft>) -> Result<String, EnrolmentError> {
    let claim_key = match &config.claim_key_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|source| EnrolmentError::ClaimKey { path: path.clone(), source })?;
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let root = Path::new("/");
    let request = Request {
        kind: config.kind,
        serial: config.serial.clone().or_else(|| serial::serial_number(root)),
        model: serial::model(root),
        csr: draft.map(Draft::request).transpose()?,
        claim_key,
    };
    serde_json::to_string(&request).map_err(|_| EnrolmentError::Unreadable)
}

fn credentials(given: Given, draft: Option<&Draft>) -> Result<(DeviceId, Credentials), EnrolmentError> {
    let credentials = match (draft, given.secret, given.certificate, given.authority) {
        (None, Some(secret), None, _) if secret.is_presentable() => Credentials::Secret(secret),
        (Some(draft), None, Some(certificate), Some(authority)) => {
            Credentials::Certificate(draft.signed(&certificate, &authority)?)
        }
        _ => return Err(EnrolmentError::Unreadable),
    };
    Ok((given.device, credentials))
}
