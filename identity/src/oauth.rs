//! The `OAuth2` authorization server and `OpenID` provider.
//!
//! The code flow alone, with refresh, client credentials and the device grant beside it: what OAuth 2.1 leaves out is not
//! there to be asked for.

pub(crate) mod back_channel;
pub(crate) mod client;
pub(crate) mod device;
pub(crate) mod error;
pub(crate) mod introspect;
mod known;
pub(crate) mod metadata;
pub(crate) mod parameter;
pub(crate) mod pkce;
pub(crate) mod redirect;
pub(crate) mod request;
pub(crate) mod resource;
pub(crate) mod revoke;
pub(crate) mod scope;
pub(crate) mod token;
pub(crate) mod userinfo;

pub(crate) use known::KnownClients;
pub(crate) use scope::Scopes;
