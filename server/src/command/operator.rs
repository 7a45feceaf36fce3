//! `promenade operator-key` and `promenade sign`: orders that the server itself could not give. The key stays with its operator;
//! devices that trust it run what it signed, and nothing else where they were told so.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::operator;
use clap::Args;
use protocol::{DeviceId, SignedOrder};
use serde_json::{Map, Value};
use store::Clock;

/// Makes a key for signing orders, and prints its public half: what devices are to trust.
#[derive(Debug, Args)]
pub(crate) struct OperatorKey {
    /// Where to keep the key; nothing is overwritten.
    file: PathBuf,
}

/// Signs an order to a device, and prints it: for `signed` of `POST /devices/{device}/commands`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The file that `promenade operator-key` made.
    #[arg(long)]
    key: PathBuf,
    /// The device that may run it.
    #[arg(long)]
    device: DeviceId,
    /// What to do, such as `on_off.set`.
    #[arg(long)]
    name: String,
    /// With what: a JSON object.
    #[arg(long, default_value = "{}", value_parser = object)]
    args: Map<String, Value>,
    /// For how long it may be run, such as 60s, 5m, 12h or 7d.
    #[arg(long, default_value = "5m", value_parser = milliseconds)]
    ttl: i64,
}

impl OperatorKey {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let (key, place) = (operator::OperatorKey::generate()?, self.file.display());
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .with_context(|| format!("{place} cannot be made"))?;
        file.write_all(key.to_pem().as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("{place} cannot be written"))?;
        eprintln!("Whoever has {place} drives the devices that trust this key. Its public half:");
        println!("{}", key.public());
        Ok(ExitCode::SUCCESS)
    }
}

impl Sign {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let place = self.key.display();
        let text = std::fs::read_to_string(&self.key).with_context(|| format!("{place} cannot be read"))?;
        let key = operator::OperatorKey::from_pem(&text).with_context(|| place.to_string())?;
        let deadline = Clock::System.now().plus(self.ttl);
        println!("{}", key.sign(self.device, &self.name, self.args.clone(), deadline)?);
        Ok(ExitCode::SUCCESS)
    }
}

fn object(text: &str) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(text).context("a JSON object, such as {\"on\":true}")
}

fn milliseconds(text: &str) -> anyhow::Result<i64> {
    let wrong = "a number and s, m, h or d, of a week at most, such as 60s";
    let unit = text.chars().next_back().context(wrong)?;
    let number: u32 = text[..text.len() - unit.len_utf8()].parse().context(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 24 * 3_600,
        _ => bail!(wrong),
    };
    let ms = i64::from(number) * seconds * 1_000;
    if !(1..=SignedOrder::LONGEST_MS).contains(&ms) {
        bail!(wrong);
    }
    Ok(ms)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn a_time_is_a_week_at_most() {
        for (text, ms) in [("60s", 60_000), ("5m", 300_000), ("12h", 43_200_000), ("7d", 604_800_000)] {
            assert_eq!(milliseconds(text).ok(), Some(ms), "{text}");
        }
        for text in ["", "s", "60", "0s", "8d", "-1s", "1.5h", "3é", "99999999999d"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
