//! Clients: applications that ask for access (`OAuth2`).

mod rows;

use protocol::{ClientId, OrganizationId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::signing_key::Algorithm;
use crate::text;

use rows::ClientRow;

words! {
    /// Whether a client can keep a secret, and how its refresh tokens behave.
    pub enum ClientKind {
        /// Runs in people's hands and has no secret: its refresh tokens rotate.
        Public = "public",
        /// A server with a secret: its refresh tokens stay.
        Confidential = "confidential",
        /// A voice assistant's server: as `confidential`.
        Assistant = "assistant",
    }
}

words! {
    /// Whose assistant it is.
    pub enum Party {
        /// Google Home.
        Google = "google",
        /// Amazon Alexa.
        Amazon = "amazon",
    }
}

words! {
    /// How a client may come by tokens (RFC 6749 section 4, RFC 8628 section 3.4).
    pub enum GrantType {
        /// A person agreed on a page.
        AuthorizationCode = "authorization_code",
        /// A token that was given before.
        RefreshToken = "refresh_token",
        /// For itself.
        ClientCredentials = "client_credentials",
        /// A person agreed on another device.
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
    }
}

/// An application that asks for access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id, which is no secret.
    pub id: ClientId,
    /// Whose it is; what it is allowed is allowed in this organization.
    pub organization: OrganizationId,
    /// What kind it is, for ever.
    pub kind: ClientKind,
    /// What can be changed.
    pub settings: ClientSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was disabled; none while it may ask.
    pub disabled_at: Option<Timestamp>,
}

/// What can be changed of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// A name for people: 1 to 100 characters.
    pub name: String,
    /// The URL of a picture.
    pub logo: Option<String>,
    /// Whose assistant it is; only of an assistant.
    pub party: Option<Party>,
    /// Where codes may be sent, compared letter by letter.
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    pub post_logout_uris: Vec<String>,
    /// Where it wants to hear that a person signed out.
    pub backchannel_logout_uri: Option<String>,
    /// The OAuth scopes that it may ask for.
    pub scopes: Vec<String>,
    /// How it may come by tokens.
    pub grants: Vec<GrantType>,
    /// The APIs that it may ask for (RFC 8707); empty for the default one.
    pub resources: Vec<String>,
    /// How its ID tokens are signed.
    pub id_token_algorithm: Algorithm,
}

impl Store {
    /// Makes a client; its secret is returned here and never again, and a public one has none.
    pub async fn create_client(
        &self,
        organization: OrganizationId,
        kind: ClientKind,
        settings: &ClientSettings,
        now: Timestamp,
    ) -> Result<(Client, Option<Secret>)> {
        settings.check(kind)?;
        self.organization(organization).await?;
        let minted = match kind {
            ClientKind::Public => None,
            ClientKind::Confidential | ClientKind::Assistant => Some(self.mint(Purpose::Client)?),
        };
        let (secret, hash) = minted.unzip();
        let client = Client {
            id: ClientId::new(now, random::bytes()?),
            organization,
            kind,
            settings: settings.clone(),
            created_at: now,
            disabled_at: None,
        };
        let mut tx = self.begin().await?;
        tx.insert_client(&client, hash.as_ref()).await?;
        tx.commit().await?;
        Ok((client, secret))
    }

    /// The client of this id, whatever its organization and also when it is disabled; none when there is none. For the
    /// endpoints that clients themselves come to.
    pub async fn client(&self, id: ClientId) -> Result<Option<Client>> {
        const SQL: &str = rows::select_clients!("WHERE id = $1");
        let row: Option<ClientRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        row.map(Client::try_from).transpose()
    }

    /// The client of this id when `presented` is its secret and it is not disabled.
    pub async fn sign_in_client(&self, id: ClientId, presented: &str) -> Result<Option<Client>> {
        const SQL: &str = rows::select_clients!("WHERE id = $1 AND secret_hash = $2 AND disabled_at IS NULL");
        let Some(hash) = self.hashed(Purpose::Client, presented) else { return Ok(None) };
        let row: Option<ClientRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(hash.as_slice())
            .fetch_optional(db)
            .await?);
        row.map(Client::try_from).transpose()
    }

    /// The clients of an organization, disabled ones included.
    pub async fn clients(&self, organization: OrganizationId, page: Page) -> Result<Listed<Client>> {
        const SQL: &str = rows::select_clients!("WHERE organization = $1 AND id > $2 ORDER BY id LIMIT $3");
        let rows: Vec<ClientRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let clients = rows.into_iter().map(Client::try_from).collect::<Result<_>>()?;
        Ok(Listed::cut(clients, page, |client: &Client| client.id.as_uuid()))
    }

    /// Changes a client.
    pub async fn change_client(
        &self,
        organization: OrganizationId,
        id: ClientId,
        settings: &ClientSettings,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        settings.check(tx.lock_client(organization, id).await?.kind)?;
        tx.update_client(id, settings).await?;
        tx.commit().await
    }

    /// Gives a client a new secret; the one before is void. A conflict over `kind` when it is a public one.
    pub async fn renew_client_secret(&self, organization: OrganizationId, id: ClientId) -> Result<Secret> {
        const SQL: &str = "UPDATE clients SET secret_hash = $2 WHERE id = $1";
        let (secret, hash) = self.mint(Purpose::Client)?;
        let mut tx = self.begin().await?;
        if tx.lock_client(organization, id).await?.kind == ClientKind::Public {
            return Err(StoreError::Conflict("kind"));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(hash.as_slice())
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Disables a client: nothing that it was allowed counts until it is enabled again. One that is disabled already keeps
    /// the time when it was.
    pub async fn disable_client(
        &self,
        organization: OrganizationId,
        id: ClientId,
        now: Timestamp,
    ) -> Result<()> {
        self.set_disabled(organization, id, Some(now)).await
    }

    /// Lets a disabled client ask again.
    pub async fn enable_client(&self, organization: OrganizationId, id: ClientId) -> Result<()> {
        self.set_disabled(organization, id, None).await
    }

    async fn set_disabled(
        &self,
        organization: OrganizationId,
        id: ClientId,
        at: Option<Timestamp>,
    ) -> Result<()> {
        const SQL: &str = "UPDATE clients SET disabled_at = $2 WHERE id = $1";
        let mut tx = self.begin().await?;
        let before = tx.lock_client(organization, id).await?.disabled_at;
        let at = at.map(|at| before.unwrap_or(at).0);
        within!(&mut tx, |db| sqlx::query(SQL).bind(id.as_uuid()).bind(at).execute(db).await.map(drop))?;
        tx.commit().await
    }
}

impl ClientSettings {
    fn check(&self, kind: ClientKind) -> Result<()> {
        text::check("the name of a client", &self.name, 100)?;
        let addresses = [&self.redirect_uris, &self.post_logout_uris, &self.resources];
        if addresses.iter().any(|list| list.len() > 50) || self.scopes.len() > 100 {
            return Err(StoreError::Invalid("a client has at most 50 addresses of a kind".into()));
        }
        for address in addresses.into_iter().flatten().chain(&self.logo).chain(&self.backchannel_logout_uri) {
            text::check("an address", address, 2_000)?;
        }
        for scope in &self.scopes {
            text::check("a scope", scope, 300)?;
        }
        if self.party.is_some() && kind != ClientKind::Assistant {
            return Err(StoreError::Invalid("only an assistant has a party".into()));
        }
        if kind == ClientKind::Public && self.grants.contains(&GrantType::ClientCredentials) {
            return Err(StoreError::Invalid("a public client has no credentials".into()));
        }
        Ok(())
    }
}

impl Serialize for GrantType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GrantType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
