//! Clients that showed lately who they are: an assistant's server asks thousands of times an hour with the same secret.

use aws_lc_rs::digest::{SHA256, digest};
use protocol::{ClientId, Timestamp};
use store::{Change, Client, ClientKind, Result, Store};

use crate::remembered::Remembered;

/// What was shown: a hash, so that nothing that is remembered is a secret.
type Shown = [u8; 32];

/// The latest answers.
#[derive(Default)]
pub(crate) struct KnownClients(Remembered<Shown, Client>);

impl KnownClients {
    /// The client of this id when `secret` is its secret, or when it has none and shows none; none when it is disabled.
    pub(crate) async fn sign_in(
        &self,
        store: &Store,
        id: ClientId,
        secret: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Client>> {
        let ask = async {
            match secret {
                Some(secret) => store.sign_in_client(id, secret).await,
                // A client that has a secret must use it.
                None => Ok(store.client(id).await?.filter(|client| client.kind == ClientKind::Public)),
            }
        };
        let client = self.0.get(shown(id, secret), now, ask).await?;
        Ok(client.filter(|client| client.disabled_at.is_none()))
    }

    /// Drops what a change makes doubtful.
    pub(crate) fn changed(&self, change: Change) {
        if let Change::Client(id) = change {
            self.0.drop_where(|_, client| client.id == id);
        }
    }

    /// Drops everything: some change may have been missed.
    pub(crate) fn forget(&self) {
        self.0.drop_where(|_, _| true);
    }
}

fn shown(id: ClientId, secret: Option<&str>) -> Shown {
    // The id has a fixed length, so that nobody can shift between the two.
    let mut text = id.as_uuid().as_bytes().to_vec();
    text.push(u8::from(secret.is_some()));
    text.extend_from_slice(secret.unwrap_or_default().as_bytes());
    let mut hash = Shown::default();
    hash.copy_from_slice(digest(&SHA256, &text).as_ref());
    hash
}
