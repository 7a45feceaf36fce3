//! What people are asked to agree to: purposes, each with a text that has a version.

use std::collections::BTreeMap;

use protocol::{AccountId, OrganizationId};
use serde::Deserialize;
use store::{Change, Consent, PRESENCE, StoreError};

use crate::Identity;

/// The purposes by their ids. [`PRESENCE`] is always among them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Purpose>")]
pub struct Purposes(BTreeMap<String, Purpose>);

/// A purpose, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// In a few words.
    pub title: String,
    /// What exactly is agreed to, in plain text.
    pub text: String,
    /// The version of the text. Whoever agreed to another one is to be asked again.
    pub version: String,
}

/// A purpose as it stands with a person.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is asked.
    pub purpose: &'a Purpose,
    /// The newest consent that was not taken back.
    pub given: Option<&'a Consent>,
}

impl Asked<'_> {
    /// Whether the person agreed to the text as it is today.
    pub fn holds(&self) -> bool {
        self.given.is_some_and(|given| given.version == self.purpose.version)
    }
}

/// What is agreed to where the configuration says nothing else.
const PRESENCE_TITLE: &str = "Count my visits";
const PRESENCE_TEXT: &str = "This phone may report which beacons it hears. From that we work out when it was in which place, under a \
    pseudonym, and count visits. Your name and address are not used for it. You can take this back at any time: from then on nothing more \
    is taken from your phones.";

impl Purposes {
    /// The purpose of an id.
    pub fn get(&self, id: &str) -> Option<&Purpose> {
        self.0.get(id)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Purpose)> {
        self.0.iter().map(|(id, purpose)| (id.as_str(), purpose))
    }

    /// Each purpose with the newest consent to it, of those that a person gave an organization, that was not taken back.
    pub fn asked<'a>(
        &'a self,
        organization: OrganizationId,
        given: &'a [Consent],
    ) -> impl Iterator<Item = Asked<'a>> {
        self.iter().map(move |(id, purpose)| {
            let here = given.iter().filter(move |one| one.organization == organization && one.purpose == id);
            let of_it = here.filter(|one| one.withdrawn_at.is_none());
            Asked { id, purpose, given: of_it.max_by_key(|one| one.given_at) }
        })
    }

    /// The version of the text without which no phone is counted.
    pub fn presence_version(&self) -> &str {
        self.0.get(PRESENCE).map_or("", |purpose| &purpose.version)
    }

    /// Names the first purpose that cannot be used, and why.
    pub(crate) fn validate(&self) -> Result<(), String> {
        for (id, Purpose { title, text, version }) in &self.0 {
            let is_word =
                |character: char| character.is_ascii_lowercase() || "_0123456789".contains(character);
            if id.is_empty() || id.len() > 100 || !id.chars().all(is_word) {
                return Err(format!("identity.purposes: `{id}` is no name: use a to z, 0 to 9 and _"));
            }
            let bounds = [("title", title, 100), ("text", text, 10_000), ("version", version, 100)];
            for (name, value, most) in bounds {
                if value.trim().is_empty() || value.chars().count() > most || value.contains('\0') {
                    return Err(format!("identity.purposes.{id}.{name}: must have 1 to {most} characters"));
                }
            }
        }
        Ok(())
    }
}

impl Default for Purposes {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl From<BTreeMap<String, Purpose>> for Purposes {
    fn from(mut purposes: BTreeMap<String, Purpose>) -> Self {
        purposes.entry(PRESENCE.to_owned()).or_insert_with(|| Purpose {
            title: PRESENCE_TITLE.to_owned(),
            text: PRESENCE_TEXT.to_owned(),
            version: "1".to_owned(),
        });
        Self(purposes)
    }
}

impl Identity {
    /// Notes that a person agreed to the text of a purpose with an organization, and tells whoever takes pings of their phones.
    pub async fn agree(
        &self,
        organization: OrganizationId,
        account: AccountId,
        purpose: &str,
        version: &str,
    ) -> Result<(), StoreError> {
        self.store.give_consent(organization, account, purpose, version, self.clock.now()).await?;
        self.tell_of_phones(account).await
    }

    /// Notes that a person took their consent back, whatever the version, and tells whoever takes pings of their phones. Not found
    /// when none holds.
    pub async fn take_back(
        &self,
        organization: OrganizationId,
        account: AccountId,
        purpose: &str,
    ) -> Result<(), StoreError> {
        self.store.withdraw_consent(organization, account, purpose, self.clock.now()).await?;
        self.tell_of_phones(account).await
    }

    async fn tell_of_phones(&self, account: AccountId) -> Result<(), StoreError> {
        for phone in self.store.phones(account).await? {
            self.changed(Change::Device(phone.id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purposes(id: &str, version: &str) -> Purposes {
        let (title, text, version) = ("Offers".to_owned(), "Send me offers.".to_owned(), version.to_owned());
        BTreeMap::from([(id.to_owned(), Purpose { title, text, version })]).into()
    }

    #[test]
    fn presence_is_always_asked_for() {
        assert_eq!(Purposes::default().presence_version(), "1");
        let both = purposes("offers", "3");
        assert_eq!(both.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["offers", PRESENCE]);
        assert_eq!(purposes(PRESENCE, "2026-11").presence_version(), "2026-11");
        assert_eq!(both.validate(), Ok(()));
    }

    #[test]
    fn a_wrong_purpose_is_named() {
        assert!(purposes("My offers", "1").validate().unwrap_err().contains("`My offers`"));
        assert!(
            purposes("offers", " ").validate().unwrap_err().starts_with("identity.purposes.offers.version")
        );
    }
}
