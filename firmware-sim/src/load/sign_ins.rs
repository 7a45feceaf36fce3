//! A storm of sign-ins: what a broker sees when a site's power comes back.

use super::connection::{Connection, SignIn};
use super::frame;
use super::{LoadError, LoadPlan};
use crate::fleet::Credentials;
use futures_util::future::try_join_all;
use serde::Serialize;
use std::cell::Cell;
use tokio::time::Instant;

/// What came of it. One line of JSON in the program.
#[derive(Clone, Debug, Serialize)]
pub struct SignInResult {
    /// Connections that were opened, signed in and closed again.
    pub sign_ins: u64,
    /// From the first to the last.
    pub seconds: f64,
    /// Sign-ins a second.
    pub sign_ins_per_s: f64,
}

/// Signs the devices in again and again, as many at a time as the plan has connections, until the plan's time is over.
pub async fn sign_ins(plan: &LoadPlan, devices: &[Credentials]) -> Result<SignInResult, LoadError> {
    let (started, count) = (Instant::now(), Cell::new(0_u64));
    let deadline = started + plan.time;
    let again = async |device: &Credentials| {
        let name = device.device.to_string();
        let sign_in =
            SignIn { client_id: name.clone(), user: Some((name, device.secret.clone())), keep_alive: 0 };
        while Instant::now() < deadline {
            Connection::open(&plan.mqtt, &sign_in).await?.write(&frame::DISCONNECT).await?;
            count.set(count.get() + 1);
        }
        Ok::<_, LoadError>(())
    };
    try_join_all(devices.iter().map(again)).await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(SignInResult { sign_ins: count.get(), seconds, sign_ins_per_s: count.get() as f64 / seconds })
}
