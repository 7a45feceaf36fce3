//! What the package of voice assistants is lent: the sealing key, and requests to others.

use axum::http::Request;
use protocol::DeviceId;

use crate::Identity;
use crate::error::IdentityError;
use crate::outbound::Reply;
use crate::seal::Use;

impl Identity {
    /// Seals what an assistant gave; `about` says whose it is, and has to be the same when it is opened.
    pub fn seal_for_assistant(&self, about: &[u8], plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
        self.sealer.seal(Use::Assistant, about, plain)
    }

    /// Opens what [`Identity::seal_for_assistant`] made.
    pub fn unseal_for_assistant(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
        self.sealer.unseal(Use::Assistant, about, sealed)
    }

    /// What is stored of a device's PIN: a hash under the key that is not in the database. PINs are so short that any other
    /// hash of one would be tried out in a moment by whoever has a copy.
    pub fn pin_hash(&self, device: DeviceId, pin: &str) -> Vec<u8> {
        self.sealer.sign(Use::Pin, &[device.as_uuid().as_bytes(), pin.as_bytes()]).into_bytes()
    }

    /// Whether [`Identity::pin_hash`] made `hash` of this PIN; takes as long whatever is wrong.
    pub fn is_pin(&self, device: DeviceId, pin: &str, hash: &[u8]) -> bool {
        let device = device.as_uuid();
        let parts: [&[u8]; 2] = [device.as_bytes(), pin.as_bytes()];
        std::str::from_utf8(hash).is_ok_and(|hash| self.sealer.is_signed(Use::Pin, &parts, hash))
    }

    /// Makes a request to another server, to its URI, which is whole: within five seconds, to no private address unless that
    /// is allowed, and by TLS unless the address may be private.
    pub async fn request(&self, request: Request<Vec<u8>>) -> Result<Reply, IdentityError> {
        self.outbound.send(request).await
    }
}
