//! `promenade explain`.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use api::explain::{
    CertificateState, ClaimKeyExplanation, Connection, Count, Explanation, Finding, LastSignIn, LastUnread,
};
use clap::Args;
use protocol::{ClaimKeyId, DeviceId};
use server::{Config, DataDir};
use store::{Clock, Store};

use super::runtime;
use crate::Place;

/// Says why a device is offline, refused, throttled or silent, or a claim key lets nobody in, and what to do. Works beside a running server and without one.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    place: Place,
    /// The id of the device, or of the claim key.
    device: String,
}

impl Explain {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let id = id(&self.device)?;
        let config = self.place.load()?;
        // Looking must not make what it looks for.
        if config.database.url.is_none() && !config.data.is_dir() {
            bail!("{} does not exist; name another --data", config.data.display());
        }
        let data = DataDir::open(&config.data)?;
        if !data.has_database(&config) {
            bail!("there is no database in {}; name another --data", data.path().display());
        }
        let text = runtime()?.block_on(explain(id, &config, &data))?;
        print!("{text}");
        Ok(ExitCode::SUCCESS)
    }
}

/// What was typed, as an id. Secrets are taken for ids, and are not to be repeated on a terminal.
fn id(typed: &str) -> anyhow::Result<DeviceId> {
    typed.parse().map_err(|_| {
        anyhow!("that is no id; those of devices and claim keys are in the lists of the HTTP interface, and look like 01a22141-826d-774f-80a4-d5e41cd39247")
    })
}

async fn explain(id: DeviceId, config: &Config, data: &DataDir) -> anyhow::Result<String> {
    let store = Store::join(&data.database_url(config)).await.context("the database cannot be opened")?;
    let text = match store.registered(id).await? {
        Some(registered) => {
            let organization = registered.device.organization;
            let (connection, now) = (connection(config, data)?, Clock::System.now());
            describe(&Explanation::of(&store, organization, id, connection, now).await?)
        }
        None if store.was_deleted(id).await? => Ok(told(&Finding::deleted())),
        None => match store.any_claim_key(ClaimKeyId::from_uuid(id.as_uuid())).await? {
            Some(key) => Ok(describe_key(&ClaimKeyExplanation::of(&key, Clock::System.now()))),
            None => bail!("there is no device and no claim key {id}"),
        },
    };
    store.close().await;
    text.context("nothing to say")
}

/// What is saved counts while a server may be running: here, or where it shares the database with us.
fn connection(config: &Config, data: &DataDir) -> anyhow::Result<Connection> {
    let may_run = data.is_served()? || config.database.url.is_some();
    Ok(if may_run { Connection::Saved } else { Connection::Stopped })
}

fn describe_key(explanation: &ClaimKeyExplanation) -> String {
    let mut text = format!("claim key `{}` {}\n", plain(&explanation.name), explanation.claim_key);
    for finding in &explanation.findings {
        text.push('\n');
        text.push_str(&told(finding));
    }
    text
}

/// The same as the HTTP interface answers, for people.
fn describe(explanation: &Explanation) -> Result<String, fmt::Error> {
    let Explanation { registration, findings, .. } = explanation;
    let mut text = String::new();
    let name = plain(&registration.name);
    writeln!(text, "{} `{name}` {}", registration.kind, explanation.device)?;
    let since = explanation.connected_since.map(|since| format!(", since {since}")).unwrap_or_default();
    line(&mut text, "connected", format!("{}{since}", yes(explanation.connected)))?;
    let never = || "none was seen".to_owned();
    line(&mut text, "last message", explanation.last_message_at.map_or_else(never, |at| at.to_string()))?;
    line(&mut text, "healthy", explanation.healthy.map_or("nothing is known", yes))?;
    for finding in findings {
        write!(text, "\n{}", told(finding))?;
    }
    writeln!(text)?;
    line(&mut text, "registered", registration.created_at)?;
    let zone = registration.zone.map(|zone| format!(", zone {zone}")).unwrap_or_default();
    let venue = registration.venue.map(|venue| format!("venue {venue}{zone}"));
    line(&mut text, "stands in", venue.as_deref().unwrap_or("no venue"))?;
    if let Some(sign_in) = &explanation.sign_in {
        line(&mut text, "signed in", signed_in(sign_in))?;
    }
    if let Some(refused) = &explanation.refused_sign_in {
        let from = refused.address.as_deref().unwrap_or("an unknown address");
        line(&mut text, "refused", format!("{} from {from}: {}", refused.at, refused.cause))?;
    }
    if let Some(ended) = &explanation.disconnected {
        line(&mut text, "disconnected", format!("{}: {}", ended.at, ended.cause))?;
    }
    for (what, at) in [("last batch", explanation.last_batch_at), ("last ping", explanation.last_ping_at)] {
        if let Some(at) = at {
            line(&mut text, what, at)?;
        }
    }
    if let Some(offset) = explanation.clock_offset_ms {
        line(&mut text, "clock", format!("server minus device: {offset} ms"))?;
    }
    write_counts(&mut text, explanation)?;
    if let Some(LastUnread { at, filter, pointer, expected }) = &explanation.unread {
        line(&mut text, "not read", format!("{at} on {filter}: `{pointer}` should be {expected}"))?;
    }
    for certificate in &explanation.certificates {
        let state = match certificate.state {
            CertificateState::Valid => "valid until",
            CertificateState::Early => "not valid yet, until",
            CertificateState::Expired => "expired",
            CertificateState::Revoked => "revoked; was valid until",
        };
        line(
            &mut text,
            "certificate",
            format!("{} {state} {}", certificate.fingerprint, certificate.not_after),
        )?;
    }
    for loss in &explanation.open_losses {
        let boot = loss.boot.as_ref().map_or("?", |boot| boot.as_str());
        let (from, to) = (loss.from.unwrap_or_default(), loss.to.unwrap_or_default());
        let numbers = format!("boot {boot}, {from} to {to}: {}", loss.cause);
        line(&mut text, "to send again", format!("{numbers}, {} of {} came", loss.recovered, loss.batches))?;
    }
    let seen = explanation.seen_at.map(|at| format!("The server last saved what it saw on {at}."));
    writeln!(text, "\n{}", seen.as_deref().unwrap_or("The server never saved anything of it."))?;
    Ok(text)
}

fn write_counts(text: &mut String, explanation: &Explanation) -> fmt::Result {
    let all = [
        ("limit", &explanation.limits),
        ("refusal", &explanation.refusals),
        ("reported", &explanation.reported),
    ];
    for (what, counts) in all {
        for (name, Count { count, last_at }) in counts {
            line(text, what, format!("{name}: {count}, the last on {last_at}"))?;
        }
    }
    Ok(())
}

fn signed_in(sign_in: &LastSignIn) -> String {
    let unknown = "?".to_owned();
    let known = |value: &Option<String>| plain(value.as_ref().unwrap_or(&unknown));
    let with = sign_in.certificate.as_ref().map_or_else(
        || "with its secret".to_owned(),
        |certificate| format!("with the certificate {}", plain(certificate)),
    );
    format!(
        "{} from {} over {}, MQTT {}, as `{}`, {with}",
        sign_in.at,
        known(&sign_in.address),
        known(&sign_in.transport),
        known(&sign_in.version),
        known(&sign_in.client_id)
    )
}

fn told(finding: &Finding) -> String {
    format!("{}: {}\n  {}\n", finding.code, plain(&finding.what), plain(&finding.remedy))
}

fn line(text: &mut String, what: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(text, "{what:<14} {}", plain(&value.to_string()))
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// Clients name themselves as they like; none may move the cursor of whoever reads this.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}
