//! What a broker looks after while it runs: the registry, and connections whose credentials are no longer good.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::{DeviceId, GrantId, KeyId, Timestamp};
use store::{Change, Clock, Live, StoreError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::access::Identity;
use crate::codec::reason;
use crate::front::Front;
use crate::registry::{Registry, has_ended};
use crate::sign_in::Credential;

/// How often the registry asks the store what changed, in case a notice was lost.
const CATCH_UP_EVERY: Duration = Duration::from_secs(10);

/// Keeps the registry up with the store and ends the connections of devices and keys that are no longer good.
pub(super) async fn keep_registry(
    registry: Arc<Registry>,
    front: Arc<Front>,
    live: Live,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let mut changes = live.changes();
    let mut tick = interval(CATCH_UP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = clock.now();
    loop {
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            change = changes.next() => match change {
                Some(change) => follow(&registry, &front, change).await,
                None => return,
            },
            _ = tick.tick() => {
                front.sessions.upkeep();
                front.limits.sweep();
                front.dispatch.retained.sweep(clock.now());
                front.metrics.retained.set(front.dispatch.retained.len() as i64);
                front.metrics.sessions.set(front.sessions.len() as i64);
                let from = std::mem::replace(&mut since, clock.now());
                let outcome = catch_up(&registry, &front, from).await;
                if outcome.is_err() {
                    since = from; // what was not looked at is looked at next time
                }
                outcome
            }
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "the registry could not be brought up to date; trying again");
        }
    }
}

/// Looks at everything that changed since a moment, and whether the keys are still there that services signed in with: none of
/// this may hang on a notice that can get lost.
async fn catch_up(registry: &Registry, front: &Front, since: Timestamp) -> Result<(), StoreError> {
    for (device, ended) in registry.catch_up(since).await? {
        after_change(registry, front, device, ended).await?;
    }
    let keys = front.sessions.keys();
    let known = registry.known_keys(&keys).await?;
    for key in keys.into_iter().filter(|key| !known.contains(key)) {
        end_key(front, key);
    }
    // An account that was disabled, or has another role, is told of nowhere else.
    look_at_grants(registry, front, |_| true).await
}

async fn follow(registry: &Registry, front: &Front, change: Change) -> Result<(), StoreError> {
    match change {
        Change::Device(device) => {
            let before = registry.view().reporter(device);
            let after = registry.reload(device).await?;
            let ended = has_ended(before.as_deref(), after.as_deref());
            after_change(registry, front, device, ended).await?;
        }
        Change::Venue(_) => registry.reload_venues().await?,
        Change::Key(key) => end_key(front, key),
        Change::Grant(grant) => look_at_grants(registry, front, |of| of == grant).await?,
        // What they may still do, their grants say: they are looked at with the next round. Announcements have a task of their own.
        Change::Account(_) | Change::Client(_) | Change::HomeAssistant(_) => {}
    }
    Ok(())
}

/// Ends the connections of a device whose credentials ended, or those whose certificates were revoked. What tokens of its
/// person are worth, their grants say.
async fn after_change(
    registry: &Registry,
    front: &Front,
    device: DeviceId,
    ended: bool,
) -> Result<(), StoreError> {
    // Before we look for what is open: who is about to sign in looks again.
    front.sign_in.note_change();
    if ended {
        front.sessions.close_device(device, reason::NOT_AUTHORIZED);
        return Ok(());
    }
    for credential in front.sessions.credentials(device) {
        if let Credential::Certificate(fingerprint) = credential
            && !registry.is_good(device, &fingerprint).await?
        {
            let identity = Identity::Device(device);
            front.sessions.close_credential(identity, credential, reason::NOT_AUTHORIZED);
        }
    }
    Ok(())
}

/// Ends what access tokens opened whose grants are no longer good, and the connections of those whose grants now have other terms:
/// they come again and get what is theirs today, with their sessions.
async fn look_at_grants(
    registry: &Registry,
    front: &Front,
    which: impl Fn(GrantId) -> bool,
) -> Result<(), StoreError> {
    // Before we look for what is open: who is about to sign in looks again.
    front.sign_in.note_change();
    let mut known: HashMap<GrantId, Option<u64>> = HashMap::new();
    for (grant, identity, credential) in front.sessions.grants() {
        if !which(grant) {
            continue;
        }
        let terms = match known.get(&grant) {
            Some(terms) => *terms,
            None => *known.entry(grant).or_insert(registry.terms(grant).await?),
        };
        match (terms, credential) {
            (None, _) if identity == Identity::Granted(grant) => {
                front.sessions.close_grant(grant, reason::NOT_AUTHORIZED);
            }
            (Some(now), Credential::Token { terms, .. }) if now == terms => {}
            _ => front.sessions.close_credential(identity, credential, reason::NOT_AUTHORIZED),
        }
    }
    Ok(())
}

fn end_key(front: &Front, key: KeyId) {
    front.sign_in.note_change();
    front.sessions.close_key(key, reason::NOT_AUTHORIZED);
}
