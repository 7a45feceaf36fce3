//! `promenade serve`.

use std::io::Write as _;
use std::process::ExitCode;

use server::{DataDir, Listeners, Service};
use store::{Clock, Page};

use super::{runtime, start_logging, until_signalled};
use crate::Serving;

/// Serves until it is told to stop.
pub(crate) fn serve(serving: &Serving) -> anyhow::Result<ExitCode> {
    let config = serving.load()?;
    start_logging(&config.log)?;
    let data = DataDir::open(&config.data)?;
    let _lock = data.lock()?;
    runtime()?.block_on(async {
        let shutdown = until_signalled()?;
        let listeners = Listeners::bind(&config).await?;
        let http = listeners.http.local_addr()?;
        let service = Service::open(&config, &data.database_url(&config), Clock::System, http).await?;
        let addresses = listeners.addresses()?;
        let addresses: Vec<String> =
            addresses.iter().map(|(name, address)| format!("{name}={address}")).collect();
        say(&format!("listening {}", addresses.join(" ")));
        tracing::info!(data = %data.path().display(), "serving");
        let keys = service.store.keys(service.organization.id, Page { cursor: None, limit: 1 }).await?;
        if keys.items.is_empty() {
            say("Nobody can sign in yet. Make the first API key with");
            say(&format!("  promenade token --data {} --name first --scope '*'", data.path().display()));
        }
        if let Some(link) = service.identity.set_up_link().await? {
            say("Nobody has an account yet. Whoever opens this link first, within a day, makes the first one:");
            say(&format!("  {link}"));
        }
        service.run(listeners, shutdown).await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Whoever started the server may have closed its output since; that must not end it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
