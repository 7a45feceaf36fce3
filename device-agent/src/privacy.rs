//! Pseudonyms at the edge: identifiers are replaced before they are written or sent, with a key of the desired twin.
//!
//! The part `privacy` of the desired twin is `{"key":"…","identifiers":"addresses"}`: 32 random bytes in base64url without
//! padding, and what is replaced. All receivers of a venue have the same key, so they call the same sender by the same
//! name; whoever has not the key cannot tell whose name it is. Without the part, identifiers are sent as they are.
//!
//! | heard | sent |
//! |---|---|
//! | a fixed `ble:` address, or `app:` | `app:` and 22 characters |
//! | a private random `ble:~` address | another such address: it must stay one that is never counted as a visit |
//! | `ibeacon:`, `eddystone:`, `altbeacon:` | as it is; with `"identifiers":"all"`, `app:` and 22 characters |
//! | `eid:` | as it is: it is a pseudonym already, and only the platform can resolve it |
//!
//! The key is kept on the disk, so that nothing goes out under its own name after a restart without a network. It is
//! never logged and never reported: the reported part `privacy` says whether there is one, and its fingerprint.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{Desired, Identifier};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{error, info, warn};

use crate::config::{PrivacyConfig, Pseudonyms};
use crate::durable::replace_secret;
use crate::scan::Heard;

/// What the fingerprint of a key is derived for (BLAKE3 specification, section 2.7).
const FINGERPRINT: &str = "promenade-agent 2026-11 fingerprint of a pseudonym key";

/// The name of the part of the twin.
pub const PART: &str = "privacy";

/// What identifiers are replaced, and how.
#[derive(Debug)]
pub struct Privacy {
    config: PrivacyConfig,
    path: PathBuf,
    order: Order,
    /// Advertisements that were forgotten as there is no key.
    withheld: u64,
    /// Whether something is to be reported.
    changed: bool,
}

/// What the twin asked for last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    version: u64,
    wanted: Option<Wanted>,
}

/// The part of the twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    key: Key,
    #[serde(default)]
    identifiers: Scope,
}

/// What is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Addresses,
    All,
}

/// A key, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
struct Key([u8; 32]);

impl Privacy {
    /// Takes up what the twin asked for before; a file that cannot be read is an error, as without its key identifiers
    /// would go out as they are.
    pub fn open(config: PrivacyConfig, dir: &Path) -> io::Result<Self> {
        let path = path(dir);
        let order = match fs::read(&path) {
            Ok(bytes) => {
                // What serde says of it would quote it.
                serde_json::from_slice(&bytes)
                    .map_err(|_| io::Error::other("it holds no key of pseudonyms"))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Order::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { config, path, order, withheld: 0, changed: true })
    }

    /// Takes in a desired twin. A part that cannot be read leaves everything as it is.
    ///
    /// What cannot be written is followed all the same, and only lost with a restart.
    pub fn desire(&mut self, desired: &Desired) {
        if desired.version < self.order.version {
            return;
        }
        let wanted = match desired.state.get(PART) {
            None | Some(Value::Null) => None,
            Some(part) => match Wanted::deserialize(part) {
                Ok(wanted) => Some(wanted),
                Err(_) => return warn!(version = desired.version, "the desired part `privacy` is none"),
            },
        };
        self.order.version = desired.version;
        if wanted == self.order.wanted {
            return;
        }
        let fingerprint = wanted.as_ref().map(|wanted| wanted.key.fingerprint());
        info!(version = desired.version, fingerprint, "pseudonyms are switched by the desired twin");
        self.order.wanted = wanted;
        self.changed = true;
        if let Err(error) = self.write() {
            error!(%error, "the key of pseudonyms cannot be written and would be lost with a restart");
        }
    }

    /// What is to be reported of an advertisement; nothing where pseudonyms are required and there is no key.
    pub fn hide(&mut self, heard: Heard) -> Option<Heard> {
        match &self.order.wanted {
            Some(wanted) => Some(Heard { id: wanted.replace(heard.id), ..heard }),
            None if self.config.pseudonyms == Pseudonyms::Required => {
                self.withheld += 1;
                None
            }
            None => Some(heard),
        }
    }

    /// Whether this identifier is reported as it is.
    pub fn is_clear(&self, id: &Identifier) -> bool {
        match &self.order.wanted {
            Some(wanted) => wanted.replace(id.clone()) == *id,
            None => self.config.pseudonyms != Pseudonyms::Required,
        }
    }

    /// How many advertisements were forgotten as there is no key.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// Whether the [report](Self::report) is another since this was asked last; at first it is.
    pub fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The part of the reported state: what is replaced, and the fingerprint of the key. Nulls take away what was said
    /// before.
    pub fn report(&self) -> Value {
        match &self.order.wanted {
            Some(wanted) => json!({
                "pseudonyms": true,
                "identifiers": wanted.identifiers,
                "fingerprint": wanted.key.fingerprint(),
            }),
            None => json!({"pseudonyms": false, "identifiers": null, "fingerprint": null}),
        }
    }

    fn write(&self) -> io::Result<()> {
        let dir = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
        replace_secret(dir, &self.path, &serde_json::to_vec(&self.order)?)
    }
}

impl Wanted {
    fn replace(&self, id: Identifier) -> Identifier {
        match id {
            Identifier::Eid(_) => id,
            Identifier::Ble { random: true, address } if id.is_transient() => {
                let hash = self.key.hash(&id);
                let mut other: [u8; 6] = std::array::from_fn(|n| hash[n]);
                // Resolvable or not: what kind of private address it is stays as it was.
                other[0] = other[0] & 0x3f | address[0] & 0xc0;
                Identifier::Ble { random: true, address: other }
            }
            Identifier::Ble { .. } | Identifier::App(_) => self.key.pseudonym(&id),
            Identifier::IBeacon { .. } | Identifier::Eddystone { .. } | Identifier::AltBeacon(_) => {
                match self.identifiers {
                    Scope::Addresses => id,
                    Scope::All => self.key.pseudonym(&id),
                }
            }
        }
    }
}

impl Key {
    fn hash(&self, id: &Identifier) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, id.canonical(&mut [0; Identifier::MAX_LEN])).as_bytes()
    }

    /// `app:` and 128 bits of the keyed hash.
    fn pseudonym(&self, id: &Identifier) -> Identifier {
        Identifier::App(URL_SAFE_NO_PAD.encode(&self.hash(id)[..16]).into())
    }

    fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(&blake3::derive_key(FINGERPRINT, &self.0)[..6])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a key is 32 bytes in base64url");
        let text = String::deserialize(deserializer).map_err(|_| wrong())?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}

/// The file in this directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("privacy.json")
}

#[cfg(test)]
mod tests;
