//! Waiting for the end of a command, within a time and among so many.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use protocol::OrganizationId;
use store::{Command, NewCommand, StoreError};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::idempotency::Origin;
use crate::problem::{Kind, Problem};
use crate::serve::Closing;

/// The longest that anybody waits.
const MAX_PATIENCE: Duration = Duration::from_secs(30);
/// Calls of one organization that may wait at the same time.
pub(crate) const MAX_WAITING: usize = 256;

/// How many calls of each organization wait; cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<HashMap<OrganizationId, usize>>>);

/// Where a call may wait, and until when at most.
pub(crate) struct Room {
    waiting: Waiting,
    /// Told when the server stops.
    pub(super) closing: CancellationToken,
}

impl Room {
    /// See [`Waiting::enter`].
    pub(super) fn enter(&self, organization: OrganizationId) -> Result<Place, Problem> {
        self.waiting.enter(organization)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Room {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let waiting = parts.extensions.get::<Waiting>().cloned().unwrap_or_default();
        let closing = parts.extensions.get::<Closing>().map(|Closing(token)| token.clone());
        Ok(Self { waiting, closing: closing.unwrap_or_default() })
    }
}

/// The place of a call that waits; it is free again when this goes.
pub(crate) struct Place {
    waiting: Waiting,
    organization: OrganizationId,
}

impl Waiting {
    /// Takes a place, or refuses to wait.
    pub(crate) fn enter(&self, organization: OrganizationId) -> Result<Place, Problem> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(organization).or_default();
        if *count >= MAX_WAITING {
            let detail = format!(
                "{MAX_WAITING} calls of the organization wait already, and nothing was ordered; order without `wait`, \
                 and read the command afterwards"
            );
            return Err(Problem::new(Kind::RateLimited, detail));
        }
        *count += 1;
        Ok(Place { waiting: self.clone(), organization })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.organization);
            }
        }
    }
}

/// Gives a command and waits until it came to its end, until the time is over, or until the server stops: as it is then.
pub(super) async fn give(
    app: &App,
    new: NewCommand,
    patience: Duration,
    closing: &CancellationToken,
) -> Result<Arc<Command>, StoreError> {
    let organization = new.organization;
    let known = given_before(app, &new).await?;
    let id = known.as_ref().map_or(new.id, |known| known.id);
    let ended = async {
        match known {
            Some(known) => app.orders.wait(known, patience).await,
            None => app.orders.give_and_wait(new, patience).await,
        }
    };
    tokio::select! {
        biased;
        ended = ended => ended,
        () = closing.cancelled() => app.store.command(organization, id).await.map(Arc::new).map_err(|error| match error {
            StoreError::NotFound => StoreError::Unavailable("the server stops".to_owned()),
            other => other,
        }),
    }
}

/// Gives a command, unless the same request gave it before.
pub(super) async fn give_once(app: &App, new: NewCommand) -> Result<Arc<Command>, StoreError> {
    match given_before(app, &new).await? {
        Some(known) => Ok(known),
        None => app.orders.give(new).await,
    }
}

/// The command that the same request gave before the program died in the middle of it.
async fn given_before(app: &App, new: &NewCommand) -> Result<Option<Arc<Command>>, StoreError> {
    let Some(request) = &new.request else { return Ok(None) };
    let since = Origin::since(app.orders.now());
    let known = app.store.command_of_request(new.organization, request, since).await?;
    Ok(known.map(Arc::new))
}

/// How long to wait: a number of seconds or milliseconds with its unit.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| {
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten()
    };
    let read = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => number(digits).map(Duration::from_millis),
        (None, Some(digits)) => number(digits).map(Duration::from_secs),
        (None, None) => None,
    };
    read.filter(|patience| !patience.is_zero() && *patience <= MAX_PATIENCE)
        .ok_or_else(|| "must be a time of up to 30s, such as `3s` or `1500ms`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        for (text, ms) in [("3s", 3_000), ("1500ms", 1_500), ("30s", 30_000), ("1ms", 1)] {
            assert_eq!(patience(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "3", "s", "ms", "0s", "-1s", "+1s", "1.5s", "31s", "30001ms", "1m", "99999999999999999999s"]
        {
            assert!(patience(text).is_err(), "{text}");
        }
    }

    #[test]
    fn so_many_wait_and_a_place_is_free_again() {
        let waiting = Waiting::default();
        let (busy, other): (OrganizationId, OrganizationId) = (
            "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap(),
        );
        let mut places: Vec<Place> =
            (0..MAX_WAITING).map(|_| waiting.enter(busy).unwrap_or_else(|_| panic!())).collect();
        assert!(waiting.enter(busy).is_err_and(|refused| refused.kind() == Kind::RateLimited));
        assert!(waiting.enter(other).is_ok(), "others wait for their own");
        places.pop();
        assert!(waiting.enter(busy).is_ok());
        drop(places);
        assert!(waiting.0.lock().unwrap().is_empty());
    }
}
