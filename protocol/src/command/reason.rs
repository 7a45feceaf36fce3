//! Why a command did not end well: a closed list that callers may rely on.

use crate::text::serde_as_text;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// Why a command was refused, failed, expired or was cancelled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CommandReason {
            $($(#[$doc])* $variant,)*
        }

        impl CommandReason {
            /// Every reason, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it in JSON and SQL.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The device knows no command of that name.
    UnknownCommand = "unknown_command",
    /// The device knows the command and cannot read what came with it.
    BadArguments = "bad_arguments",
    /// A value is beyond what the device can do.
    OutOfRange = "out_of_range",
    /// The device cannot do it in its present state or configuration.
    NotSupported = "not_supported",
    /// The device does something else, or its journal is full.
    Busy = "busy",
    /// The command has a deadline and the device does not know the time.
    ClockUnknown = "clock_unknown",
    /// The device got it, or came to it, after its deadline.
    DeadlinePassed = "deadline_passed",
    /// The device takes signed commands only.
    NotSigned = "not_signed",
    /// The signature is not that of a key the device trusts, or signs something else.
    BadSignature = "bad_signature",
    /// What was signed was run before.
    Replayed = "replayed",
    /// The device lost power or was restarted while it ran; how far it came is not known.
    Interrupted = "interrupted",
    /// The device tried and could not.
    DeviceError = "device_error",
    /// The device tried and gave up after its own time.
    TimedOut = "timed_out",
    /// The device gave a reason of its own, which stands beside it in words.
    Other = "other",
    /// The platform could not hand it to the device before the deadline.
    Undelivered = "undelivered",
    /// The device got it and did not say how it ended.
    Unanswered = "unanswered",
    /// Whoever ordered it called it back.
    Cancelled = "cancelled",
    /// The device was deleted.
    DeviceDeleted = "device_deleted",
}

impl CommandReason {
    /// Whether a device can give it; the others are the platform's.
    pub const fn is_of_devices(self) -> bool {
        !matches!(self, Self::Undelivered | Self::Unanswered | Self::Cancelled | Self::DeviceDeleted)
    }
}

/// A word that is no reason of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason of a command")]
pub struct CommandReasonError;

impl std::fmt::Display for CommandReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for CommandReason {
    type Err = CommandReasonError;

    fn from_str(text: &str) -> Result<Self, CommandReasonError> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(CommandReasonError)
    }
}

serde_as_text!(CommandReason, "a reason of a command");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for reason in CommandReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert_eq!("because".parse::<CommandReason>(), Err(CommandReasonError));
    }
}
