//! What mail says.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, SinglePart};
use lettre::{Address, Message};

use crate::error::IdentityError;
use crate::words;

/// A mail, with the link in it if it has one.
pub(crate) enum Mail {
    /// Shows that mail reaches the person.
    VerifyEmail { url: String, warning: Option<String> },
    /// Sets a new password.
    ResetPassword { url: String },
    /// Gives an account this address.
    ChangeEmail { url: String, warning: Option<String> },
    /// Tells the address before that it is no longer that of the account.
    EmailChanged,
    /// Tells of another way into an account, or of a passkey that somebody has a copy of.
    WaysIn(WaysIn),
    /// Somebody signed up with an address that has an account already.
    AlreadySignedUp { url: String },
    /// Invites into an organization.
    Invitation { organization: String, url: String },
}

/// What happened to the ways into an account. What they are called is the person's own text, or the configuration's.
pub(crate) enum WaysIn {
    /// A passkey was added.
    PasskeyAdded { name: String },
    /// A provider was linked.
    ProviderLinked { name: String },
    /// A passkey was refused, because its counter went backwards.
    PasskeyCopied { name: String },
}

impl Mail {
    pub(super) fn message(&self, from: &Mailbox, to: &str) -> Result<Message, IdentityError> {
        let failed = |error: &dyn std::fmt::Display| IdentityError::Mail(error.to_string());
        // An address alone: with a name around it, another one than the account's could hide in it.
        let to: Address = to.parse().map_err(|_| IdentityError::Mail("the address is none".to_owned()))?;
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject())
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(self.text()))
            .map_err(|error| failed(&error))
    }

    fn subject(&self) -> String {
        match self {
            Self::VerifyEmail { .. } => words::MAIL_VERIFY_SUBJECT.to_owned(),
            Self::ResetPassword { .. } => words::MAIL_RESET_SUBJECT.to_owned(),
            Self::ChangeEmail { .. } => words::MAIL_CHANGE_SUBJECT.to_owned(),
            Self::EmailChanged => words::MAIL_CHANGED_SUBJECT.to_owned(),
            Self::WaysIn(change) => words::mail_ways_in_subject(change).to_owned(),
            Self::AlreadySignedUp { .. } => words::MAIL_ALREADY_SUBJECT.to_owned(),
            Self::Invitation { organization, .. } => words::mail_invitation_subject(organization),
        }
    }

    /// A link stands on a line of its own, so that no program breaks it.
    fn text(&self) -> String {
        match self {
            Self::VerifyEmail { url, warning } => {
                with_link(&warned(words::MAIL_VERIFY, warning.as_ref()), url)
            }
            Self::ResetPassword { url } => with_link(words::MAIL_RESET, url),
            Self::ChangeEmail { url, warning } => {
                with_link(&warned(words::MAIL_CHANGE, warning.as_ref()), url)
            }
            Self::EmailChanged => format!("{}\r\n", words::MAIL_CHANGED),
            Self::WaysIn(change) => format!("{}\r\n", words::mail_ways_in(change)),
            Self::AlreadySignedUp { url } => with_link(words::MAIL_ALREADY, url),
            Self::Invitation { organization, url } => with_link(&words::mail_invitation(organization), url),
        }
    }
}

fn warned(text: &str, warning: Option<&String>) -> String {
    warning.map_or_else(|| text.to_owned(), |warning| format!("{text}\r\n{warning}"))
}

fn with_link(text: &str, url: &str) -> String {
    format!("{text}\r\n\r\n{url}\r\n\r\n{}\r\n", words::MAIL_NOT_YOU)
}
