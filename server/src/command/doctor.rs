//! `promenade doctor`.

use std::process::ExitCode;

use broker::TlsFiles;
use protocol::Timestamp;
use server::config::Warning;
use server::{Config, DataDir};
use store::{Clock, Store};
use tokio::net::TcpListener;

use super::runtime;
use crate::Place;

const DAY_MS: i64 = 86_400_000;
/// A certificate that ends so soon should have been replaced by now.
const SOON_DAYS: i64 = 14;

/// What a check found.
enum Finding {
    Fine(String),
    Note(String),
    Wrong(String),
}

/// Looks at everything that commonly goes wrong and says so in plain words; fails if something must be mended.
pub(crate) fn doctor(place: &Place) -> anyhow::Result<ExitCode> {
    let findings = match place.load() {
        Ok(config) => runtime()?.block_on(examine(&config)),
        Err(error) => vec![Finding::Wrong(format!("{error:#}"))],
    };
    let mut healthy = true;
    for finding in findings {
        match finding {
            Finding::Fine(text) => println!("ok     {text}"),
            Finding::Note(text) => println!("note   {text}"),
            Finding::Wrong(text) => {
                healthy = false;
                println!("WRONG  {text}");
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::Fine("the configuration is valid".into())];
    if !config.data.is_dir() {
        findings.push(Finding::Note(format!(
            "{} does not exist yet; `promenade serve` makes it",
            config.data.display()
        )));
        return findings;
    }
    let data = match DataDir::open(&config.data) {
        Ok(data) => data,
        Err(error) => {
            findings.push(Finding::Wrong(format!("{error:#}")));
            return findings;
        }
    };
    findings.extend(data.open_to_others().unwrap_or_default().iter().map(|path| {
        let path = path.display();
        Finding::Wrong(format!("others on this machine can read {path}: `chmod go= {path}`"))
    }));
    let served = data.is_served();
    findings.push(match &served {
        Ok(true) => Finding::Fine(format!("a server is running from {}", data.path().display())),
        Ok(false) => Finding::Note(format!("no server is running from {}", data.path().display())),
        Err(error) => Finding::Wrong(format!("{error:#}")),
    });
    if !matches!(served, Ok(true)) {
        let mqtt = config.listen.of_mqtt().map(|(what, address)| Some((what, address.0?)));
        let all = [Some(("HTTP", config.listen.http))].into_iter().chain(mqtt);
        for (what, address) in all.flatten() {
            findings.push(match TcpListener::bind(address).await {
                Ok(_) => Finding::Fine(format!("{what} can listen on {address}")),
                Err(error) => Finding::Wrong(format!("{what} cannot listen on {address}: {error}")),
            });
        }
    }
    findings.extend(config.warnings().iter().map(warned));
    findings.push(match config.tls_files() {
        Ok(None) => Finding::Note("nothing listens for TLS".into()),
        Ok(Some(files)) => certificate(&files, Clock::System.now()),
        Err(error) => Finding::Wrong(format!("{error:#}")),
    });
    findings.extend(database(config, &data).await);
    findings
}

fn warned(warning: &Warning) -> Finding {
    if warning.is_grave() { Finding::Wrong(warning.to_string()) } else { Finding::Note(warning.to_string()) }
}

fn certificate(files: &TlsFiles, now: Timestamp) -> Finding {
    let path = files.certificate.display();
    match files.good_until() {
        Ok(until) if until <= now => Finding::Wrong(format!("the TLS certificate {path} is over")),
        Ok(until) => {
            let days = until.since(now) / DAY_MS;
            let text = format!("TLS has the certificate {path}, good for {days} days");
            if days < SOON_DAYS { Finding::Note(text) } else { Finding::Fine(text) }
        }
        Err(error) => Finding::Wrong(error.to_string()),
    }
}

async fn database(config: &Config, data: &DataDir) -> Vec<Finding> {
    if !data.has_database(config) {
        return vec![Finding::Note("there is no database yet; `promenade serve` makes it".into())];
    }
    let store = match Store::join(&data.database_url(config)).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::Wrong(format!("the database cannot be opened: {error}"))],
    };
    let mut findings = vec![match store.check().await {
        Ok(()) => Finding::Fine("the database answers and is sound".into()),
        Err(error) => Finding::Wrong(format!("the database is damaged: {error}")),
    }];
    // Times far ahead in the log mean that this machine's clock went back, or was wrong when they were written.
    match store.newest_received().await {
        Ok(Some(newest)) if newest.since(Clock::System.now()) > 60_000 => findings.push(Finding::Wrong(
            "the last pings were received in the future: this machine's clock is or was wrong".into(),
        )),
        Ok(Some(_)) => findings.push(Finding::Fine("the clock agrees with the last pings received".into())),
        Ok(None) => findings.push(Finding::Note("no ping was received yet".into())),
        Err(error) => findings.push(Finding::Wrong(format!("the raw log cannot be read: {error}"))),
    }
    findings.push(pseudonym_keys(config, data, &store).await);
    store.close().await;
    findings
}

/// Whether the sealing key is that of the database.
async fn pseudonym_keys(config: &Config, data: &DataDir, store: &Store) -> Finding {
    match identity::check_pseudonym_keys(store, &config.identity, data.path()).await {
        Ok(0) => Finding::Note("there is no sealed key of pseudonyms yet; `promenade serve` makes it".into()),
        Ok(1) => Finding::Fine("the sealing key opens the key of pseudonyms".into()),
        Ok(count) => Finding::Fine(format!("the sealing key opens the {count} keys of pseudonyms")),
        Err(error) => Finding::Wrong(format!("the keys of pseudonyms cannot be opened: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_open_to_strangers_is_to_be_mended() {
        let mut config = Config::default();
        config.mqtt.anonymous.publish = vec!["a/#".into()];
        config.listen.mqtt = "0.0.0.0:1883".parse().expect("an address");
        let found = |config: &Config| config.warnings().iter().map(warned).collect::<Vec<_>>();
        assert!(matches!(&found(&config)[..], [Finding::Note(_)]));
        config.mqtt.anonymous.remote = true;
        assert!(matches!(&found(&config)[..], [Finding::Wrong(_)]));
    }
}
