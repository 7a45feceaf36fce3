//! The demo as a stranger runs it: its own table must agree with the simulated truth.

use crate::world::program;

/// Hourly visits and uniques within 2 %, median dwell within 60 s: the exit status says so, and the table shows it.
#[tokio::test]
async fn the_demo_measures_what_it_simulated() -> anyhow::Result<()> {
    let output = program("promenade")
        .args(["demo", "--exit", "--seed", "1", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"])
        .output()
        .await?;
    let table = String::from_utf8_lossy(&output.stdout);
    println!("{table}");
    assert!(output.status.success(), "{}\n{table}{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(table.lines().count() > 10, "no table");
    Ok(())
}
