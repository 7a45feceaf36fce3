//! `promenade pseudonyms`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::Instant;
use clap::{Args, Subcommand};
use protocol::OrganizationId;
use server::{Config, DataDir};
use store::{Clock, Store, StoredKey};

use super::runtime;
use crate::Place;

/// Begins epochs of the pseudonyms that subjects are known by, and destroys the keys of old ones. Works beside a running server, which
/// takes it up within ten seconds.
#[derive(Debug, Args)]
pub(crate) struct Pseudonyms {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// List the epochs, each with its number, when it begins, and whether its key is there.
    List(Whose),
    /// Begin another epoch: from then on everybody has another pseudonym, and nobody can tell whose the one before was without
    /// both keys.
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// When, in RFC 3339; best when the day of the venues begins. In a minute if left out.
        #[arg(long, value_parser = Instant::parse)]
        at: Option<Instant>,
    },
    /// Destroy the key of an epoch that is over, for good: nobody can find again whose its pseudonyms were.
    Destroy {
        /// Its number.
        epoch: i32,
        #[command(flatten)]
        whose: Whose,
    },
    /// Give up the keys, of all organizations, that were sealed with a sealing key that is lost: everybody gets another pseudonym.
    GiveUp(Whose),
}

/// Which installation, and whose pseudonyms there.
#[derive(Debug, Args)]
struct Whose {
    #[command(flatten)]
    place: Place,
    /// The organization; the first one if left out.
    #[arg(long)]
    organization: Option<OrganizationId>,
}

impl Pseudonyms {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let (Task::List(whose)
        | Task::GiveUp(whose)
        | Task::Rotate { whose, .. }
        | Task::Destroy { whose, .. }) = &self.task;
        let config = whose.place.load()?;
        // Keys of a directory that a typing error named would open nothing.
        if config.database.url.is_none() && !config.data.is_dir() {
            bail!("{} does not exist; name another --data", config.data.display());
        }
        let data = DataDir::open(&config.data)?;
        if !data.has_database(&config) {
            bail!("there is no database in {}; name another --data", data.path().display());
        }
        let said = runtime()?.block_on(async {
            let store =
                Store::join(&data.database_url(&config)).await.context("the database cannot be opened")?;
            let said = self.task.run(&store, &config, &data, whose.organization).await;
            store.close().await;
            said
        })?;
        print!("{said}");
        Ok(ExitCode::SUCCESS)
    }
}

impl Task {
    async fn run(
        &self,
        store: &Store,
        config: &Config,
        data: &DataDir,
        organization: Option<OrganizationId>,
    ) -> anyhow::Result<String> {
        let now = Clock::System.now();
        let organization = match organization {
            Some(id) => store.organization(id).await.context("there is no such organization")?,
            None => store.default_organization(now).await?,
        };
        match self {
            Self::List(_) => list(store, organization.id).await,
            Self::GiveUp(_) => {
                let given_up = identity::give_up_pseudonym_keys(store, &config.identity, data.path(), now);
                let count = given_up.await.context("the keys were not given up")?;
                Ok(format!("{count} keys of pseudonyms do not open and were given up.\n"))
            }
            Self::Rotate { at, .. } => {
                let at = at.map(|at| at.0);
                let begun = identity::begin_pseudonym_epoch(
                    store,
                    &config.identity,
                    data.path(),
                    organization.id,
                    at,
                    now,
                );
                let (epoch, from) = begun.await.context("no epoch was begun")?;
                Ok(format!("Epoch {epoch} of {} begins at {}.\n", organization.name, Instant(from)))
            }
            Self::Destroy { epoch, .. } => {
                let destroyed = store.destroy_pseudonym_key(organization.id, *epoch, now).await;
                destroyed.with_context(|| format!("the key of epoch {epoch} was not destroyed"))?;
                Ok(format!(
                    "The key of epoch {epoch} of {} is destroyed. Copies of the database from before still have it, sealed.\n",
                    organization.name
                ))
            }
        }
    }
}

async fn list(store: &Store, organization: OrganizationId) -> anyhow::Result<String> {
    let mut text = String::new();
    for epoch in store.pseudonym_epochs(organization).await? {
        let from = if epoch.epoch == 0 {
            "the beginning".to_owned()
        } else {
            Instant(epoch.effective_from).to_string()
        };
        let key = match epoch.key {
            StoredKey::Sealed(_) => "sealed".to_owned(),
            StoredKey::Clear(_) => "not sealed yet; `promenade serve` does it".to_owned(),
            StoredKey::Destroyed(at) => format!("destroyed at {}", Instant(at)),
        };
        writeln!(text, "{}  from {from}  {key}", epoch.epoch)?;
    }
    if text.is_empty() {
        text.push_str("There is no epoch yet; `promenade serve` begins the first one.\n");
    }
    Ok(text)
}
