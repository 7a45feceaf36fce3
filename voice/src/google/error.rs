//! Why Google is refused something.

use protocol::CommandReason;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// A code of Google's list of errors; the assistant has a sentence for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code that is used here.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

codes! {
    /// The request is not one.
    ProtocolError = "protocolError",
    /// The access token does not reach so far.
    AuthFailure = "authFailure",
    /// Nothing of that id is the person's.
    DeviceNotFound = "deviceNotFound",
    /// The device has no such function.
    FunctionNotSupported = "functionNotSupported",
    /// The function has no such setting.
    NotSupported = "notSupported",
    /// The value is beyond the ends.
    ValueOutOfRange = "valueOutOfRange",
    /// The device is not connected.
    DeviceOffline = "deviceOffline",
    /// The device does something else.
    DeviceBusy = "deviceBusy",
    /// The device cannot do anything yet.
    DeviceNotReady = "deviceNotReady",
    /// The device cannot do it in its present state.
    ActionNotAvailable = "actionNotAvailable",
    /// The device must not do it.
    SecurityRestriction = "securityRestriction",
    /// It may work when tried again.
    TransientError = "transientError",
    /// It was called back.
    UserCancelled = "userCancelled",
    /// The device tried and could not.
    HardError = "hardError",
    /// The PIN was wrong too often.
    TooManyFailedAttempts = "tooManyFailedAttempts",
    /// The person has to answer first.
    ChallengeNeeded = "challengeNeeded",
}

/// What a person has to answer before something is done: the `type` of `challengeNeeded` (two-factor authentication).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Yes.
    Ack,
    /// The PIN of the device.
    Pin,
    /// The PIN of the device, since what was said is not it.
    PinAgain,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be, or must not be.
    Error(ErrorCode),
    /// The person has to answer first.
    Challenge(Challenge),
}

impl Challenge {
    /// Every one of them.
    pub const ALL: &[Self] = &[Self::Ack, Self::Pin, Self::PinAgain];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ackNeeded",
            Self::Pin => "pinNeeded",
            Self::PinAgain => "challengeFailedPinNeeded",
        }
    }
}

/// The words for everything that an answer refuses: of the request as a whole, and of each device. That a device which was only
/// asked about is not connected is no refusal.
pub(crate) fn refusals(answer: &Value) -> Vec<&'static str> {
    let payload = &answer["payload"];
    let commands = payload["commands"].as_array().into_iter().flatten();
    let asked = payload["devices"].as_object().into_iter().flat_map(Map::values);
    let asked = asked.filter(|device| device["status"] == "ERROR");
    let word = |one: &Value| {
        let challenge = one["challengeNeeded"]["type"].as_str();
        let word = challenge.or_else(|| one["errorCode"].as_str())?;
        let challenges = Challenge::ALL.iter().map(|challenge| challenge.as_str());
        ErrorCode::ALL.iter().map(|code| code.as_str()).chain(challenges).find(|known| *known == word)
    };
    commands.chain(asked).chain([payload]).filter_map(word).collect()
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::Error(code)
    }
}

impl From<CommandReason> for ErrorCode {
    fn from(reason: CommandReason) -> Self {
        use CommandReason as R;
        match reason {
            R::UnknownCommand => Self::FunctionNotSupported,
            R::BadArguments => Self::NotSupported,
            R::OutOfRange => Self::ValueOutOfRange,
            R::NotSupported => Self::ActionNotAvailable,
            R::Busy => Self::DeviceBusy,
            R::ClockUnknown => Self::DeviceNotReady,
            R::NotSigned | R::BadSignature | R::Replayed => Self::SecurityRestriction,
            R::DeadlinePassed | R::Interrupted | R::TimedOut | R::Unanswered => Self::TransientError,
            R::DeviceError | R::Other => Self::HardError,
            R::Undelivered => Self::DeviceOffline,
            R::Cancelled => Self::UserCancelled,
            R::DeviceDeleted => Self::DeviceNotFound,
        }
    }
}
