//! The rows of clients.

use protocol::{ClientId, OrganizationId, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Client, ClientSettings, GrantType};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

macro_rules! select_clients {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization, name, logo, kind, party, redirect_uris, post_logout_uris, backchannel_logout_uri, scopes,
                grants, resources, id_token_algorithm, created_at, disabled_at FROM clients ",
            $rest
        )
    };
}
pub(super) use select_clients;

impl Tx {
    pub(super) async fn insert_client(&mut self, client: &Client, secret: Option<&[u8; 32]>) -> Result<()> {
        const SQL: &str = "INSERT INTO clients (id, organization, name, logo, kind, party, secret_hash, redirect_uris,
                post_logout_uris, backchannel_logout_uri, scopes, grants, resources, id_token_algorithm, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let settings = &client.settings;
        within!(self, |db| sqlx::query(SQL)
            .bind(client.id.as_uuid())
            .bind(client.organization.as_uuid())
            .bind(&settings.name)
            .bind(&settings.logo)
            .bind(client.kind.as_str())
            .bind(settings.party.map(super::Party::as_str))
            .bind(secret.map(<[u8; 32]>::as_slice))
            .bind(Json(&settings.redirect_uris))
            .bind(Json(&settings.post_logout_uris))
            .bind(&settings.backchannel_logout_uri)
            .bind(Json(&settings.scopes))
            .bind(Json(&settings.grants))
            .bind(Json(&settings.resources))
            .bind(settings.id_token_algorithm.as_str())
            .bind(client.created_at.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(super) async fn update_client(&mut self, id: ClientId, settings: &ClientSettings) -> Result<()> {
        const SQL: &str = "UPDATE clients SET name = $2, logo = $3, party = $4, redirect_uris = $5, post_logout_uris = $6,
                backchannel_logout_uri = $7, scopes = $8, grants = $9, resources = $10, id_token_algorithm = $11
            WHERE id = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(&settings.name)
            .bind(&settings.logo)
            .bind(settings.party.map(super::Party::as_str))
            .bind(Json(&settings.redirect_uris))
            .bind(Json(&settings.post_logout_uris))
            .bind(&settings.backchannel_logout_uri)
            .bind(Json(&settings.scopes))
            .bind(Json(&settings.grants))
            .bind(Json(&settings.resources))
            .bind(settings.id_token_algorithm.as_str())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// One client; waits for whoever changes it and keeps others from doing so.
    pub(crate) async fn lock_client(&mut self, organization: OrganizationId, id: ClientId) -> Result<Client> {
        const SQLITE: &str = select_clients!("WHERE id = $1 AND organization = $2");
        const POSTGRES: &str = select_clients!("WHERE id = $1 AND organization = $2 FOR NO KEY UPDATE");
        let (client, organization) = (id.as_uuid(), organization.as_uuid());
        let row: Option<ClientRow> = match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE).bind(client).bind(organization).fetch_optional(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(client).bind(organization).fetch_optional(&mut **tx).await?
            }
        };
        row.map(Client::try_from).ok_or(StoreError::NotFound)?
    }
}

#[derive(FromRow)]
pub(super) struct ClientRow {
    id: Uuid,
    organization: Uuid,
    name: String,
    logo: Option<String>,
    kind: String,
    party: Option<String>,
    redirect_uris: Json<Vec<String>>,
    post_logout_uris: Json<Vec<String>>,
    backchannel_logout_uri: Option<String>,
    scopes: Json<Vec<String>>,
    grants: Json<Vec<GrantType>>,
    resources: Json<Vec<String>>,
    id_token_algorithm: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl TryFrom<ClientRow> for Client {
    type Error = StoreError;

    fn try_from(row: ClientRow) -> Result<Self> {
        let party = row.party.as_deref().map(str::parse).transpose();
        let settings = ClientSettings {
            name: row.name,
            logo: row.logo,
            party: party.map_err(|_| StoreError::Corrupt("party of a client"))?,
            redirect_uris: row.redirect_uris.0,
            post_logout_uris: row.post_logout_uris.0,
            backchannel_logout_uri: row.backchannel_logout_uri,
            scopes: row.scopes.0,
            grants: row.grants.0,
            resources: row.resources.0,
            id_token_algorithm: row
                .id_token_algorithm
                .parse()
                .map_err(|_| StoreError::Corrupt("algorithm"))?,
        };
        Ok(Self {
            id: ClientId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            kind: row.kind.parse().map_err(|_| StoreError::Corrupt("kind of a client"))?,
            settings,
            created_at: Timestamp(row.created_at),
            disabled_at: row.disabled_at.map(Timestamp),
        })
    }
}
