//! PINs of devices: which can be one, who has one, and whether one that was said is right.

use protocol::{AccountId, DeviceId, OrganizationId};
use serde_json::json;
use store::{PinTry, StoreError};

use crate::Voice;
use crate::audit::What;
use crate::secret::Secret;

/// What came of a PIN that somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Right,
    Wrong,
    /// Wrong ones were said too often.
    TooOften,
    /// The device has none, so nothing can be right.
    NoPin,
}

impl Voice {
    /// Gives a device a PIN, or takes it away, and forgets how often a wrong one was said. Whether it had one before. The PIN has to be
    /// one that [`can_be_pin`].
    pub async fn set_pin(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        pin: Option<&Secret>,
    ) -> Result<bool, StoreError> {
        let hash = pin.map(|pin| self.identity.pin_hash(device, pin.expose()));
        self.store.set_device_pin(organization, device, hash.as_deref(), self.now()).await
    }

    /// Compares a PIN that a person said with that of a device, which they call by a name. A try counts before it is compared.
    pub(crate) async fn said(
        &self,
        (organization, account): (OrganizationId, AccountId),
        (device, name): (DeviceId, &str),
        pin: &Secret,
    ) -> Result<Said, StoreError> {
        Ok(match self.store.try_device_pin(organization, device, self.now()).await? {
            PinTry::NoPin => Said::NoPin,
            PinTry::Locked(_) => Said::TooOften,
            PinTry::Counted { pin: hash, .. } if self.identity.is_pin(device, pin.expose(), &hash) => {
                self.store.pin_was_right(organization, device).await?;
                Said::Right
            }
            PinTry::Counted { is_last, .. } => {
                if is_last {
                    let detail = json!({"device": device, "name": name});
                    self.record(What::PinLocked, organization, account, detail).await;
                }
                Said::Wrong
            }
        })
    }
}

/// Whether people can say it to an assistant: 4 to 8 digits.
pub fn can_be_pin(pin: &Secret) -> bool {
    let digits = pin.expose();
    (4..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_4_to_8_digits() {
        for pin in ["0000", "73019264"] {
            assert!(can_be_pin(&Secret::new(pin)), "{pin}");
        }
        for pin in ["", "123", "123456789", "12a4", "１２３４", "12 34", "-1234"] {
            assert!(!can_be_pin(&Secret::new(pin)), "{pin}");
        }
    }
}
