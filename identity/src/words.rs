//! Every text that people read, in one place and in English.

mod assistants;

use store::Scope;

use crate::mail::WaysIn;
use crate::oauth::scope::IdentityScope;
use crate::passkey::Refused;
use crate::password::{LONGEST, PasswordMistake, SHORTEST};

pub(crate) use assistants::{
    ASSISTANTS, assistant, assistant_broken, assistant_linked, assistant_unlinked, assistant_untold,
};

pub(crate) const PRODUCT: &str = "Promenade";
pub(crate) const GOOGLE: &str = "Google";
pub(crate) const AMAZON: &str = "Amazon";

// Signing in and out
pub(crate) const SIGN_IN: &str = "Sign in";
pub(crate) const SIGN_OUT: &str = "Sign out";
pub(crate) const SIGN_UP: &str = "Make an account";
pub(crate) const SIGNED_IN: &str = "Signed in";
pub(crate) const SIGNED_OUT: &str = "You are signed out";
pub(crate) const SIGN_OUT_QUESTION: &str = "Sign out?";
pub(crate) const STAY: &str = "Stay signed in";
pub(crate) const SIGN_IN_FIRST: &str = "Sign in first.";
pub(crate) const EMAIL: &str = "E-mail address";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const FORGOT_PASSWORD: &str = "I forgot my password";
pub(crate) const WRONG_PASSWORD: &str = "The e-mail address or the password is wrong.";
pub(crate) const SECOND_FACTOR: &str = "Second step";
pub(crate) const CODE: &str = "Code";
pub(crate) const CODE_HINT: &str = "The six digits that your app shows, or one of your recovery codes.";
pub(crate) const WRONG_CODE: &str = "That code is wrong, or was used before.";
pub(crate) const SIGN_IN_WITH_PASSKEY: &str = "Sign in with a passkey";
pub(crate) const PASSKEY_CANCELLED: &str = "That was cancelled, or took too long. Try again.";
pub(crate) const PASSKEY_FAILED: &str = "That did not work. Try again, or use another way to sign in.";
pub(crate) const CEREMONY_OVER: &str = "That took too long, or was done already. Try again.";
pub(crate) const PROVIDER_OVER: &str =
    "This sign-in is over, was done already, or began in another browser. Start again.";
pub(crate) const ACCOUNT_DISABLED: &str = "This account was disabled. Ask whoever runs this server.";

// Coming in
pub(crate) const SET_UP: &str = "Set up Promenade";
pub(crate) const SET_UP_TEXT: &str = "Make the first account. It will be the owner of this installation.";
pub(crate) const MAKE_ACCOUNT: &str = "Make the account";
pub(crate) const NAME: &str = "Name";
pub(crate) const NEW_PASSWORD: &str = "New password";
pub(crate) const PASSWORD_HINT: &str =
    "At least 8 characters. A few words are easier to remember than signs.";
pub(crate) const LONG_NAME: &str = "The name may have at most 200 characters.";
pub(crate) const NO_ADDRESS: &str = "That is no e-mail address.";
pub(crate) const CHECK_MAIL: &str = "Look into your mail";
pub(crate) const VERIFY_FIRST: &str =
    "We sent you a link. Follow it to show that the address is yours, then sign in.";
pub(crate) const VERIFY: &str = "Verify the address";
pub(crate) const VERIFIED: &str = "The address is verified.";
pub(crate) const TAKEN: &str = "Another account has this address by now.";
pub(crate) const RESET: &str = "Set a new password";
pub(crate) const RESET_TEXT: &str = "Type your e-mail address, and we send you a link.";
pub(crate) const RESET_SENT: &str = "If there is an account with that address, we sent a link to it.";
pub(crate) const NO_MAIL: &str = "This server sends no mail. Ask whoever runs it.";
pub(crate) const SEND_LINK: &str = "Send the link";
pub(crate) const SET_PASSWORD: &str = "Set the password";
pub(crate) const PASSWORD_SET: &str = "The password is set, and every browser was signed out.";
pub(crate) const INVITATION: &str = "Invitation";
pub(crate) const ACCEPT: &str = "Accept the invitation";
pub(crate) const HAVE_ACCOUNT: &str = "I have an account: sign in and accept";
pub(crate) const SIGN_IN_TO_ACCEPT: &str = "There is an account with this address. Sign in to accept.";
pub(crate) const MEMBER_ALREADY: &str = "You are a member of this organization already.";

// Agreeing
pub(crate) const AGREE: &str = "Agree and link";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const CONTINUE: &str = "Continue";
pub(crate) const IT_WILL: &str = "It will be able to";
pub(crate) const OTHER_ACCOUNT: &str = "Use another account";
pub(crate) const UNLINK_ANY_TIME: &str =
    "You can unlink it at any time, on the page of your linked services.";
pub(crate) const LET_DEVICE_IN: &str = "Let a device in";
pub(crate) const DEVICE_CODE: &str = "Code on the device";
pub(crate) const DEVICE_CODE_HINT: &str = "Eight letters, such as BCDF-GHJK.";
pub(crate) const WRONG_DEVICE_CODE: &str =
    "No device waits with this code. It may be over: start again on the device.";
pub(crate) const NOTHING_TO_ALLOW: &str =
    "Your role in the organization allows nothing of what the device asks for.";
pub(crate) const DEVICE_IS_IN: &str = "The device is in. You can go back to it.";
pub(crate) const DEVICE_IS_OUT: &str = "The device was refused.";

// A person's own pages
pub(crate) const ACCOUNT: &str = "Your account";
pub(crate) const PROFILE: &str = "Profile";
pub(crate) const LANGUAGE: &str = "Language";
pub(crate) const LANGUAGE_HINT: &str = "A language tag such as en or de-CH. May be left empty.";
pub(crate) const NO_LANGUAGE: &str = "That is no language tag.";
pub(crate) const SAVE: &str = "Save";
pub(crate) const NEW_EMAIL: &str = "New e-mail address";
pub(crate) const CHANGE_SENT: &str =
    "We sent a link to the new address. Follow it, and the address is yours here.";
pub(crate) const CURRENT_PASSWORD: &str = "Current password";
pub(crate) const WRONG_CURRENT_PASSWORD: &str = "The current password is wrong.";
pub(crate) const TWO_STEP: &str = "Two-step sign-in";
pub(crate) const TWO_STEP_TEXT: &str =
    "With a code from an app on your phone, a stolen password alone is worth nothing.";
pub(crate) const TWO_STEP_ON: &str = "Two-step sign-in is on.";
pub(crate) const TURN_ON: &str = "Turn it on";
pub(crate) const TURN_OFF: &str = "Turn it off";
pub(crate) const SECRET_TEXT: &str = "Type this key into your app, then type the code that it shows.";
pub(crate) const OPEN_APP: &str = "Open the app on this device";
pub(crate) const RECOVERY_CODES: &str = "Recovery codes";
pub(crate) const RECOVERY_CODES_TEXT: &str = "Write these down and keep them safe. Each signs you in once without the app, and they are shown only now.";
pub(crate) const RENEW_CODES: &str = "Make new recovery codes";
pub(crate) const PASSKEYS: &str = "Passkeys";
pub(crate) const PASSKEYS_TEXT: &str = "A passkey is kept by your phone, your computer or a security key, and signs you in with your finger, your face or a number. It needs no password and no code beside it.";
pub(crate) const NO_PASSKEYS: &str = "You have none.";
pub(crate) const PASSKEYS_NEED_SCRIPT: &str = "Adding one needs JavaScript.";
pub(crate) const PASSKEYS_NEED_NAME: &str =
    "Browsers have no passkeys for an address without a name. Ask whoever runs this server.";
pub(crate) const ADD_PASSKEY: &str = "Add a passkey";
pub(crate) const PASSKEY_NAME: &str = "What you call it";
pub(crate) const PASSKEY_NAME_HINT: &str = "For you alone, such as: my phone.";
pub(crate) const PASSKEY_NAME_LENGTH: &str = "The name of a passkey has 1 to 200 characters.";
pub(crate) const PASSKEY_KNOWN: &str = "This device has a passkey for an account here already.";
pub(crate) const MANY_PASSKEYS: &str = "An account has at most 50 passkeys. Remove one first.";
pub(crate) const RENAME: &str = "Rename";
pub(crate) const RENAME_OR_REMOVE: &str = "Rename or remove";
pub(crate) const PROVIDERS: &str = "Other ways to sign in";
pub(crate) const PROVIDERS_TEXT: &str =
    "Whoever is signed in there gets in here. Link only accounts that are yours alone.";
pub(crate) const NO_PROVIDERS: &str = "None is linked.";
pub(crate) const LAST_WAY: &str =
    "This is the last way to sign in. Set a password or link another one first.";
pub(crate) const CONFIRM_BY_SIGN_IN: &str =
    "You have no password, so this works for ten minutes after you signed in.";
pub(crate) const CONFIRM_BY_PASSWORD: &str = "You have no password, and the provider that you signed in by did not say that it asked you for yours. Sign in anew, or set a password by mail first.";
pub(crate) const PHONES: &str = "Phones";
pub(crate) const NO_PHONES: &str = "No phone of yours is registered.";
pub(crate) const TEXT_CHANGED: &str =
    "The text has changed since. Until you agree to this one, nothing is taken from your phones for it.";
pub(crate) const SESSIONS: &str = "Browsers";
pub(crate) const THIS_BROWSER: &str = "This browser";
pub(crate) const NO_AGENT: &str = "A program without a name";
pub(crate) const END_SESSION: &str = "Sign it out";
pub(crate) const END_OTHERS: &str = "Sign all others out";
pub(crate) const SERVICES: &str = "Linked services";
pub(crate) const NO_SERVICES: &str = "No service is linked.";
pub(crate) const TEST_LINK: &str = "Test the link";
pub(crate) const LINK_WORKS: &str = "The link works: a request of the service would be answered now.";
pub(crate) const CLIENT_DISABLED: &str = "The service was disabled by the organization.";
pub(crate) const ROLE_ALLOWS_NOTHING: &str = "Your role in the organization no longer allows any of this.";
pub(crate) const ROLE_ALLOWS_LESS: &str = "The link works, but your role allows less than you agreed to.";
pub(crate) const OTHER_ISSUER: &str =
    "The link was made under another address of this server. Link the service again.";
pub(crate) const NO_TOKEN: &str = "No token could be made for the service. Link it again.";
pub(crate) const NO_REFRESH_TOKEN: &str = "The service has no token left to come back with. Link it again.";
pub(crate) const ACTIVITY: &str = "Activity";
pub(crate) const OLDER: &str = "Older";

// Refusals
pub(crate) const REFUSED: &str = "That did not work";
pub(crate) const FORGED: &str =
    "This form is no longer good. Go back, load the page again and try once more.";
pub(crate) const UNREADABLE: &str = "The form could not be read.";
pub(crate) const DEAD_LINK: &str = "This link was used before or is over.";
pub(crate) const NOT_FOUND: &str = "There is no such page, or it is not yours.";
pub(crate) const TOO_MANY: &str = "Too many tries. Wait ten minutes.";
pub(crate) const MANY_SIGN_INS: &str =
    "Too many sign-ins were begun from your network. Wait ten minutes, or sign in with your password.";
pub(crate) const TOO_LATE: &str = "That took too long, or was decided already. Start again at the service.";
pub(crate) const BUSY: &str = "The server is busy. Try again in a moment.";
pub(crate) const INTERNAL: &str = "The server failed. Its log has the cause.";
pub(crate) const CHANGED_MEANWHILE: &str = "Something changed while the page was open. Load it again.";
pub(crate) const REPEATED: &str = "The service sent you here with a request that says two things at once.";
pub(crate) const UNKNOWN_CLIENT: &str = "The service that sent you here is not known, or was disabled.";
pub(crate) const BAD_HINT: &str =
    "The service that sent you here showed something that is not from this server.";
pub(crate) const UNKNOWN_REDIRECT: &str =
    "The service that sent you here wants the answer at an address that it was not registered with.";

// Mail
pub(crate) const MAIL_NOT_YOU: &str = "If this was not you, ignore this mail.";
pub(crate) const MAIL_VERIFY_SUBJECT: &str = "Verify your address";
pub(crate) const MAIL_VERIFY: &str = "Follow this link to show that this address is yours.";
pub(crate) const MAIL_RESET_SUBJECT: &str = "Set a new password";
pub(crate) const MAIL_RESET: &str = "Follow this link within an hour to set a new password.";
pub(crate) const MAIL_CHANGE_SUBJECT: &str = "Verify your new address";
pub(crate) const MAIL_CHANGE: &str = "Follow this link within an hour to use this address for your account.";
pub(crate) const MAIL_CHANGED_SUBJECT: &str = "Your address was changed";
pub(crate) const MAIL_CHANGED: &str =
    "Your account has another e-mail address now.\r\nIf this was not you, tell whoever runs the server.";
pub(crate) const MAIL_ALREADY_SUBJECT: &str = "You have an account";
pub(crate) const MAIL_ALREADY: &str =
    "Somebody signed up with this address. You have an account: sign in here.";

pub(crate) fn mail_ways_in_subject(change: &WaysIn) -> &'static str {
    match change {
        WaysIn::PasskeyAdded { .. } => "A passkey was added to your account",
        WaysIn::ProviderLinked { .. } => "Another way to sign in to your account",
        WaysIn::PasskeyCopied { .. } => "Somebody may have a copy of your passkey",
    }
}

pub(crate) fn mail_ways_in(change: &WaysIn) -> String {
    let not_you = "If this was not you, sign in, remove it, and set a new password.";
    match change {
        WaysIn::PasskeyAdded { name } => {
            format!("The passkey \"{name}\" signs in to your account now.\r\n{not_you}")
        }
        WaysIn::ProviderLinked { name } => {
            format!(
                "Whoever signs in with your account at {name} gets in to your account here now.\r\n{not_you}"
            )
        }
        WaysIn::PasskeyCopied { name } => format!(
            "Somebody signed in with the passkey \"{name}\" and was refused: it seems to be a copy.\r\nSign in another way, and remove it."
        ),
    }
}

pub(crate) fn mail_invitation_subject(organization: &str) -> String {
    format!("Invitation to {organization}")
}

pub(crate) fn mail_invitation(organization: &str) -> String {
    format!("You are invited to {organization}. Follow this link within a week.")
}

pub(crate) fn password_mistake(mistake: PasswordMistake) -> &'static str {
    // The bounds stand in the texts.
    const { assert!(SHORTEST == 8 && LONGEST == 256) };
    match mistake {
        PasswordMistake::Short => "The password needs at least 8 characters.",
        PasswordMistake::Long => "The password may have at most 256 characters.",
        PasswordMistake::Common => "That password is among the first that anybody would try.",
    }
}

pub(crate) fn link_title(client: &str) -> String {
    format!("Link {client}")
}

pub(crate) fn wants_access(client: &str, organization: &str) -> String {
    format!("{client} wants access to {organization} in your name.")
}

pub(crate) fn party(party: &str) -> String {
    format!("By linking, you agree that {party} controls devices in your name. What it learns is {party}'s.")
}

pub(crate) fn signed_in_as(email: &str) -> String {
    format!("You are signed in as {email}.")
}

pub(crate) fn device_warning(code: &str) -> String {
    format!("Go on only if the device before you shows {code}. Nobody else has a reason to give you a code.")
}

pub(crate) fn verify_text(email: &str) -> String {
    format!("Press the button to show that {email} is yours.")
}

pub(crate) fn others_get_in(providers: &str) -> String {
    format!(
        "Somebody signs in to this account with {providers} and will get in, too. If that is not you, do not go on."
    )
}

pub(crate) fn invited_into(organization: &str) -> String {
    format!("You are invited to {organization}.")
}

pub(crate) fn make_account_for(email: &str) -> String {
    format!("Or make an account for {email}")
}

pub(crate) fn codes_left(left: u64) -> String {
    format!("Recovery codes left: {left}.")
}

pub(crate) fn session_seen(at: &str, address: &str) -> String {
    format!("Last seen {at}, signed in from {address}")
}

pub(crate) fn passkey_refused(refused: Refused) -> &'static str {
    match refused {
        Refused::Unproven => "This passkey is not known here. Sign in another way.",
        Refused::Copied => {
            "Somebody seems to have a copy of this passkey, so it was refused. Sign in another way and remove it."
        }
    }
}

pub(crate) fn continue_with(provider: &str) -> String {
    format!("Continue with {provider}")
}

pub(crate) fn provider_denied(provider: &str) -> String {
    format!("You did not agree at {provider}, so nothing happened here.")
}

pub(crate) fn provider_failed(provider: &str) -> String {
    format!("Signing in with {provider} did not work. Try again in a moment, or sign in another way.")
}

pub(crate) fn provider_stale(provider: &str) -> String {
    format!("{provider} did not ask you anew who you are. Sign out there, or sign in another way.")
}

pub(crate) fn provider_unknown(provider: &str) -> String {
    format!(
        "No account here is linked with this one at {provider}. Sign in another way and link it on the page of your account, or ask for an invitation."
    )
}

pub(crate) fn provider_no_email(provider: &str) -> String {
    format!("{provider} did not tell an e-mail address, and an account here needs one.")
}

pub(crate) fn provider_email_taken(email: &str, provider: &str) -> String {
    format!(
        "There is an account here with {email}. If it is yours, sign in to it another way, and then link {provider} on the page of your account."
    )
}

pub(crate) fn provider_linked_already(provider: &str) -> String {
    format!("This account at {provider} is linked already, here or with another account.")
}

pub(crate) fn remove(name: &str) -> String {
    format!("Remove {name}")
}

pub(crate) fn added_on(at: &str) -> String {
    format!("Added {at}")
}

pub(crate) fn linked_on(at: &str) -> String {
    format!("Linked {at}")
}

pub(crate) fn last_used(at: Option<&str>) -> String {
    at.map_or_else(|| "Never used".to_owned(), |at| format!("Last used {at}"))
}

pub(crate) fn last_error(error: &str, at: &str) -> String {
    format!("Last error, {at}: {error}")
}

pub(crate) fn unlink(client: &str) -> String {
    format!("Unlink {client}")
}

pub(crate) fn entry_at(at: &str, address: Option<&str>) -> String {
    address.map_or_else(|| at.to_owned(), |address| format!("{at}, from {address}"))
}

pub(crate) fn identity_scope(scope: IdentityScope) -> &'static str {
    match scope {
        IdentityScope::OpenId => "know you again",
        IdentityScope::Email => "see your e-mail address",
        IdentityScope::Profile => "see your name and language",
        IdentityScope::OfflineAccess => "do this also while you are away",
    }
}

pub(crate) fn api_scope(scope: &Scope) -> String {
    match scope {
        Scope::VenuesRead => "see venues and zones",
        Scope::VenuesWrite => "change venues and zones",
        Scope::DevicesRead => "see devices",
        Scope::DevicesWrite => "add, change and remove devices",
        Scope::CommandsWrite => "control devices",
        Scope::AnalyticsRead => "see visitor numbers",
        Scope::StaysRead => "see single, pseudonymous stays",
        Scope::MovementsSubscribe => "see movements as they happen",
        Scope::PingsWrite => "report what a phone hears",
        Scope::MeData => "see all that there is about you, and erase it",
        Scope::MetricsRead => "see how the server does",
        Scope::Admin => "manage people, keys and services",
        Scope::All => "do everything that you may do",
        Scope::MqttPublish(filter) => return format!("publish to {filter}"),
        Scope::MqttSubscribe(filter) => return format!("read {filter}"),
    }
    .to_owned()
}

/// When somebody agreed.
pub(crate) fn agreed_on(day: &str) -> String {
    format!("You agreed on {day}.")
}

pub(crate) fn agree_to(title: &str) -> String {
    format!("Agree: {title}")
}

pub(crate) fn take_back(title: &str) -> String {
    format!("Take back: {title}")
}
