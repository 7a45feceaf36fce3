//! How a role is named: a built-in one by its word, one that the organization made by its id.

use std::fmt;
use std::str::FromStr;

use protocol::{OrganizationId, RoleId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::{BuiltInRole, Role, ScopeSet, StoreError};

use crate::App;
use crate::problem::{Mistake, Problem};

/// A role by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoleName(pub(crate) Role);

impl RoleName {
    /// What the role that a body gives allows; a mistake at `/role` when the organization has no such role.
    pub(crate) async fn given_scopes(
        self,
        app: &App,
        organization: OrganizationId,
    ) -> Result<ScopeSet, Problem> {
        match self.0 {
            Role::BuiltIn(role) => Ok(role.scopes()),
            Role::Custom(id) => match app.store.role(organization, id).await {
                Ok(role) => Ok(role.scopes),
                Err(StoreError::NotFound) => {
                    let detail = "is no role of this organization";
                    Err(Problem::invalid_body(vec![Mistake::at("/role", detail)]))
                }
                Err(error) => Err(error.into()),
            },
        }
    }
}

impl FromStr for RoleName {
    type Err = String;

    fn from_str(text: &str) -> Result<RoleName, String> {
        let built_in = text.parse::<BuiltInRole>().map(Role::BuiltIn).ok();
        let role = built_in.or_else(|| text.parse::<RoleId>().map(Role::Custom).ok());
        role.map(RoleName).ok_or_else(|| {
            let words: Vec<String> = BuiltInRole::ALL.iter().map(|role| format!("`{role}`")).collect();
            format!("must be {} or the id of a role", words.join(", "))
        })
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Role::BuiltIn(role) => role.fmt(f),
            Role::Custom(id) => id.fmt(f),
        }
    }
}

impl Serialize for RoleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RoleName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_what_they_parse_from() {
        for name in ["owner", "installer", "01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert_eq!(name.parse::<RoleName>().unwrap().to_string(), name);
        }
        for wrong in ["", "Owner", "chief", "01890a5d"] {
            assert!(wrong.parse::<RoleName>().is_err(), "{wrong}");
        }
    }
}
