//! What a key or token may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `venues:read`
    VenuesRead,
    /// `venues:write`
    VenuesWrite,
    /// `devices:read`
    DevicesRead,
    /// `devices:write`
    DevicesWrite,
    /// `commands:write`
    CommandsWrite,
    /// `analytics:read`
    AnalyticsRead,
    /// `stays:read`
    StaysRead,
    /// `movements:subscribe`
    MovementsSubscribe,
    /// `pings:write`
    PingsWrite,
    /// `me:data`: what there is about the person who gave it, and nothing of anybody else.
    MeData,
    /// `metrics:read`
    MetricsRead,
    /// `admin`
    Admin,
    /// `mqtt:publish:FILTER`: free topics that may be published to.
    MqttPublish(String),
    /// `mqtt:subscribe:FILTER`: free topics that may be subscribed to.
    MqttSubscribe(String),
    /// `*`: every scope above except the `mqtt:` pair, whose topics somebody has to name.
    All,
}

/// A word that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no scope")]
pub struct ScopeError(String);

const WORDS: [(&str, Scope); 13] = [
    ("venues:read", Scope::VenuesRead),
    ("venues:write", Scope::VenuesWrite),
    ("devices:read", Scope::DevicesRead),
    ("devices:write", Scope::DevicesWrite),
    ("commands:write", Scope::CommandsWrite),
    ("analytics:read", Scope::AnalyticsRead),
    ("stays:read", Scope::StaysRead),
    ("movements:subscribe", Scope::MovementsSubscribe),
    ("pings:write", Scope::PingsWrite),
    ("me:data", Scope::MeData),
    ("metrics:read", Scope::MetricsRead),
    ("admin", Scope::Admin),
    ("*", Scope::All),
];
const PUBLISH: &str = "mqtt:publish:";
const SUBSCRIBE: &str = "mqtt:subscribe:";

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if let Some((_, scope)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(scope.clone());
        }
        let filter = |prefix| text.strip_prefix(prefix).filter(|filter| is_filter(filter)).map(str::to_owned);
        filter(PUBLISH)
            .map(Self::MqttPublish)
            .or_else(|| filter(SUBSCRIBE).map(Self::MqttSubscribe))
            .ok_or_else(|| ScopeError(text.to_owned()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MqttPublish(filter) => write!(f, "{PUBLISH}{filter}"),
            Self::MqttSubscribe(filter) => write!(f, "{SUBSCRIBE}{filter}"),
            word => f.write_str(WORDS.iter().find(|(_, scope)| scope == word).map_or("", |(word, _)| word)),
        }
    }
}

/// Whether it is an MQTT topic filter (MQTT 5.0 section 4.7) without white space, which separates scopes in tokens.
fn is_filter(text: &str) -> bool {
    let levels = text.split('/').count();
    // In the configuration a `!` leaves topics out of a filter, which no scope does.
    !text.is_empty()
        && !text.starts_with('!')
        && text.len() <= 256
        && !text.contains(|character: char| character.is_whitespace() || character.is_control())
        && text.split('/').enumerate().all(|(index, level)| match level {
            "#" => index + 1 == levels,
            "+" => true,
            level => !level.contains(['#', '+']),
        })
}

/// The scopes of one key, sorted and each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Whether `scope` is granted, by name or through `*`. A filter is granted only by the very same filter.
    pub fn allows(&self, scope: &Scope) -> bool {
        let named = self.0.binary_search(scope).is_ok();
        let free_topics = matches!(scope, Scope::MqttPublish(_) | Scope::MqttSubscribe(_));
        named || (!free_topics && self.0.binary_search(&Scope::All).is_ok())
    }

    /// Whether everything that `other` grants is granted here too: who makes a key cannot give more than they have.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.allows(scope))
    }

    /// The filters of free topics that may be published to.
    pub fn publish_filters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|scope| match scope {
            Scope::MqttPublish(filter) => Some(filter.as_str()),
            _ => None,
        })
    }

    /// The filters of free topics that may be subscribed to.
    pub fn subscribe_filters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|scope| match scope {
            Scope::MqttSubscribe(filter) => Some(filter.as_str()),
            _ => None,
        })
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// Scopes separated by white space, as in OAuth (RFC 6749 section 3.3).
impl FromStr for ScopeSet {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        text.split_whitespace().map(str::parse).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

/// A list of words.
impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Scope::to_string))
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.iter().map(|word| word.parse().map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_parses_to_what_prints_it() {
        for (word, scope) in &WORDS {
            assert_eq!(word.parse(), Ok(scope.clone()));
            assert_eq!(scope.to_string(), *word);
        }
        for word in ["mqtt:publish:a/b", "mqtt:subscribe:#", "mqtt:subscribe:a/+/b"] {
            assert_eq!(word.parse::<Scope>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for word in [
            "",
            "venues",
            "Venues:read",
            "mqtt:publish:",
            "mqtt:publish:a/#/b",
            "mqtt:publish:a+",
            "mqtt:subscribe:!a/#",
            "mqtt:publish:a\tb",
        ] {
            assert_eq!(word.parse::<Scope>(), Err(ScopeError(word.into())), "{word}");
        }
    }

    #[test]
    fn a_set_grants_what_it_names() {
        let set: ScopeSet = "stays:read venues:read mqtt:publish:a/#".parse().unwrap();
        assert!(set.allows(&Scope::StaysRead));
        assert!(!set.allows(&Scope::Admin));
        assert!(set.allows(&Scope::MqttPublish("a/#".into())));
        assert!(!set.allows(&Scope::MqttPublish("a/b".into())));
        assert_eq!(set.publish_filters().collect::<Vec<_>>(), ["a/#"]);
        assert_eq!(set.subscribe_filters().count(), 0);
    }

    #[test]
    fn the_star_grants_all_but_unnamed_topics() {
        let all = ScopeSet::from_iter([Scope::All]);
        assert!(all.covers(&"admin stays:read *".parse().unwrap()));
        assert!(!all.covers(&"mqtt:publish:#".parse().unwrap()));
        assert!(!ScopeSet::from_iter([Scope::Admin]).covers(&all));
    }

    #[test]
    fn sets_are_sorted_and_print_what_parses() {
        let set: ScopeSet = "admin venues:read admin".parse().unwrap();
        assert_eq!(set.to_string(), "venues:read admin");
        assert_eq!(set.to_string().parse(), Ok(set.clone()));
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["venues:read","admin"]"#);
        assert_eq!(serde_json::from_str::<ScopeSet>(r#"["admin","venues:read"]"#).unwrap(), set);
    }
}
