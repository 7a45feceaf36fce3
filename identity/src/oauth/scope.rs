//! What a client asks for: parts of a person's identity, and permissions in an organization.

use std::collections::BTreeSet;
use std::fmt;

use store::{GrantStanding, Scope, ScopeSet};

/// A set of OAuth scopes (RFC 6749 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scopes {
    /// What is told about the person.
    pub(crate) identity: BTreeSet<IdentityScope>,
    /// What may be done in the organization.
    pub(crate) api: ScopeSet,
}

/// A scope about the person (`OpenID` Connect Core sections 5.4 and 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum IdentityScope {
    /// Who it is.
    OpenId,
    /// Their address.
    Email,
    /// Their name.
    Profile,
    /// To come back without them.
    OfflineAccess,
}

/// A word that is no scope of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownScope;

impl IdentityScope {
    pub(crate) const ALL: [Self; 4] = [Self::OpenId, Self::Email, Self::Profile, Self::OfflineAccess];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Email => "email",
            Self::Profile => "profile",
            Self::OfflineAccess => "offline_access",
        }
    }
}

impl Scopes {
    /// Reads scopes with spaces between them.
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownScope> {
        Self::of(text.split(' ').filter(|word| !word.is_empty()))
    }

    /// Reads a list of scopes.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownScope> {
        match Self::known_of(words) {
            (scopes, true) => Ok(scopes),
            (_, false) => Err(UnknownScope),
        }
    }

    /// Reads a list of scopes; answers whether this version knows all of them.
    fn known_of<'a>(words: impl IntoIterator<Item = &'a str>) -> (Self, bool) {
        let (mut identity, mut api, mut knows_all) = (BTreeSet::new(), Vec::new(), true);
        for word in words {
            match IdentityScope::ALL.into_iter().find(|scope| scope.as_str() == word) {
                Some(scope) => drop(identity.insert(scope)),
                None => match word.parse::<Scope>() {
                    Ok(scope) => api.push(scope),
                    Err(_) => knows_all = false,
                },
            }
        }
        (Self { identity, api: api.into_iter().collect() }, knows_all)
    }

    pub(crate) fn has(&self, scope: IdentityScope) -> bool {
        self.identity.contains(&scope)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.identity.is_empty() && self.api.is_empty()
    }

    /// Whether everything in `other` is in here too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.identity.is_superset(&other.identity) && self.api.covers(&other.api)
    }

    /// The scopes of both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            identity: self.identity.union(&other.identity).copied().collect(),
            api: self.api.iter().chain(&other.api).cloned().collect(),
        }
    }

    /// What of it counts today: what the client may still ask for and the person may still give away or, where a client acts
    /// for itself, what it was granted.
    pub(crate) fn worth(self, standing: &GrantStanding) -> Self {
        let (registered, _) = Self::known_of(standing.client_scopes.iter().map(String::as_str));
        let Self { identity, api } = self.within(Some(&registered.api));
        let asked = Self { identity: identity.intersection(&registered.identity).copied().collect(), api };
        if standing.grant.account.is_some() {
            return asked.of_person(standing.role.as_ref());
        }
        let (granted, _) = Self::known_of(standing.grant.scopes.split(' '));
        asked.within(Some(&granted.api))
    }

    /// What of it a person may give away whose role allows `role`: what [`Scopes::within`] says, and to speak for their own
    /// phones and for themselves, which needs no role.
    pub(crate) fn of_person(self, role: Option<&ScopeSet>) -> Self {
        let own = self.api.iter().filter(|scope| matches!(scope, Scope::PingsWrite | Scope::MeData));
        let own: Vec<Scope> = own.cloned().collect();
        let Self { identity, api } = self.within(role);
        Self { identity, api: api.iter().cloned().chain(own).collect() }
    }

    /// What of it anybody may give away who holds `role`. `*` stands for what the role allows, and without a
    /// role there is nothing to give but their own identity.
    pub(crate) fn within(self, role: Option<&ScopeSet>) -> Self {
        let Some(role) = role else { return Self { identity: self.identity, api: ScopeSet::default() } };
        let everything = self.api.allows(&Scope::All);
        let allowed = self.api.iter().filter(|scope| role.allows(scope));
        // The free topics of a role are named by nobody but the client.
        let of_role = role.iter().filter(|scope| everything && self.api.allows(scope));
        Self { identity: self.identity, api: allowed.chain(of_role).cloned().collect() }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = self.identity.iter().map(|scope| scope.as_str().to_owned());
        let words: Vec<String> = identity.chain(self.api.iter().map(Scope::to_string)).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn they_print_what_they_parse_from() {
        assert_eq!(scopes("venues:read  openid venues:read").to_string(), "openid venues:read");
        assert_eq!(Scopes::parse("openid phone"), Err(UnknownScope));
        assert!(scopes("").is_empty());
    }

    #[test]
    fn a_role_bounds_what_can_be_given_away() {
        let role: ScopeSet = "venues:read devices:read".parse().unwrap();
        let asked = scopes("openid venues:read commands:write");
        assert_eq!(asked.clone().within(Some(&role)), scopes("openid venues:read"));
        assert_eq!(asked.within(None), scopes("openid"));
        assert_eq!(scopes("*").within(Some(&role)), scopes("venues:read devices:read"));
        let owner: ScopeSet = "*".parse().unwrap();
        assert_eq!(scopes("*").within(Some(&owner)), scopes("*"));
        assert_eq!(scopes("stays:read").within(Some(&owner)), scopes("stays:read"));
        assert_eq!(scopes("mqtt:publish:#").within(Some(&owner)), scopes(""));
    }

    #[test]
    fn everybody_may_speak_for_themselves_and_their_own_phones() {
        let role: ScopeSet = "venues:read".parse().unwrap();
        let asked = scopes("openid pings:write me:data devices:read");
        assert_eq!(asked.clone().of_person(None), scopes("openid pings:write me:data"));
        assert_eq!(asked.clone().of_person(Some(&role)), scopes("openid pings:write me:data"));
        assert_eq!(asked.within(Some(&role)), scopes("openid"), "and a service may not");
    }

    #[test]
    fn covering_is_by_name_or_by_star() {
        assert!(scopes("openid *").covers(&scopes("openid admin")));
        assert!(!scopes("*").covers(&scopes("openid")));
        assert!(!scopes("openid").covers(&scopes("openid email")));
    }
}
