//! Accounts, sign-in and the `OAuth2` and `OpenID` server.
//!
//! [`Identity`] is all that a handler may reach, [`router`] lists every route, and [`Identity::check`] is what the other
//! front doors ask about a token that somebody shows them. Rows are in `store`; what must not be read by whoever has a
//! copy of the database is sealed with a key that is not in it.

mod assistants;
mod attempts;
mod audit;
mod beacons;
mod bearer;
mod browser;
mod config;
mod error;
mod identity;
mod invite;
mod issuer;
mod jwt;
mod mail;
mod metrics;
mod next;
mod oauth;
mod outbound;
mod page;
mod passkey;
mod password;
mod pseudonyms;
mod purpose;
mod random;
mod remembered;
mod router;
mod seal;
mod standing;
mod totp;
mod upstream;
mod uses;
mod words;

pub use attempts::network;
pub use beacons::SealedBeaconKey;
pub use bearer::{Bearer, BearerError};
pub use config::{Config, MailConfig, ProviderConfig, ProviderKind, SignUp};
pub use error::IdentityError;
pub use identity::{Identity, Parts, rotate_signing_keys};
pub use issuer::Audience;
pub use metrics::IdentityMetrics;
pub use oauth::redirect::redirect_uri_mistake;
pub use outbound::Reply;
pub use pseudonyms::{EPOCH_NOTICE_MS, begin_pseudonym_epoch, check_pseudonym_keys, give_up_pseudonym_keys};
pub use purpose::{Asked, Purpose, Purposes};
pub use router::router;
