//! An agent that comes in by itself when it starts: nobody stands before it, so it says in the log and to the service
//! manager what it waits for, and goes on however long that takes.

use std::time::Duration;

use tracing::{info, warn};

use super::{EnrolmentError, Progress, enrol};
use crate::Clock;
use crate::backoff::Backoff;
use crate::config::Config;
use crate::identity::{Identity, IdentityError, IdentityFile};
use crate::notify::Notifier;

/// How long to wait after the platform decided against this device, at least: somebody has to do something first.
const REFUSED: Duration = Duration::from_hours(1);

/// Who this device is. One that has no identity yet, and is to come in by itself, asks until it is in.
///
/// A decision against the device is asked for again, rarely; only what cannot heal by itself is an error. May be dropped at
/// any moment.
pub async fn come_in(
    config: &Config,
    clock: &Clock,
    seed: u64,
    notifier: &Notifier,
) -> Result<Identity, EnrolmentError> {
    let Some(enrolment) = &config.enrolment else { return Ok(Identity::require(config)?) };
    if let Some(identity) = Identity::open(config)? {
        return Ok(identity);
    }
    if enrolment.certificate && !config.link.tls {
        return Err(IdentityError::NeedsTls.into());
    }
    info!(server = enrolment.server, "this device has no identity yet and asks for one");
    let file = IdentityFile::new(config.identity_file());
    file.prepare(false)?;
    let mut patience = Backoff::new(1, 1, seed);
    loop {
        match enrol(enrolment, clock, seed, &mut |progress| tell(&progress, notifier)).await {
            Ok((device, credentials)) => {
                let identity = file.create(device, credentials)?;
                info!(%device, file = %file.path().display(), "this device has come in");
                return Ok(identity);
            }
            Err(
                error @ (EnrolmentError::Refused(_) | EnrolmentError::Unreadable | EnrolmentError::Draft(_)),
            ) => {
                let wait = patience.around(REFUSED);
                tell(&Progress::Wait(wait, Some(&error.to_string())), notifier);
                clock.until(clock.elapsed() + wait).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn tell(progress: &Progress<'_>, notifier: &Notifier) {
    match progress {
        Progress::Code(codes) => {
            info!(
                code = codes.user_code,
                at = codes.verification_uri,
                "somebody who may has to let this device in"
            );
            notifier.status(&format!(
                "let this device in: code {} at {}",
                codes.user_code, codes.verification_uri
            ));
        }
        Progress::Wait(wait, why) => {
            if let Some(why) = why {
                warn!(why, wait_ms = wait.as_millis() as u64, "this device is not in yet");
            }
            notifier.starts_later(*wait);
        }
    }
}
