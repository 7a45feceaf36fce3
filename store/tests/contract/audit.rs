use serde_json::json;
use store::{NewAuditEntry, Page, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};
use crate::shop::NOON;

#[tokio::test]
async fn what_happened_is_read_by_those_whom_it_concerns() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let entry = |what| NewAuditEntry {
            organization: None,
            account: Some(town.ada),
            what,
            detail: json!({"agent": "x"}),
            address: Some([192, 0, 2, 7].into()),
        };
        for (number, what) in (0..).zip(["signed_in", "password_changed", "signed_out"]) {
            store.record_audit(&entry(what), NOON.plus(number)).await.unwrap();
        }
        let of_organization =
            NewAuditEntry { organization: Some(town.organization), account: None, ..entry("member_added") };
        store.record_audit(&of_organization, minutes(1)).await.unwrap();

        let first = store.audit_of_account(town.ada, Page::first(2)).await.unwrap();
        let words = |entries: &[store::AuditEntry]| {
            entries.iter().map(|entry| entry.what.clone()).collect::<Vec<_>>()
        };
        assert_eq!(words(&first.items), ["signed_out", "password_changed"]);
        let rest = store.audit_of_account(town.ada, Page { cursor: first.next, limit: 2 }).await.unwrap();
        assert_eq!((words(&rest.items), rest.next), (vec!["signed_in".into()], None));
        let entry_read = &rest.items[0];
        assert_eq!((entry_read.at, &entry_read.detail), (NOON, &json!({"agent": "x"})));
        assert_eq!(entry_read.address.as_deref(), Some("192.0.2.7"));
        assert!(store.audit_of_account(town.ben, Page::first(9)).await.unwrap().items.is_empty());
        let ours = store.audit_of_organization(town.organization, Page::first(9)).await.unwrap();
        assert_eq!(words(&ours.items), ["member_added"]);
        assert!(store.audit_of_organization(town.other, Page::first(9)).await.unwrap().items.is_empty());
        let bad = NewAuditEntry { detail: json!(["\0"]), ..entry("x") };
        assert!(matches!(store.record_audit(&bad, NOON).await, Err(StoreError::Invalid(_))));
    })
    .await;
}
