//! `promenade token`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use protocol::OrganizationId;
use server::DataDir;
use store::{Clock, Scope, ScopeSet, Store, StoreError};

use super::runtime;
use crate::Place;

/// Makes an API key.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    place: Place,
    /// What the key is for; shown wherever keys are listed.
    #[arg(long)]
    name: String,
    /// What it may do; may be given several times. `*` is everything but free MQTT topics.
    #[arg(long, required = true, num_args = 1..)]
    scope: Vec<Scope>,
    /// Whose key it is; the first organization if left out.
    #[arg(long)]
    organization: Option<OrganizationId>,
    /// After how long it ends, such as 12h, 30d or 52w; never if left out.
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
}

impl Token {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.place.load()?;
        // A key made in a directory that a typing error named would open nothing.
        if config.database.url.is_none() && !config.data.is_dir() {
            bail!(
                "{} does not exist; `promenade serve` makes it, or name another --data",
                config.data.display()
            );
        }
        let data = DataDir::open(&config.data)?;
        let scopes: ScopeSet = self.scope.iter().cloned().collect();
        let secret = runtime()?.block_on(async {
            let url = data.database_url(&config);
            // In a new directory there is nothing that a server could find changed.
            let store =
                if data.has_database(&config) { Store::join(&url).await } else { Store::open(&url).await };
            let store = match store {
                // One that is empty has nothing that a server could find changed.
                Err(StoreError::Schema { found: 0, .. }) => Store::open(&url).await,
                store => store,
            };
            let store = store.context("the database cannot be opened")?;
            let now = Clock::System.now();
            let first = store.default_organization(now).await?;
            let organization = match self.organization {
                Some(id) => store.organization(id).await.context("there is no such organization")?.id,
                None => first.id,
            };
            let expires_at = self.expires.map(|after| now.plus(after.as_millis() as i64));
            let (_, secret) = store.create_key(organization, &self.name, &scopes, expires_at, now).await?;
            store.close().await;
            anyhow::Ok(secret)
        })?;
        eprintln!("This key is shown once. Whoever has it may: {scopes}");
        println!("{}", secret.text());
        Ok(ExitCode::SUCCESS)
    }
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => bail!("a number and m, h, d or w, such as 30d"),
    };
    let number: u32 = number.parse().context("a number and m, h, d or w, such as 30d")?;
    if number == 0 {
        bail!("a key that ends at once is of no use");
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations() {
        assert_eq!(duration("30d").ok(), Some(Duration::from_hours(30 * 24)));
        assert_eq!(duration("5m").ok(), Some(Duration::from_mins(5)));
        for bad in ["", "d", "30", "0h", "-1d", "3y", "1.5h", "3é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
