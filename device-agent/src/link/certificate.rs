//! The link's part in renewing the certificate that it signs in with.

use std::time::Duration;

use protocol::Topic;
use serde_json::Value;
use tracing::{info, warn};

use super::connection::Tag;
use super::renewal::Failure;
use super::{Link, State, client_config};
use crate::Clock;
use crate::identity::{Settled, Validity};

impl Link {
    /// Asks for the next certificate when it is time. The system's clock says so, whatever is thought of it for commands:
    /// TLS goes by it as well.
    ///
    /// Returns the elapsed time at which to look again; never without a certificate of the agent's own.
    pub fn renew(&mut self, clock: &Clock) -> Option<Duration> {
        let validity = self.validity?;
        let (wall, now) = (clock.now(), clock.elapsed());
        self.renewal.mourn(validity, wall);
        if let State::Joined(connection, _) = &self.state
            && let Some(request) = self.renewal.work(validity, wall, now)
        {
            let topic = Topic::CertificateRequest(self.identity.device);
            let body = serde_json::to_vec(&request).unwrap_or_default();
            if connection.tell(&topic, body, Tag::Notice) {
                info!(not_after = validity.not_after.0, "the next certificate is asked for");
            } else {
                self.renewal.failed(Failure::Unanswered, now);
            }
        }
        Some(self.renewal.due(now))
    }

    /// What is to be reported of the certificate, if it is another than was told last.
    pub fn certificate_report(&mut self) -> Option<Value> {
        self.renewal.report(self.validity?)
    }

    /// Takes what was answered. Returns whether the link is to sign in anew, with the next certificate.
    pub(super) fn answered(&mut self, body: &[u8], clock: &Clock) -> bool {
        let Some(answer) = self.renewal.answer(body, clock.now()) else {
            warn!("a certificate came that nobody asked for");
            return false;
        };
        let taken = answer.and_then(|next| {
            // Whatever TLS finds wrong with it shows before it is written.
            client_config(&self.config, Some(&next)).map_err(|_| Failure::Stranger)?;
            let keyring = self.identity.keyring.as_mut().ok_or(Failure::Device)?;
            keyring.renew(next).map_err(|error| {
                warn!(%error, "the next certificate cannot be written");
                Failure::Device
            })
        });
        if let Err(failure) = taken {
            self.renewal.failed(failure, clock.elapsed());
            return false;
        }
        info!("the next certificate is here; the link signs in with it");
        self.present();
        true
    }

    /// A sign-in worked: of two certificates it is known which.
    pub(super) fn settle(&mut self, clock: &Clock) {
        match self.identity.keyring.as_mut().map(crate::identity::Keyring::signed_in) {
            None | Some(Settled::Nothing) => return,
            Some(Settled::Renewed) => {
                info!("the certificate is renewed");
                self.renewal.renewed(clock.elapsed());
            }
            Some(Settled::GivenUp) => self.renewal.failed(Failure::SignIn, clock.elapsed()),
        }
        self.present();
    }

    /// A sign-in did not work: of two certificates it is the other's turn.
    pub(super) fn alternate(&mut self) {
        if let Some(keyring) = self.identity.keyring.as_mut().filter(|keyring| keyring.is_trying()) {
            keyring.failed();
            self.present();
        }
    }

    /// Shows the current certificate from the next connection on.
    fn present(&mut self) {
        match client_config(&self.config, self.identity.pair()) {
            Ok(tls) => self.tls = tls,
            Err(error) => warn!(%error, "a certificate cannot be shown"),
        }
        self.validity = self.identity.pair().and_then(|pair| Validity::of(&pair.certificate).ok());
    }
}
