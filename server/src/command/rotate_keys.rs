//! `promenade rotate-keys`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use server::DataDir;
use store::{Clock, Store};

use super::runtime;
use crate::Place;

/// Lets new keys sign tokens from now on. Works beside a running server, which takes them up within a minute.
pub(crate) fn rotate_keys(place: &Place) -> anyhow::Result<ExitCode> {
    let config = place.load()?;
    // Keys of a directory that a typing error named would sign nothing.
    if config.database.url.is_none() && !config.data.is_dir() {
        bail!("{} does not exist; name another --data", config.data.display());
    }
    let data = DataDir::open(&config.data)?;
    if !data.has_database(&config) {
        bail!("there is no database in {}; name another --data", data.path().display());
    }
    let rotated = runtime()?.block_on(async {
        let store =
            Store::join(&data.database_url(&config)).await.context("the database cannot be opened")?;
        let rotated =
            identity::rotate_signing_keys(&store, &config.identity, data.path(), Clock::System.now()).await;
        store.close().await;
        rotated.context("the keys cannot be rotated")
    })?;
    if rotated == 0 {
        println!("No key has signed anything yet, so none was replaced.");
    } else {
        println!(
            "{rotated} new signing keys sign from now on, of a server that is running within a minute. What the old ones signed stays good \
             until it ends."
        );
    }
    Ok(ExitCode::SUCCESS)
}
