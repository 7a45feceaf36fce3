//! Registers what a simulation needs through the HTTP API, and reads its numbers back.

mod answer;

pub use answer::{Footfall, MeasuredBucket, MeasuredStay};

use crate::fleet::Credentials;
use protocol::{DeviceId, DeviceKind, Identifier, Profile, Timestamp, VenueId, ZoneId, ZoneKind};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// A client of the HTTP API with one token.
#[derive(Debug)]
pub struct Registrar {
    http: reqwest::Client,
    base: String,
    token: String,
    run: String,
    requests: AtomicU64,
}

/// A venue to register.
#[derive(Clone, Debug, Serialize)]
pub struct NewVenue {
    /// Its name.
    pub name: String,
    /// Its IANA time zone.
    pub timezone: String,
    /// When its day starts, `HH:MM`.
    pub day_starts_at: String,
    /// Its locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Prefixes of identifiers that it counts besides the usual ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admits: Vec<String>,
}

/// A zone to register.
#[derive(Clone, Debug, Serialize)]
pub struct NewZone {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ZoneKind,
    /// The zones next to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<ZoneId>,
    /// Its corners in metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polygon: Option<Vec<[f64; 2]>>,
}

/// A device to register.
#[derive(Clone, Debug, Serialize)]
pub struct NewDevice {
    /// Its kind.
    pub kind: DeviceKind,
    /// Its name.
    pub name: String,
    /// Where it hangs, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venue: Option<VenueId>,
    /// The zone it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneId>,
    /// Metres right, up the plan, above the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 3]>,
    /// What it transmits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// What it is to people and assistants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// Why the API could not be used.
#[derive(Debug, Error)]
pub enum RegistrarError {
    /// No answer, or one that is not JSON of the contract's shape.
    #[error("{what}: {source}")]
    Http {
        /// The request.
        what: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The API said no.
    #[error("{what} was answered with {status}: {body}")]
    Refused {
        /// The request.
        what: String,
        /// The answer's status.
        status: StatusCode,
        /// The problem document.
        body: String,
    },
    /// The API answered without something the contract promises.
    #[error("{what}: {why}")]
    Unexpected {
        /// The request.
        what: String,
        /// What is missing.
        why: String,
    },
}

#[derive(Deserialize)]
struct Made<I> {
    id: I,
    #[serde(default)]
    secret: Option<String>,
}

impl Registrar {
    /// A client of the API at `base` (`http://HOST:PORT`). `run` tells this run's idempotency keys from every other's: give
    /// something that never comes again, because a repeated key is answered without secrets.
    pub fn new(base: &str, token: &str, run: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            run: run.to_owned(),
            requests: AtomicU64::new(0),
        }
    }

    /// Registers a venue.
    pub async fn venue(&self, venue: &NewVenue) -> Result<VenueId, RegistrarError> {
        Ok(self.post::<Made<VenueId>>("/venues", venue).await?.id)
    }

    /// Registers a zone.
    pub async fn zone(&self, venue: VenueId, zone: &NewZone) -> Result<ZoneId, RegistrarError> {
        Ok(self.post::<Made<ZoneId>>(&format!("/venues/{venue}/zones"), zone).await?.id)
    }

    /// Registers a device and keeps its secret.
    pub async fn device(&self, device: &NewDevice) -> Result<Credentials, RegistrarError> {
        let made: Made<DeviceId> = self.post("/devices", device).await?;
        let secret = made.secret.ok_or_else(|| RegistrarError::Unexpected {
            what: format!("POST /devices for {}", device.name),
            why: "the answer has no secret".to_owned(),
        })?;
        Ok(Credentials { device: made.id, secret })
    }

    /// Registers a device that only transmits. One whose identifier is registered already, as after an earlier run of the
    /// same seed, is left as it is.
    pub async fn transmitter(&self, device: &NewDevice) -> Result<(), RegistrarError> {
        match self.device(device).await {
            Err(RegistrarError::Refused { status: StatusCode::CONFLICT, .. }) => {
                tracing::debug!(device.name, "its identifier is registered already");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// The footfall of [from, to) by the hour and as a whole; both ends are starts of the venue's day.
    pub async fn footfall(
        &self,
        venue: VenueId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Footfall, RegistrarError> {
        let path = format!("/venues/{venue}/footfall");
        let window = [("from", rfc3339(from)), ("to", rfc3339(to))];
        let bucket = |size: &str| {
            let mut query: Vec<(&str, String)> = window.to_vec();
            query.push(("bucket", size.to_owned()));
            query
        };
        let hours: answer::Series = self.get(&path, &bucket("hour")).await?;
        let days: answer::Series = self.get(&path, &bucket("day")).await?;
        Footfall::of(hours, days)
            .map_err(|why| RegistrarError::Unexpected { what: format!("GET {path}"), why })
    }

    /// Waits until everything before `until` is complete and nothing of [from, to), which begins and ends at full hours, is
    /// being recomputed; an error when that takes longer than the patience.
    pub async fn settled(
        &self,
        venue: VenueId,
        (from, to): (Timestamp, Timestamp),
        until: Timestamp,
        patience: Duration,
    ) -> Result<(), RegistrarError> {
        let path = format!("/venues/{venue}/footfall");
        let query = [("from", rfc3339(from)), ("to", rfc3339(to)), ("bucket", "hour".to_owned())];
        let asked = Instant::now();
        loop {
            let state: answer::Completeness = self.get(&path, &query).await?;
            if state.is_settled(until) {
                return Ok(());
            }
            if asked.elapsed() > patience {
                let why = format!("not complete through {} after {patience:?}: {state:?}", rfc3339(until));
                return Err(RegistrarError::Unexpected { what: format!("GET {path}"), why });
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every stay that touches [from, to), by pages.
    pub async fn stays(
        &self,
        venue: VenueId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MeasuredStay>, RegistrarError> {
        let path = format!("/venues/{venue}/stays");
        let mut query = vec![("from", rfc3339(from)), ("to", rfc3339(to)), ("limit", "500".to_owned())];
        let mut stays = Vec::new();
        loop {
            let page: answer::Stays = self.get(&path, &query).await?;
            for item in page.items {
                let stay = MeasuredStay::of(item);
                let stay =
                    stay.map_err(|why| RegistrarError::Unexpected { what: format!("GET {path}"), why })?;
                stays.push(stay);
            }
            query.truncate(3);
            match page.next_cursor {
                Some(cursor) => query.push(("cursor", cursor)),
                None => return Ok(stays),
            }
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, RegistrarError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request = self.request(Method::POST, path);
        let request = request.header("Idempotency-Key", format!("{}-{number}", self.run)).json(body);
        self.answer(format!("POST {path}"), request).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, RegistrarError> {
        let request = self.request(Method::GET, path).query(query);
        self.answer(format!("GET {path}"), request).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        what: String,
        request: reqwest::RequestBuilder,
    ) -> Result<T, RegistrarError> {
        let http = |source| RegistrarError::Http { what: what.clone(), source };
        let response = request.send().await.map_err(http)?;
        let status = response.status();
        if !status.is_success() {
            let body = response.text().await.map_err(http)?;
            return Err(RegistrarError::Refused { what, status, body });
        }
        response.json().await.map_err(http)
    }
}

/// A moment as the API writes it.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}
