use protocol::GrantId;
use store::{
    BuiltInRole, ClientKind, ClientSettings, GrantType, NewGrant, Page, Party, RevokedWhy, Role, StoreError,
};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::people::{ANALYST, Town, minutes, settings};
use crate::shop::NOON;

#[tokio::test]
async fn a_client_keeps_its_settings_and_its_secret() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (organization, other) = (town.organization, town.other);
        let google = ClientSettings { party: Some(Party::Google), ..settings("Google") };
        let (client, secret) =
            store.create_client(organization, ClientKind::Assistant, &google, NOON).await.unwrap();
        let text = secret.unwrap().text();
        assert!(text.starts_with("cs_"));
        assert_eq!(store.client(client.id).await.unwrap(), Some(client.clone()));
        assert_eq!(store.sign_in_client(client.id, &text).await.unwrap(), Some(client.clone()));
        assert_eq!(store.sign_in_client(town.server, &text).await.unwrap(), None);
        assert_eq!(store.sign_in_client(client.id, "cs_x").await.unwrap(), None);
        let (_, none) =
            store.create_client(organization, ClientKind::Public, &settings("x"), NOON).await.unwrap();
        assert!(none.is_none());

        let changed = ClientSettings { logo: Some("https://x.example/y.png".into()), ..settings("Renamed") };
        let foreign = store.change_client(other, client.id, &changed).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.change_client(organization, client.id, &changed).await.unwrap();
        assert_eq!(store.client(client.id).await.unwrap().unwrap().settings, changed);

        let foreign = store.renew_client_secret(other, client.id).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let public = store.renew_client_secret(organization, town.phone).await;
        assert!(matches!(public, Err(StoreError::Conflict("kind"))));
        let renewed = store.renew_client_secret(organization, client.id).await.unwrap().text();
        assert_eq!(store.sign_in_client(client.id, &text).await.unwrap(), None);
        assert!(store.sign_in_client(client.id, &renewed).await.unwrap().is_some());

        assert!(matches!(store.disable_client(other, client.id, NOON).await, Err(StoreError::NotFound)));
        store.disable_client(organization, client.id, minutes(1)).await.unwrap();
        store.disable_client(organization, client.id, minutes(2)).await.unwrap();
        assert_eq!(store.client(client.id).await.unwrap().unwrap().disabled_at, Some(minutes(1)));
        assert_eq!(store.sign_in_client(client.id, &renewed).await.unwrap(), None);
        assert!(matches!(store.enable_client(other, client.id).await, Err(StoreError::NotFound)));
        store.enable_client(organization, client.id).await.unwrap();
        assert!(store.sign_in_client(client.id, &renewed).await.unwrap().is_some());

        let listed = store.clients(organization, Page::first(9)).await.unwrap();
        assert_eq!(listed.items.len(), 4);
        assert!(store.clients(other, Page::first(9)).await.unwrap().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn settings_that_contradict_the_kind_are_refused() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let credentials = vec![GrantType::ClientCredentials];
        for bad in [
            ClientSettings { name: String::new(), ..settings("x") },
            ClientSettings { party: Some(Party::Amazon), ..settings("x") },
            ClientSettings { grants: credentials, ..settings("x") },
            ClientSettings { redirect_uris: vec![String::new()], ..settings("x") },
            ClientSettings { resources: vec!["https://x.example".into(); 51], ..settings("x") },
        ] {
            let made = store.create_client(organization, ClientKind::Public, &bad, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{bad:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_grant_is_its_organizations_and_its_accounts() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (organization, other) = (town.organization, town.other);
        let new = NewGrant {
            client: town.server,
            account: Some(town.ada),
            scopes: "openid".into(),
            resource: Some("https://api.example".into()),
        };
        let foreign = store.create_grant(other, &new, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let grant = store.create_grant(organization, &new, NOON).await.unwrap();
        assert_eq!(store.grant(organization, grant.id).await.unwrap(), grant);
        assert!(matches!(store.grant(other, grant.id).await, Err(StoreError::NotFound)));
        assert_eq!(store.find_grant(town.server, town.ada).await.unwrap(), Some(grant.clone()));
        assert_eq!(store.find_grant(town.server, town.ben).await.unwrap(), None);
        assert_eq!(store.grants_of(town.ada).await.unwrap(), std::slice::from_ref(&grant));
        assert_eq!(store.grants_of(town.ben).await.unwrap(), []);
        let of_client = NewGrant { account: None, ..new.clone() };
        let of_itself = async |resource| store.find_own_grant(town.server, resource).await.unwrap();
        assert_eq!(of_itself("https://api.example").await, None, "what a person allowed is another matter");
        let own = store.create_grant(organization, &of_client, minutes(1)).await.unwrap();
        assert_eq!(of_itself("https://api.example").await, Some(own));
        assert_eq!(of_itself("https://other.example").await, None);
        assert_eq!(store.find_own_grant(town.phone, "https://api.example").await.unwrap(), None);
        assert_eq!(store.grants(organization, Page::first(9)).await.unwrap().items.len(), 2);
        assert!(store.grants(other, Page::first(9)).await.unwrap().items.is_empty());

        let foreign = store.widen_grant(other, grant.id, "openid email", None).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.widen_grant(organization, grant.id, "openid email", None).await.unwrap();
        for at in [minutes(1), minutes(1).plus(59_999)] {
            store.grants_used(&[(grant.id, at)]).await.unwrap();
        }
        store.grant_failed(grant.id, &"é\0".repeat(400), minutes(3)).await.unwrap();
        let used = store.grant(organization, grant.id).await.unwrap();
        assert_eq!((used.scopes.as_str(), used.resource), ("openid email", None));
        assert_eq!(used.last_used_at, Some(minutes(1)));
        assert_eq!(used.last_error, Some(("é".repeat(300), minutes(3))));
        store.grants_used(&[(grant.id, minutes(2))]).await.unwrap();
        assert_eq!(store.grant(organization, grant.id).await.unwrap().last_used_at, Some(minutes(2)));

        assert!(matches!(store.unlink(town.ben, grant.id, NOON).await, Err(StoreError::NotFound)));
        let foreign = store.revoke_grant(other, grant.id, RevokedWhy::Unlinked, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.unlink(town.ada, grant.id, minutes(5)).await.unwrap();
        store.revoke_grant(organization, grant.id, RevokedWhy::TokenRevoked, minutes(6)).await.unwrap();
        let revoked = store.grant(organization, grant.id).await.unwrap().revoked;
        assert_eq!(revoked, Some((minutes(5), RevokedWhy::Unlinked)));
        assert_eq!(store.grants_of(town.ada).await.unwrap(), []);
        assert_eq!(store.find_grant(town.server, town.ada).await.unwrap(), None);
        let dead = store.widen_grant(organization, grant.id, "x", None).await;
        assert!(matches!(dead, Err(StoreError::NotFound)));
        store.disable_client(organization, town.server, NOON).await.unwrap();
        assert!(matches!(store.create_grant(organization, &new, NOON).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn with_a_client_ends_all_that_it_was_allowed() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (grant, token) = town.refresh_token(&store, town.server).await;
        let (ended, kept) = (town.grant(&store, town.server).await, town.grant(&store, town.phone).await);
        store.unlink(town.ada, ended, NOON).await.unwrap();
        let foreign = store.revoke_grants_of_client(town.other, town.server, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let revoked =
            store.revoke_grants_of_client(town.organization, town.server, minutes(1)).await.unwrap();
        assert_eq!(revoked, [grant]);
        let revoked = async |grant| store.grant(town.organization, grant).await.unwrap().revoked;
        assert_eq!(revoked(grant).await, Some((minutes(1), RevokedWhy::ClientDisabled)));
        assert_eq!(revoked(ended).await, Some((NOON, RevokedWhy::Unlinked)));
        assert_eq!(revoked(kept).await, None);
        assert!(store.find_refresh_token(town.server, &token.text(), minutes(1)).await.unwrap().is_none());
        let again = store.revoke_grants_of_client(town.organization, town.server, minutes(2)).await.unwrap();
        assert!(again.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_standing_says_what_a_token_is_worth() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let organization = town.organization;
        let grant = town.grant(&store, town.phone).await;
        let standing = async || store.grant_standing(grant).await.unwrap().unwrap();
        let first = standing().await;
        assert!(first.is_good() && first.grant.id == grant);
        assert_eq!(first.role, Some(BuiltInRole::Owner.scopes()));
        store.disable_account(town.ada, NOON).await.unwrap();
        assert!(standing().await.account_disabled && !standing().await.is_good());
        store.enable_account(town.ada).await.unwrap();
        store.disable_client(organization, town.phone, NOON).await.unwrap();
        assert!(standing().await.client_disabled && !standing().await.is_good());
        store.enable_client(organization, town.phone).await.unwrap();

        assert_eq!(standing().await.client_scopes, ["openid", "venues:read"]);
        let mut narrow = settings("Phone");
        narrow.scopes = vec!["openid".into()];
        store.change_client(organization, town.phone, &narrow).await.unwrap();
        assert_eq!(standing().await.client_scopes, ["openid"]);

        let scopes = "stays:read".parse().unwrap();
        let role = store.create_role(organization, "Own", &scopes, NOON).await.unwrap().id;
        store.add_member(organization, town.ben, Role::Custom(role), NOON).await.unwrap();
        let new =
            NewGrant { client: town.phone, account: Some(town.ben), scopes: "x".into(), resource: None };
        let of_ben = store.create_grant(organization, &new, NOON).await.unwrap().id;
        assert_eq!(store.grant_standing(of_ben).await.unwrap().unwrap().role, Some(scopes));
        store.change_member(organization, town.ben, None, ANALYST).await.unwrap();
        let standing = store.grant_standing(of_ben).await.unwrap().unwrap();
        assert_eq!(standing.role, Some(BuiltInRole::Analyst.scopes()));
        store.remove_member(organization, town.ben, None, minutes(1)).await.unwrap();
        let standing = store.grant_standing(of_ben).await.unwrap().unwrap();
        assert_eq!(standing.role, None);
        assert_eq!(standing.grant.revoked, Some((minutes(1), RevokedWhy::MemberRemoved)));
        assert_eq!(store.grant_standing(GrantId::from_uuid(Uuid::nil())).await.unwrap(), None);
    })
    .await;
}
