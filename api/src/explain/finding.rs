//! What can be found out about a device: a closed list.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Something that was found out, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Which of the findings it is; never changes its meaning.
    #[schema(value_type = String, example = "wrong_credentials")]
    pub code: Code,
    /// What was found out, as a sentence.
    pub what: String,
    /// What to do, as a sentence.
    #[serde(rename = "do")]
    pub remedy: String,
    /// Whether it keeps the device from its work; for a phone, being offline does not.
    #[serde(skip)]
    pub(super) is_problem: bool,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $word:literal;)*) => {
        /// The kinds of findings, causes before what they cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every kind.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => $word,)* }
            }
        }
    };
}

codes! {
    /// It was deleted, and nothing else is known of it.
    Deleted = "deleted";
    /// No server is running.
    ServerStopped = "server_stopped";
    /// It only transmits, so it never signs in, and nobody knows how it would be heard.
    TransmitsOnly = "transmits_only";
    /// It was never seen to sign in, nor to try.
    NeverSignedIn = "never_signed_in";
    /// Its last sign-in was refused: its secret or its certificate is not the device's.
    WrongCredentials = "wrong_credentials";
    /// Its last sign-in was refused: its certificate was revoked.
    CertificateRevoked = "certificate_revoked";
    /// The certificate that it last signed in with is no longer valid.
    CertificateExpired = "certificate_expired";
    /// Its last sign-in was refused, since there were too many.
    SignInThrottled = "sign_in_throttled";
    /// Its last sign-in was refused for another cause.
    SignInRefused = "sign_in_refused";
    /// A claim key lets nobody in any more.
    ClaimKeyOver = "claim_key_over";
    /// Its session went to another connection of the same client id.
    TakenOver = "taken_over";
    /// Its connection ended with its credentials.
    CredentialsEnded = "credentials_ended";
    /// It went silent and was given up.
    Lost = "lost";
    /// The server ended its connection for what it did.
    ThrownOut = "thrown_out";
    /// It is offline, for none of the reasons above.
    Offline = "offline";
    /// It stands in no venue, so what it hears counts nowhere.
    NotPlaced = "not_placed";
    /// Its battery is nearly empty, as it says itself.
    BatteryLow = "battery_low";
    /// Nobody has ever heard it.
    NeverHeard = "never_heard";
    /// Those who used to hear it do not any more.
    NotHeard = "not_heard";
    /// It is heard otherwise than it used to be.
    HeardOtherwise = "heard_otherwise";
    /// It is a phone whose person has not agreed to being counted, and what it sent in the last hour was refused.
    NoConsent = "no_consent";
    /// It ran into a limit in the last hour.
    Throttled = "throttled";
    /// Its clock is so wrong that its pings are refused.
    ClockRefused = "clock_refused";
    /// It published or subscribed where it may not, in the last hour.
    NotAuthorized = "not_authorized";
    /// What it reports in a format of its own could not be read, in the last hour.
    ReporterUnreadable = "reporter_unreadable";
    /// What it sent was refused for what is in it, in the last hour.
    ContentRefused = "content_refused";
    /// It is connected and says nothing.
    Silent = "silent";
    /// It sends messages, but no pings that are accepted.
    NoPings = "no_pings";
    /// Its clock is wrong, which is put right here.
    ClockCorrected = "clock_corrected";
    /// Its certificate ends soon, and there is no next one.
    CertificateEnding = "certificate_ending";
    /// While it is connected, somebody else is refused under its name.
    RefusedBeside = "refused_beside";
    /// Somebody asked to come in with the key of its certificate.
    KeyReplayed = "key_replayed";
    /// A claim key was refused.
    ClaimKeyRefused = "claim_key_refused";
    /// Batches that were refused may still be sent again.
    LossesOpen = "losses_open";
    /// It is heard as usual.
    Heard = "heard";
    /// Commands wait for it.
    CommandsWaiting = "commands_waiting";
    /// Its last command did not end well.
    CommandFailed = "command_failed";
    /// Nothing keeps it from its work.
    Healthy = "healthy";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Finding {
    /// What is left to say of a device that was deleted.
    pub fn deleted() -> Finding {
        Finding::problem(
            Code::Deleted,
            "The device was deleted: its secret and its certificates mean nothing any more.",
            "Register it anew and give it its new id and secret.",
        )
    }

    /// Something that keeps the device from its work.
    pub(super) fn problem(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { code, what: what.into(), remedy: remedy.into(), is_problem: true }
    }

    /// Something that is good to know.
    pub(super) fn note(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { is_problem: false, ..Finding::problem(code, what, remedy) }
    }
}
