//! People and applications to try things with, and an organization that must not see them.

use protocol::{AccountId, ClientId, GrantId, OrganizationId, Timestamp};
use store::{
    Account, Algorithm, BuiltInRole, ClientKind, ClientSettings, Code, GrantType, NewAccount, NewGrant, Role,
    Secret, Store,
};

use crate::shop::{MINUTE, NOON};

pub(crate) const OWNER: Role = Role::BuiltIn(BuiltInRole::Owner);
pub(crate) const ANALYST: Role = Role::BuiltIn(BuiltInRole::Analyst);

pub(crate) fn new_account(email: &str) -> NewAccount {
    NewAccount {
        email: email.into(),
        email_verified: false,
        name: "Somebody".into(),
        locale: Some("de-CH".into()),
        password: Some("$argon2id$old".into()),
    }
}

pub(crate) async fn person(store: &Store, email: &str) -> Account {
    store.create_account(&new_account(email), NOON).await.unwrap()
}

pub(crate) fn settings(name: &str) -> ClientSettings {
    ClientSettings {
        name: name.into(),
        logo: None,
        party: None,
        redirect_uris: vec!["https://app.example/back".into(), "app:/back".into()],
        post_logout_uris: vec![],
        backchannel_logout_uri: Some("https://app.example/out".into()),
        scopes: vec!["openid".into(), "venues:read".into()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        resources: vec![],
        id_token_algorithm: Algorithm::Rs256,
    }
}

/// Two people, a phone app and a server that want to be let in.
pub(crate) struct Town {
    pub(crate) organization: OrganizationId,
    pub(crate) other: OrganizationId,
    /// Owns the organization.
    pub(crate) ada: AccountId,
    /// Came after her and is in no organization.
    pub(crate) ben: AccountId,
    pub(crate) phone: ClientId,
    pub(crate) server: ClientId,
}

impl Town {
    pub(crate) async fn found(store: &Store) -> Self {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let other = store.create_organization("other", NOON).await.unwrap().id;
        let ada = person(store, "ada@example.org").await.id;
        let ben = store.create_account(&new_account("ben@example.org"), NOON.plus(1)).await.unwrap().id;
        store.add_member(organization, ada, OWNER, NOON).await.unwrap();
        let make = async |kind, name| {
            store.create_client(organization, kind, &settings(name), NOON).await.unwrap().0.id
        };
        let phone = make(ClientKind::Public, "Phone").await;
        let server = make(ClientKind::Assistant, "Server").await;
        Self { organization, other, ada, ben, phone, server }
    }

    pub(crate) async fn grant(&self, store: &Store, client: ClientId) -> GrantId {
        let new =
            NewGrant { client, account: Some(self.ada), scopes: "openid venues:read".into(), resource: None };
        store.create_grant(self.organization, &new, NOON).await.unwrap().id
    }

    pub(crate) async fn refresh_token(&self, store: &Store, client: ClientId) -> (GrantId, Secret) {
        let grant = self.grant(store, client).await;
        (grant, store.issue_refresh_token(grant, None, NOON).await.unwrap())
    }
}

pub(crate) fn code(client: ClientId, grant: GrantId) -> Code {
    Code {
        grant,
        client,
        redirect_uri: "app:/back".into(),
        scopes: "openid".into(),
        nonce: Some("n".into()),
        challenge: Some("c".into()),
        resource: None,
        authenticated_at: NOON.minus(MINUTE),
        browser_session: None,
        expires_at: NOON.plus(MINUTE),
    }
}

pub(crate) fn minutes(count: i64) -> Timestamp {
    NOON.plus(count * MINUTE)
}
