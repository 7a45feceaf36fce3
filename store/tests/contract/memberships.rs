use store::{BuiltInRole, NewInvitation, Page, Role, Scope, ScopeSet, StoreError};

use crate::engines::each_engine;
use crate::people::{ANALYST, OWNER, Town, minutes};
use crate::shop::NOON;

#[test]
fn roles_are_sets_of_scopes() {
    let scopes = |role: BuiltInRole| role.scopes().to_string();
    assert_eq!(scopes(BuiltInRole::Owner), "*");
    assert_eq!(
        scopes(BuiltInRole::Admin),
        "venues:read venues:write devices:read devices:write commands:write analytics:read stays:read \
         movements:subscribe pings:write metrics:read admin"
    );
    assert_eq!(scopes(BuiltInRole::Analyst), "venues:read analytics:read stays:read movements:subscribe");
    assert_eq!(
        scopes(BuiltInRole::Operator),
        "venues:read devices:read devices:write commands:write analytics:read movements:subscribe metrics:read"
    );
    assert_eq!(scopes(BuiltInRole::Installer), "venues:read devices:read devices:write");
    for role in BuiltInRole::ALL {
        assert_eq!(role.to_string().parse(), Ok(*role));
        assert!(BuiltInRole::Owner.scopes().covers(&role.scopes()));
    }
    assert!(!BuiltInRole::Admin.scopes().allows(&Scope::All));
    assert!("Owner".parse::<BuiltInRole>().is_err());
}

#[tokio::test]
async fn a_member_may_do_what_the_role_allows() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (organization, other) = (town.organization, town.other);
        store.add_member(organization, town.ben, ANALYST, minutes(1)).await.unwrap();
        let again = store.add_member(organization, town.ben, OWNER, minutes(1)).await;
        assert!(matches!(again, Err(StoreError::Conflict("member"))), "{again:?}");
        let ben = store.membership(organization, town.ben).await.unwrap().unwrap();
        assert_eq!(
            (ben.role, &ben.scopes, ben.created_at),
            (ANALYST, &BuiltInRole::Analyst.scopes(), minutes(1))
        );
        assert_eq!(store.membership(other, town.ben).await.unwrap(), None);
        assert_eq!(store.memberships(town.ben).await.unwrap(), [ben]);
        let first = store.members(organization, Page::first(1)).await.unwrap();
        assert_eq!(first.items[0].email, "ada@example.org");
        let rest = store.members(organization, Page { cursor: first.next, limit: 1 }).await.unwrap();
        assert_eq!((rest.items[0].membership.account, rest.next), (town.ben, None));
        assert!(store.members(other, Page::first(9)).await.unwrap().items.is_empty());
        let meanwhile = store.change_member(organization, town.ben, Some(OWNER), ANALYST).await;
        assert!(matches!(meanwhile, Err(StoreError::Conflict("role"))), "somebody else was faster");
        let meanwhile = store.remove_member(organization, town.ben, Some(OWNER), NOON).await;
        assert!(matches!(meanwhile, Err(StoreError::Conflict("role"))));
        store.change_member(organization, town.ben, Some(ANALYST), OWNER).await.unwrap();
        assert!(matches!(store.change_member(other, town.ben, None, OWNER).await, Err(StoreError::NotFound)));
        assert!(matches!(store.remove_member(other, town.ben, None, NOON).await, Err(StoreError::NotFound)));
        let grant = town.grant(&store, town.server).await;
        store.remove_member(organization, town.ada, None, NOON).await.unwrap();
        assert_eq!(store.membership(organization, town.ada).await.unwrap(), None);
        assert!(store.grant(organization, grant).await.unwrap().revoked.is_some());
    })
    .await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let organization = town.organization;
        let demoted = store.change_member(organization, town.ada, None, ANALYST).await;
        assert!(matches!(demoted, Err(StoreError::Conflict("owner"))), "{demoted:?}");
        let removed = store.remove_member(organization, town.ada, None, NOON).await;
        assert!(matches!(removed, Err(StoreError::Conflict("owner"))), "{removed:?}");
        store.change_member(organization, town.ada, None, OWNER).await.unwrap();
        // One who may not sign in is none.
        store.add_member(organization, town.ben, OWNER, NOON).await.unwrap();
        store.disable_account(town.ben, NOON).await.unwrap();
        let removed = store.remove_member(organization, town.ada, None, NOON).await;
        assert!(matches!(removed, Err(StoreError::Conflict("owner"))), "{removed:?}");
        store.change_member(organization, town.ben, None, ANALYST).await.unwrap();
        store.enable_account(town.ben).await.unwrap();
        store.change_member(organization, town.ben, None, OWNER).await.unwrap();
        // Of two owners who leave at once, one stays.
        let (one, two) = tokio::join!(
            store.remove_member(organization, town.ada, None, NOON),
            store.change_member(organization, town.ben, None, ANALYST)
        );
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
        assert!(matches!(refused[..], [StoreError::Conflict("owner")]), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn an_organization_makes_roles() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (organization, other) = (town.organization, town.other);
        let scopes: ScopeSet = "venues:read mqtt:subscribe:a/#".parse().unwrap();
        let role = store.create_role(organization, "Cleaner", &scopes, NOON).await.unwrap();
        for taken in ["Cleaner", "Owner", "admin"] {
            let made = store.create_role(organization, taken, &scopes, NOON).await;
            assert!(matches!(made, Err(StoreError::Conflict("name"))), "{taken}");
        }
        store.create_role(other, "Cleaner", &scopes, NOON).await.unwrap();
        assert_eq!(store.roles(organization).await.unwrap(), std::slice::from_ref(&role));
        assert_eq!(store.role(organization, role.id).await.unwrap(), role);
        assert!(matches!(store.role(other, role.id).await, Err(StoreError::NotFound)));
        let custom = Role::Custom(role.id);
        let foreign = store.add_member(other, town.ben, custom, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
        store.add_member(organization, town.ben, custom, NOON).await.unwrap();
        assert_eq!(store.membership(organization, town.ben).await.unwrap().unwrap().scopes, scopes);
        let fewer: ScopeSet = "venues:read".parse().unwrap();
        let foreign = store.change_role(other, role.id, "Cleaners", &fewer).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.change_role(organization, role.id, "Cleaners", &fewer).await.unwrap();
        assert_eq!(store.membership(organization, town.ben).await.unwrap().unwrap().scopes, fewer);
        let held = store.delete_role(organization, role.id).await;
        assert!(matches!(held, Err(StoreError::Conflict("members"))), "{held:?}");
        assert!(matches!(store.delete_role(other, role.id).await, Err(StoreError::NotFound)));
        store.invite(organization, &invitation(custom), NOON).await.unwrap();
        store.change_member(organization, town.ben, None, ANALYST).await.unwrap();
        store.delete_role(organization, role.id).await.unwrap();
        assert_eq!(store.roles(organization).await.unwrap(), []);
        let left = store.invitations(organization, Page::first(9), NOON).await.unwrap();
        assert!(left.items.is_empty());
        assert!(matches!(store.delete_role(organization, role.id).await, Err(StoreError::NotFound)));
    })
    .await;
}

fn invitation(role: Role) -> NewInvitation {
    NewInvitation { email: "ben@example.org".into(), role, invited_by: None, expires_at: minutes(60) }
}

#[tokio::test]
async fn an_invitation_is_accepted_once() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (organization, other) = (town.organization, town.other);
        let new = NewInvitation { invited_by: Some(town.ada), ..invitation(ANALYST) };
        let (invited, secret) = store.invite(organization, &new, NOON).await.unwrap();
        let text = secret.text();
        assert!(text.starts_with("in_"));
        assert_eq!(store.invitation(&text, NOON).await.unwrap(), Some(invited.clone()));
        assert_eq!(store.invitation(&text, minutes(60)).await.unwrap(), None);
        let listed = store.invitations(organization, Page::first(9), NOON).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&invited));
        assert!(store.invitations(other, Page::first(9), NOON).await.unwrap().items.is_empty());
        // Whoever is a member leaves it for another.
        let member = store.accept_invitation(&text, town.ada, NOON).await;
        assert!(matches!(member, Err(StoreError::Conflict("member"))), "{member:?}");
        assert_eq!(store.accept_invitation(&text, town.ben, minutes(60)).await.unwrap(), None);
        let eve = crate::people::person(&store, "eve@example.org").await.id;
        let (one, two) = tokio::join!(
            store.accept_invitation(&text, town.ben, NOON),
            store.accept_invitation(&text, eve, NOON)
        );
        let accepted: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(accepted, [invited]);
        assert_eq!(store.members(organization, Page::first(9)).await.unwrap().items.len(), 2);
        assert_eq!(store.invitation(&text, NOON).await.unwrap(), None);
        let (back, secret) = store.invite(organization, &new, NOON).await.unwrap();
        assert!(matches!(store.delete_invitation(other, back.id).await, Err(StoreError::NotFound)));
        assert_eq!(store.open_invitation(organization, back.id).await.unwrap(), back);
        let of_another = store.open_invitation(other, back.id).await;
        assert!(matches!(of_another, Err(StoreError::NotFound)));
        store.delete_invitation(organization, back.id).await.unwrap();
        assert!(matches!(store.open_invitation(organization, back.id).await, Err(StoreError::NotFound)));
        assert_eq!(store.accept_invitation(&secret.text(), eve, NOON).await.unwrap(), None);
        let bad = NewInvitation { email: "nobody".into(), ..new };
        assert!(matches!(store.invite(organization, &bad, NOON).await, Err(StoreError::Invalid(_))));
    })
    .await;
}
