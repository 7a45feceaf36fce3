//! The scenarios that come with the program.

/// Name and text of each.
pub(super) const SHIPPED: &[(&str, &str)] = &[
    ("demo", include_str!("../../scenarios/demo.toml")),
    ("mall", include_str!("../../scenarios/mall.toml")),
    ("quiet", include_str!("../../scenarios/quiet.toml")),
    ("outage", include_str!("../../scenarios/outage.toml")),
    ("showroom", include_str!("../../scenarios/showroom.toml")),
    ("bad-network", include_str!("../../scenarios/bad-network.toml")),
    ("bad-clocks", include_str!("../../scenarios/bad-clocks.toml")),
    ("dying-adapters", include_str!("../../scenarios/dying-adapters.toml")),
];

/// The names in that order.
pub(super) fn names() -> Vec<&'static str> {
    SHIPPED.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::{SHIPPED, names};
    use crate::scenario::{CrowdKind, Scenario};

    fn expected(scenario: &Scenario, kind: CrowdKind) -> f64 {
        let of_kind = scenario.shoppers.iter().filter(|crowd| crowd.kind == kind);
        of_kind.flat_map(|crowd| crowd.per_hour).sum()
    }

    #[test]
    fn each_is_sound_and_called_by_its_name() {
        for (name, _) in SHIPPED {
            let scenario = Scenario::shipped(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(scenario.name, *name);
            assert!(!scenario.beacons.is_empty(), "{name}: nothing keeps event time moving");
            let heard = |zone: &str| scenario.gateways.iter().any(|gateway| gateway.zone == zone);
            for zone in &scenario.zones {
                assert!(heard(&zone.name), "{name}: no gateway stands for {}", zone.name);
            }
        }
        assert!(Scenario::shipped("market").unwrap_err().to_string().contains(&names().join(", ")));
    }

    #[test]
    fn they_are_as_large_as_they_say() {
        let demo = Scenario::shipped("demo").unwrap();
        let total: f64 = demo.shoppers.iter().flat_map(|crowd| crowd.per_hour).sum();
        assert!((600.0..=900.0).contains(&total), "demo expects {total} people");
        assert!((8..=10).contains(&demo.gateways.len()));
        assert!(expected(&demo, CrowdKind::PasserBy) > 50.0 && expected(&demo, CrowdKind::Bouncer) > 20.0);
        assert!(demo.shoppers.iter().any(|crowd| crowd.returns.is_some()));

        let mall = Scenario::shipped("mall").unwrap();
        let total: f64 = mall.shoppers.iter().flat_map(|crowd| crowd.per_hour).sum();
        assert!((28_000.0..=32_000.0).contains(&total), "mall expects {total} people");
        assert!(mall.gateways.len() >= 30);

        let quiet = Scenario::shipped("quiet").unwrap();
        assert!(quiet.shoppers.iter().flat_map(|crowd| crowd.per_hour).sum::<f64>() < 20.0);

        let showroom = Scenario::shipped("showroom").unwrap();
        assert!(showroom.appliances.len() >= 5);

        let outage = Scenario::shipped("outage").unwrap();
        assert!(outage.outages.len() >= 2 && !outage.clock.steps.is_empty());
    }
}
