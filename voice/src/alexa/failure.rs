//! Why Alexa is refused something.

use protocol::CommandReason;
use serde_json::{Value, json};

macro_rules! types {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The `type` of an `Alexa.ErrorResponse`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorType {
            /// Every type that is used here.
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

types! {
    /// The device is not connected, or does not answer.
    EndpointUnreachable = "ENDPOINT_UNREACHABLE",
    /// Nothing of that id is the person's.
    NoSuchEndpoint = "NO_SUCH_ENDPOINT",
    /// The device does something else.
    EndpointBusy = "ENDPOINT_BUSY",
    /// The value is beyond the ends.
    ValueOutOfRange = "VALUE_OUT_OF_RANGE",
    /// The value is none of those there are.
    InvalidValue = "INVALID_VALUE",
    /// The directive is not known, not for this device, or not one at all.
    InvalidDirective = "INVALID_DIRECTIVE",
    /// The access token is over.
    ExpiredAuthorizationCredential = "EXPIRED_AUTHORIZATION_CREDENTIAL",
    /// The access token is not good.
    InvalidAuthorizationCredential = "INVALID_AUTHORIZATION_CREDENTIAL",
    /// The access token does not reach so far, or the device takes this only after a question that Alexa does not ask.
    InsufficientPermissions = "INSUFFICIENT_PERMISSIONS",
    /// The device cannot do it in its present state.
    NotSupportedInCurrentMode = "NOT_SUPPORTED_IN_CURRENT_MODE",
    /// The device tried and could not.
    HardwareMalfunction = "HARDWARE_MALFUNCTION",
    /// It did not work, and none of the others says why.
    InternalError = "INTERNAL_ERROR",
}

/// The `type` of the answer to `AcceptGrant` when its code is worth nothing.
pub(super) const ACCEPT_GRANT_FAILED: &str = "ACCEPT_GRANT_FAILED";

/// The word for what an answer refuses; none where it refuses nothing.
pub(crate) fn refusal(answer: &Value) -> Option<&'static str> {
    let event = &answer["event"];
    if event["header"]["name"] != "ErrorResponse" {
        return None;
    }
    let types = ErrorType::ALL.iter().map(|kind| kind.as_str()).chain([ACCEPT_GRANT_FAILED]);
    types.into_iter().find(|word| event["payload"]["type"] == *word)
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What Alexa makes a sentence of.
    pub kind: ErrorType,
    /// More, for the log of the skill; people do not hear it.
    pub message: String,
    /// The lowest and the highest value, where one was beyond them.
    pub valid: Option<(f64, f64)>,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), valid: None }
    }

    /// A value is beyond its ends.
    pub(super) fn beyond(min: f64, max: f64) -> Self {
        let message = format!("the value is not between {min} and {max}");
        Self { valid: Some((min, max)), ..Self::new(ErrorType::ValueOutOfRange, message) }
    }

    /// The payload lacks a member.
    pub(super) fn lacks(member: &str) -> Self {
        Self::new(ErrorType::InvalidDirective, format!("the payload has no `{member}`"))
    }

    /// The payload of an `ErrorResponse`.
    pub(super) fn payload(&self) -> Value {
        let mut payload = json!({"type": self.kind.as_str(), "message": self.message});
        if let Some((min, max)) = self.valid {
            payload["validRange"] = json!({"minimumValue": min, "maximumValue": max});
        }
        if self.kind == ErrorType::NotSupportedInCurrentMode {
            payload["currentDeviceMode"] = json!("OTHER");
        }
        payload
    }
}

impl From<CommandReason> for Failure {
    fn from(reason: CommandReason) -> Self {
        use CommandReason as R;
        let kind = match reason {
            R::UnknownCommand | R::BadArguments => ErrorType::InvalidDirective,
            R::OutOfRange => ErrorType::ValueOutOfRange,
            R::NotSupported => ErrorType::NotSupportedInCurrentMode,
            R::Busy => ErrorType::EndpointBusy,
            R::NotSigned | R::BadSignature | R::Replayed => ErrorType::InsufficientPermissions,
            R::DeviceError => ErrorType::HardwareMalfunction,
            R::Undelivered | R::Unanswered => ErrorType::EndpointUnreachable,
            R::DeviceDeleted => ErrorType::NoSuchEndpoint,
            R::ClockUnknown | R::DeadlinePassed | R::Interrupted | R::TimedOut | R::Other | R::Cancelled => {
                ErrorType::InternalError
            }
        };
        Self::new(kind, format!("the device: {reason}"))
    }
}
