//! Recorded air: real Bluetooth, heard by real receivers, through real MQTT connections into zones.

use std::path::PathBuf;

use firmware_sim::replay::{Recording, replay};
use firmware_sim::{FleetOptions, Registrar};
use store::Clock;

use crate::world::{Engine, World};

/// The share of seconds in the right zone, and switches beside the true changes of zone.
#[tokio::test]
async fn zones_are_right_often_enough() -> anyhow::Result<()> {
    let Some(folder) = recordings() else {
        eprintln!(
            "******************************************************************************************"
        );
        eprintln!(
            "* NOT MEASURED: no recorded air in ../shared/data/office and none in PROMENADE_RECORDED_AIR."
        );
        eprintln!("* The recordings are public: github philotuxo/Position-Annotated-BLE-RSSI-Dataset (CC0).");
        eprintln!(
            "******************************************************************************************"
        );
        return Ok(());
    };
    let recording = Recording::read(&folder)?;
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__PINGS__PER_MINUTE", "4000000000")]).await?;
    let now = Clock::System.now();
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), "air");
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    let accuracies = replay(&recording, &registrar, &options, now).await?;
    assert_eq!(accuracies.len(), 2, "twelve zones and quadrants");
    for (accuracy, least) in accuracies.iter().zip([0.50, 0.85]) {
        println!("{accuracy}");
        assert!(accuracy.share() >= least, "{accuracy}: less than {least}");
        assert!(accuracy.switches <= 4 * accuracy.true_changes, "{accuracy}: it flickers");
    }
    Ok(())
}

fn recordings() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/office");
    std::env::var_os("PROMENADE_RECORDED_AIR")
        .map(PathBuf::from)
        .or(Some(beside))
        .filter(|folder| folder.is_dir())
}
