//! What of a device a filter can name, and what each can be compared with.

use protocol::{ApplianceType, Capabilities, DeviceKind, VenueId, ZoneId};
use store::Side;

use super::lexer::Word;
use super::{Comparison, Literal};
use crate::instant::Instant;

/// Something of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Kind,
    Name,
    Venue,
    Zone,
    /// The type of its profile.
    Type,
    /// A capability of its profile: it has several.
    Capability,
    Connected,
    CreatedAt,
    UpdatedAt,
    /// A member of one side of its twin, by the names on the way there.
    Twin(Side, Vec<String>),
}

impl Field {
    /// Those that have a name of their own.
    const NAMED: [(&'static str, Field); 9] = [
        ("kind", Field::Kind),
        ("name", Field::Name),
        ("venue", Field::Venue),
        ("zone", Field::Zone),
        ("type", Field::Type),
        ("capability", Field::Capability),
        ("connected", Field::Connected),
        ("created_at", Field::CreatedAt),
        ("updated_at", Field::UpdatedAt),
    ];

    /// The field that a word names.
    pub(super) fn named(word: &Word) -> Option<Field> {
        let (first, path) = word.parts.split_first()?;
        if path.is_empty() {
            let (_, field) = Field::NAMED.into_iter().find(|(name, _)| name == first)?;
            return Some(field);
        }
        let side = [Side::Desired, Side::Reported].into_iter().find(|side| side.as_str() == first)?;
        Some(Field::Twin(side, path.to_vec()))
    }

    /// The names of all, in words.
    pub(super) fn documented() -> String {
        let names = Field::NAMED.map(|(name, _)| name);
        format!("{}, reported.… and desired.…", names.join(", "))
    }

    /// Its name; the parts of a path follow it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Field::Twin(side, _) => side.as_str(),
            other => Field::NAMED.iter().find(|(_, field)| field == other).map_or("", |(name, _)| *name),
        }
    }

    /// Whether it can be compared so.
    pub(super) fn takes(&self, comparison: Comparison) -> bool {
        match (self, comparison) {
            (_, Comparison::Equal | Comparison::NotEqual)
            | (Field::Twin(..), _)
            | (Field::Name, Comparison::Contains) => true,
            (Field::CreatedAt | Field::UpdatedAt, comparison) => comparison != Comparison::Contains,
            _ => false,
        }
    }

    /// How it can be compared, in words.
    pub(super) fn operators(&self) -> String {
        let taken = |comparison: &Comparison| self.takes(*comparison);
        let signs: Vec<_> =
            Comparison::ALL.into_iter().filter(taken).map(|taken| format!("`{}`", taken.as_str())).collect();
        format!("`exists` or an operator: {}", signs.join(" "))
    }

    /// What it can be compared with so, in words.
    pub(super) fn values(&self, comparison: Comparison) -> String {
        match self {
            Field::Kind => "a kind: beacon, gateway, kiosk, phone, tag or appliance".to_owned(),
            Field::Name => "a text in double quotes".to_owned(),
            Field::Venue | Field::Zone => "an id or `null`".to_owned(),
            Field::Type => "the type of a profile or `null`".to_owned(),
            Field::Capability => format!("a capability: {}", Capabilities::NAMES.join(", ")),
            Field::Connected => "`true` or `false`".to_owned(),
            Field::CreatedAt | Field::UpdatedAt => {
                "a time in RFC 3339, such as 2026-03-01T09:00:00Z".to_owned()
            }
            Field::Twin(..) => match comparison {
                Comparison::Equal | Comparison::NotEqual => {
                    "a text in double quotes, a number, `true`, `false` or `null`".to_owned()
                }
                Comparison::Contains => "a text in double quotes".to_owned(),
                _ => "a number or a text in double quotes".to_owned(),
            },
        }
    }

    /// A value as the field has it; none where it never could.
    pub(super) fn read(&self, comparison: Comparison, literal: Literal) -> Option<Literal> {
        let text = literal.as_text();
        let canonical = match (self, &literal) {
            (Field::Kind, _) => text?.parse::<DeviceKind>().ok()?.to_string(),
            (Field::Venue | Field::Zone | Field::Type, Literal::Null)
            | (Field::Connected, Literal::Bool(_)) => return Some(literal),
            (Field::Venue, _) => text?.parse::<VenueId>().ok()?.to_string(),
            (Field::Zone, _) => text?.parse::<ZoneId>().ok()?.to_string(),
            (Field::Type, _) => {
                let known: ApplianceType = serde_json::from_value(text?.into()).ok()?;
                type_name(known)
            }
            (Field::Capability, _) => text.filter(|text| Capabilities::NAMES.contains(text))?.to_owned(),
            (Field::Name, _) => text?.to_owned(),
            (Field::Connected, _) => return None,
            (Field::CreatedAt | Field::UpdatedAt, _) => {
                return Instant::parse(text?).ok().map(|at| Literal::At(at.0));
            }
            (Field::Twin(..), _) => return comparable(comparison, literal),
        };
        Some(Literal::Text(canonical))
    }
}

/// The word for a type.
pub(super) fn type_name(of: ApplianceType) -> String {
    serde_json::to_value(of).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A value that something of a twin can be compared with so.
fn comparable(comparison: Comparison, literal: Literal) -> Option<Literal> {
    let fits = match comparison {
        Comparison::Equal | Comparison::NotEqual => true,
        Comparison::Contains => matches!(literal, Literal::Text(_)),
        _ => matches!(literal, Literal::Text(_) | Literal::Number(_)),
    };
    fits.then_some(literal)
}
