//! Clients as they are on the wire.

use protocol::ClientId;
use serde::{Deserialize, Serialize};
use store::{ClientSettings, GrantType, Secret};
use utoipa::ToSchema;

use crate::body;
use crate::instant::Instant;

/// An application that asks people, or this server itself, for access; without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Client {
    /// Its `client_id`.
    #[schema(value_type = String, format = "uuid")]
    id: ClientId,
    /// `public`: runs in people's hands and has no secret, so that its refresh tokens rotate. `confidential`: a server with a
    /// secret. `assistant`: the server of a voice assistant, whose refresh tokens stay good while it is linked.
    #[schema(example = "public")]
    kind: &'static str,
    /// Whose assistant it is: `google` or `amazon`; null for other kinds.
    party: Option<&'static str>,
    /// What people read when they are asked.
    name: String,
    /// The address of a picture that people see beside the name.
    #[schema(format = "uri")]
    logo: Option<String>,
    /// Where codes may be sent, compared letter by letter.
    redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    post_logout_uris: Vec<String>,
    /// Where it hears that a person signed out.
    #[schema(format = "uri")]
    backchannel_logout_uri: Option<String>,
    /// What it may ask for.
    #[schema(example = json!(["openid", "offline_access", "devices:read", "commands:write"]))]
    scopes: Vec<String>,
    /// How it may come by tokens.
    #[schema(example = json!(["authorization_code", "refresh_token"]))]
    grants: Vec<&'static str>,
    /// The APIs that its tokens may be for (RFC 8707); empty for the HTTP API alone.
    resources: Vec<String>,
    /// How its ID tokens are signed.
    #[schema(example = "RS256")]
    id_token_algorithm: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was disabled; null while it may ask.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Instant>,
}

/// A new client, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewClient {
    /// Its `client_secret`; null for a public client. It is shown here once; a repeated answer has null.
    secret: Option<String>,
    #[serde(flatten)]
    client: Client,
}

/// A client's new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientSecret {
    /// The client.
    #[schema(value_type = String, format = "uuid")]
    id: ClientId,
    /// Its `client_secret`; the one before is void. It is shown here once; a repeated answer has null.
    #[schema(value_type = Option<String>)]
    secret: String,
}

/// A client to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientToCreate {
    /// 1 to 100 characters, which people read when they are asked.
    pub(super) name: String,
    /// `public`, `confidential` or `assistant`; it stays so.
    #[schema(example = "public")]
    pub(super) kind: String,
    /// For an assistant: `google` or `amazon`; it stays so.
    pub(super) party: Option<String>,
    /// The `https` address of a picture.
    #[schema(format = "uri")]
    pub(super) logo: Option<String>,
    /// Where codes may be sent: `https` addresses; for a public client also `http://127.0.0.1`, `http://[::1]` and schemes
    /// with a dot in them; for an assistant those of its party.
    pub(super) redirect_uris: Option<Vec<String>>,
    /// Where a browser may be sent after signing out.
    pub(super) post_logout_uris: Option<Vec<String>>,
    /// Where it wants to hear that a person signed out (`OpenID` Connect Back-Channel Logout).
    #[schema(format = "uri")]
    pub(super) backchannel_logout_uri: Option<String>,
    /// What it may ask for: `openid`, `email`, `profile`, `offline_access`, and scopes of this interface that the caller
    /// holds.
    #[schema(example = json!(["openid", "offline_access", "devices:read", "commands:write"]))]
    pub(super) scopes: Vec<String>,
    /// How it may come by tokens: `authorization_code` and `refresh_token` unless given; `client_credentials` for one with a
    /// secret, `urn:ietf:params:oauth:grant-type:device_code`.
    pub(super) grants: Option<Vec<String>>,
    /// The APIs that its tokens may be for (RFC 8707): the issuer's address with `/api/v1` or `/mqtt` behind it. The HTTP API
    /// alone unless given.
    pub(super) resources: Option<Vec<String>>,
    /// How its ID tokens are signed: `RS256` unless given, `ES256` or `EdDSA`.
    pub(super) id_token_algorithm: Option<String>,
}

/// What to change of a client; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct ClientChange {
    pub(super) name: Option<String>,
    /// Null for none.
    #[serde(default, deserialize_with = "body::nullable")]
    #[schema(value_type = Option<String>, format = "uri")]
    pub(super) logo: Option<Option<String>>,
    pub(super) redirect_uris: Option<Vec<String>>,
    pub(super) post_logout_uris: Option<Vec<String>>,
    /// Null for none.
    #[serde(default, deserialize_with = "body::nullable")]
    #[schema(value_type = Option<String>, format = "uri")]
    pub(super) backchannel_logout_uri: Option<Option<String>>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) grants: Option<Vec<String>>,
    pub(super) resources: Option<Vec<String>>,
    pub(super) id_token_algorithm: Option<String>,
}

impl From<store::Client> for Client {
    fn from(client: store::Client) -> Client {
        let store::Client { id, kind, settings, created_at, disabled_at, .. } = client;
        let ClientSettings { name, logo, party, redirect_uris, post_logout_uris, .. } = settings;
        Client {
            id,
            kind: kind.as_str(),
            party: party.map(store::Party::as_str),
            name,
            logo,
            redirect_uris,
            post_logout_uris,
            backchannel_logout_uri: settings.backchannel_logout_uri,
            scopes: settings.scopes,
            grants: settings.grants.into_iter().map(GrantType::as_str).collect(),
            resources: settings.resources,
            id_token_algorithm: settings.id_token_algorithm.as_str(),
            created_at: created_at.into(),
            disabled_at: disabled_at.map(Instant),
        }
    }
}

impl NewClient {
    pub(super) fn new(secret: Option<&Secret>, client: store::Client) -> NewClient {
        NewClient { secret: secret.map(Secret::text), client: client.into() }
    }
}

impl ClientSecret {
    pub(super) fn new(id: ClientId, secret: &Secret) -> ClientSecret {
        ClientSecret { id, secret: secret.text() }
    }
}
