//! Why a device is not connected, or may soon not be.

use protocol::{DeviceKind, Timestamp};

use super::Evidence;
use crate::devices::certificates::{Certificate, CertificateState};
use crate::explain::facts::{Disconnected, RefusedSignIn};
use crate::explain::finding::{Code, Finding};
use crate::explain::words::{counted, length};

/// A certificate is told to end when a third of its time is left, but not earlier than this.
const ENDING_MS: i64 = 30 * 24 * 3_600_000;

impl Evidence {
    /// What keeps it, kept it or may keep it from being connected.
    pub(super) fn of_connection(&self) -> Vec<Finding> {
        let found = if self.is_connected() {
            vec![self.refused_beside(), self.certificate_ending(), self.key_replayed()]
        } else {
            vec![
                self.is_stopped.then(server_stopped),
                self.never_signed_in(),
                self.refused(),
                self.certificate_expired(),
                self.ended(),
                self.key_replayed(),
            ]
        };
        found.into_iter().flatten().collect()
    }

    fn never_signed_in(&self) -> Option<Finding> {
        let facts = &self.facts;
        let was_seen =
            facts.sign_in.is_some() || facts.refused_sign_in.is_some() || facts.disconnected.is_some();
        // What reports over HTTP does not sign in.
        if was_seen || facts.last_message_at.is_some() {
            return None;
        }
        Some(Finding::problem(
            Code::NeverSignedIn,
            "It was never seen to sign in, nor to try.",
            "Check that it is switched on and reaches this server, and that it signs in with its id as the user name and its \
             secret as the password, or with its certificate.",
        ))
    }

    /// The last sign-in was refused.
    fn refused(&self) -> Option<Finding> {
        let refused = self.last_refusal()?;
        let (code, why, remedy) = match &*refused.cause {
            "bad_credentials" if self.kind == DeviceKind::Phone => (
                Code::WrongCredentials,
                "what it showed does not sign it in".to_owned(),
                "A person's phone signs in with an access token for MQTT: let its application get a new one. Another phone signs in \
                 with its secret.",
            ),
            "bad_credentials" => (
                Code::WrongCredentials,
                "its secret or certificate is not this device's".to_owned(),
                "Give it its secret again; POST /api/v1/devices/{device}/credentials makes a new one and voids the old one.",
            ),
            "certificate_revoked" => (
                Code::CertificateRevoked,
                "its certificate was revoked, or belongs to another device".to_owned(),
                "If it is to go on, give it a new certificate; if it was stolen, leave it as it is.",
            ),
            "sign_ins_per_address" => (
                Code::SignInThrottled,
                "there were too many from its address".to_owned(),
                "Let it wait longer between attempts; if it is not the one that tries, find out what does at that address.",
            ),
            "connections_per_device" => (
                Code::SignInRefused,
                "it had as many connections as a device may have".to_owned(),
                "See that no two devices have the same id, and that its program ends a connection before it makes another.",
            ),
            "connections_per_organization" => (
                Code::SignInRefused,
                "its organization had as many connections as it may have".to_owned(),
                "Disconnect what is not needed, or raise `mqtt.limits.organization.connections`.",
            ),
            cause => (
                Code::SignInRefused,
                format!("the cause is `{cause}`"),
                "Look the cause up in docs/mqtt.md, and in the server's log at that time.",
            ),
        };
        let from = refused.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
        let what = format!("Its last sign-in, {}{from}, was refused: {why}.", self.ago(refused.at));
        Some(Finding::problem(code, what, remedy))
    }

    /// Its certificate ran out, which the handshake refuses before anybody knows who it is.
    fn certificate_expired(&self) -> Option<Finding> {
        let used = self.used_certificate()?;
        (used.state == CertificateState::Expired).then(|| {
            let what =
                format!("The certificate that it last signed in with ended {}.", self.ago(used.not_after.0));
            Finding::problem(Code::CertificateExpired, what, "Give it a new certificate.")
        })
    }

    /// How its last connection ended.
    fn ended(&self) -> Option<Finding> {
        let facts = &self.facts;
        if facts.sign_in.is_none() && facts.disconnected.is_none() {
            return None;
        }
        // An end from before the last sign-in says nothing of that one's.
        let let_in = facts.sign_in.as_ref().map_or(Timestamp(i64::MIN), |sign_in| sign_in.at);
        let unseen = Disconnected::default();
        let ended = facts.disconnected.as_ref().filter(|ended| ended.at >= let_in).unwrap_or(&unseen);
        let (code, what, remedy) = match &*ended.cause {
            "session_taken_over" => (
                Code::TakenOver,
                "another connection with the same client id took its session".to_owned(),
                "See that no two devices have the same id, and that one device does not connect twice at a time.",
            ),
            "credentials_ended" if self.kind == DeviceKind::Phone => (
                Code::CredentialsEnded,
                "its access token ended, as it does after an hour, or what it stood for was changed or taken back".to_owned(),
                "Nothing needs to be done if it comes back by itself; else let its application get a new token.",
            ),
            "credentials_ended" => (
                Code::CredentialsEnded,
                "its secret was replaced, or its certificate ended or was revoked".to_owned(),
                "Give it its new secret or a new certificate.",
            ),
            "keep_alive_timeout" => (
                Code::Lost,
                "nothing came from it any more, and it was given up".to_owned(),
                "Check its power and its network.",
            ),
            "" | "goodbye" | "connection_lost" | "server_stopped" => (
                Code::Offline,
                offline(&ended.cause).to_owned(),
                "Check that it is switched on and has a network; it connects again by itself.",
            ),
            cause => (
                Code::ThrownOut,
                format!("the server ended its connection: `{cause}`"),
                "Look the cause up in docs/mqtt.md; its program has to be changed.",
            ),
        };
        let since = if ended.at > Timestamp(0) {
            format!(" It ended {}.", self.ago(ended.at))
        } else {
            String::new()
        };
        let what = format!("It is offline: {what}.{since}");
        // A phone is offline most of the time, and is well.
        if self.kind == DeviceKind::Phone && matches!(code, Code::Offline | Code::Lost) {
            return Some(Finding::note(code, what, "Nothing, unless it should be here."));
        }
        Some(Finding::problem(code, what, remedy))
    }

    fn refused_beside(&self) -> Option<Finding> {
        let refused = self.last_refusal()?;
        let from = refused.address.as_deref().unwrap_or("an address that is not known");
        let what = format!(
            "It is connected, and since then somebody at {from} was refused under its name, {}: `{}`.",
            self.ago(refused.at),
            refused.cause
        );
        let remedy = "See whether another device was given its id; else somebody is trying.";
        Some(Finding::note(Code::RefusedBeside, what, remedy))
    }

    fn certificate_ending(&self) -> Option<Finding> {
        let used = self.used_certificate()?;
        let (ends, left) = (used.not_after, used.not_after.0.since(self.now));
        let whole = used.not_after.0.since(used.not_before.0);
        let has_next = self
            .certificates
            .iter()
            .any(|other| other.not_after > ends && other.state != CertificateState::Revoked);
        if used.state != CertificateState::Valid || has_next || left > ENDING_MS.min(whole / 3) {
            return None;
        }
        let what = format!("Its certificate ends in {} ({ends}), and it has no next one.", length(left));
        Some(Finding::note(Code::CertificateEnding, what, "Give it a new certificate before that."))
    }

    /// Whoever copied a request to sign has not the key that it is for, and was refused.
    fn key_replayed(&self) -> Option<Finding> {
        let replayed = self.certificates.iter().filter_map(|certificate| certificate.replayed.as_ref());
        let last = replayed.clone().max_by_key(|replayed| replayed.last_at.0)?;
        let from = last.last_from.as_deref().unwrap_or("an address that is not known");
        let times = counted(replayed.map(|replayed| replayed.count).max().unwrap_or_default(), "time");
        let what = format!(
            "A request to sign its key was shown again {times} by whoever asked to come in, the last time {} from {from}. It was \
             refused.",
            self.ago(last.last_at.0)
        );
        let remedy = "If it was not the device itself after a reset, somebody has a copy of its request, which is worth nothing without \
                      its key. A device that was reset makes a new key.";
        Some(Finding::note(Code::KeyReplayed, what, remedy))
    }

    /// The refused sign-in, if nobody was let in since. That it is connected is known at once, how it signed in only when
    /// the facts are saved again.
    fn last_refusal(&self) -> Option<&RefusedSignIn> {
        let signed_in = self.facts.sign_in.as_ref().map(|sign_in| sign_in.at);
        let let_in = signed_in.max(self.connected_since).unwrap_or(Timestamp(i64::MIN));
        self.facts.refused_sign_in.as_ref().filter(|refused| refused.at > let_in)
    }

    /// The certificate of the last sign-in.
    fn used_certificate(&self) -> Option<&Certificate> {
        let used = self.facts.sign_in.as_ref()?.certificate.as_deref()?.parse().ok()?;
        self.certificates.iter().find(|certificate| certificate.fingerprint == used)
    }
}

fn server_stopped() -> Finding {
    Finding::problem(
        Code::ServerStopped,
        "No server is running from this data directory, so nobody is connected.",
        "Start it with `promenade serve`. What follows is what it saw when it ran.",
    )
}

fn offline(cause: &str) -> &'static str {
    match cause {
        "goodbye" => "it said goodbye",
        "connection_lost" => "its connection broke",
        "server_stopped" => "the server stopped, and it has not come back since",
        _ => "how its connection ended was not seen",
    }
}
