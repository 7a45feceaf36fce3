//! What of the air is of interest: it may be changed while the scanner listens.

use protocol::Identifier;

use crate::config::Format;

/// What is reported of what is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    formats: Vec<Format>,
    /// In lower case, as identifiers are printed; empty for all.
    prefixes: Vec<String>,
    min_rssi: i8,
}

impl Interest {
    /// These formats, of identifiers that begin like one of these (all where there is none), heard at this level in dBm
    /// or stronger.
    pub fn new(formats: &[Format], prefixes: &[String], min_rssi: i8) -> Self {
        let prefixes = prefixes.iter().map(|prefix| prefix.to_lowercase()).collect();
        Self { formats: formats.to_vec(), prefixes, min_rssi }
    }

    /// Whether what is sent in that format is.
    pub fn wants(&self, format: Format) -> bool {
        self.formats.contains(&format)
    }

    /// Whether what that sender sends is.
    pub fn includes(&self, id: &Identifier) -> bool {
        if self.prefixes.is_empty() {
            return true;
        }
        let text = id.to_string();
        self.prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
    }

    /// Whether what is heard at that level, in dBm, is.
    pub fn reaches(&self, rssi: i8) -> bool {
        rssi >= self.min_rssi
    }
}
