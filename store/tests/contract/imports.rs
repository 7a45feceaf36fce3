use protocol::DeviceKind::{Beacon, Gateway};
use store::{DeviceFilter, ImportFault, ImportField, MAX_IMPORT, NewDevice, Page, StoreError};

use crate::engines::each_engine;
use crate::shop::{NOON, Shop};

#[tokio::test]
async fn many_devices_are_made_together_or_not_at_all() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let identifier = |text: &str| Some(text.parse().unwrap());
        let names = async |organization| {
            let listed = store.devices(organization, DeviceFilter::default(), Page::first(50)).await.unwrap();
            listed.items.into_iter().map(|device| device.name).collect::<Vec<_>>()
        };
        let rows = [
            NewDevice {
                zone: Some(shop.entrance),
                position: Some([1.0, 2.0, 0.0]),
                ..NewDevice::new(Gateway, "A")
            },
            NewDevice { identifier: identifier("app:b"), ..NewDevice::new(Beacon, "B") },
            NewDevice { venue: Some(shop.venue), ..NewDevice::new(Beacon, "C") },
        ];
        let before = store.configuration(organization, shop.venue).await.unwrap();
        let dry = store.import_devices(organization, &rows, true, NOON.plus(1)).await.unwrap().unwrap();
        assert!(dry.is_empty());
        assert_eq!(names(organization).await.len(), 2, "only the shop's own");

        let made = store.import_devices(organization, &rows, false, NOON.plus(1)).await.unwrap().unwrap();
        let all = names(organization).await;
        assert_eq!(all[2..], ["A", "B", "C"], "in their order");
        let first = store.registered(made[0].id).await.unwrap().unwrap();
        assert!(first.accepts(&made[0].secret.text(), store.installation_key()));
        assert_eq!(made[0].venue, Some(shop.venue), "its zone brings its venue");
        let placement = first.device.placement.unwrap();
        assert_eq!((placement.venue, placement.zone), (shop.venue, Some(shop.entrance)));
        let after = store.configuration(organization, shop.venue).await.unwrap();
        assert!(after.revision > before.revision, "whoever counts there hears of it");

        let wrong = [
            NewDevice { identifier: identifier("app:b"), ..NewDevice::new(Beacon, "D") },
            NewDevice { identifier: identifier("app:e"), ..NewDevice::new(Beacon, "E") },
            NewDevice { identifier: identifier("app:e"), ..NewDevice::new(Beacon, "F") },
            NewDevice { position: Some([0.0; 3]), ..NewDevice::new(Beacon, "G") },
            NewDevice::new(Beacon, " "),
        ];
        for dry_run in [true, false] {
            let faults =
                store.import_devices(organization, &wrong, dry_run, NOON).await.unwrap().unwrap_err();
            let found: Vec<_> = faults.iter().map(|fault| (fault.row, fault.what)).collect();
            let expected = [
                (0, ImportField::Identifier),
                (2, ImportField::Identifier),
                (3, ImportField::Place),
                (4, ImportField::Name),
            ];
            assert_eq!(found, expected);
        }
        assert_eq!(names(organization).await.len(), 5);

        // Places of others are not there.
        let foreign = store.import_devices(shop.other, &rows[..1], false, NOON).await.unwrap().unwrap_err();
        assert!(
            matches!(&foreign[..], [ImportFault { row: 0, what: ImportField::Place, .. }]),
            "{foreign:?}"
        );
        assert!(names(shop.other).await.is_empty());
        let many = vec![NewDevice::new(Beacon, "X"); MAX_IMPORT + 1];
        let many = store.import_devices(organization, &many, false, NOON).await;
        assert!(matches!(many, Err(StoreError::Invalid(_))));
    })
    .await;
}
