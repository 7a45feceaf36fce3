//! One short scan, to see whether it works.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use btleplug::api::{Central, CentralEvent, Manager as _, ScanFilter};
use btleplug::platform::Manager;
use futures_util::{FutureExt, StreamExt};

use super::radio::{choose, name_of};
use super::trouble::explain;
use crate::config::BluetoothConfig;

/// What a short scan showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterTrial {
    /// The adapter that is used.
    pub name: String,
    /// Whether anything was heard.
    pub heard: bool,
}

/// Lets the adapter scan until something is heard, or for so long. The error is a sentence for whoever stands before
/// the device.
pub async fn try_adapter(config: &BluetoothConfig, patience: Duration) -> Result<AdapterTrial, String> {
    scan(config, patience).await.unwrap_or_else(|error| {
        Err(explain(&error).map_or_else(|| error.to_string(), |sentence| format!("{sentence} ({error})")))
    })
}

async fn scan(
    config: &BluetoothConfig,
    patience: Duration,
) -> Result<Result<AdapterTrial, String>, btleplug::Error> {
    let manager = Manager::new().await?;
    let mut all = Vec::new();
    for adapter in manager.adapters().await? {
        all.push(name_of(&adapter).await?);
    }
    all.sort();
    let Some(adapter) = choose(&manager, config.adapter.as_deref()).await? else {
        return Ok(Err(match &config.adapter {
            Some(wanted) if !all.is_empty() => {
                format!(
                    "there is no adapter {wanted}, but there is {}: say so in [scanner] `adapter`",
                    all.join(", ")
                )
            }
            _ => {
                "there is no Bluetooth adapter: is it plugged in, and does `dmesg` find its firmware?".into()
            }
        }));
    };
    let name = name_of(&adapter).await?;
    let mut events = adapter.events().await?;
    while let Some(Some(_)) = events.next().now_or_never() {}
    adapter.start_scan(ScanFilter::default()).await?;
    // That it is switched on is told as an event as well.
    let mut heard = pin!(events.filter(|event| ready(!matches!(event, CentralEvent::StateUpdate(_)))));
    let heard = tokio::time::timeout(patience, heard.next()).await.is_ok();
    // It ends with the program, too.
    let _ = adapter.stop_scan().await;
    Ok(Ok(AdapterTrial { name, heard }))
}
