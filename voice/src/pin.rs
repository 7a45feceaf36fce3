//! PINs of devices: which can be one, and whether one that was said is right.

use protocol::{DeviceId, OrganizationId};
use store::{PinTry, StoreError};

use crate::Voice;
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
    /// Compares a PIN with that of a device. A try counts before it is compared.
    pub(crate) async fn said(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        pin: &Secret,
    ) -> Result<Said, StoreError> {
        Ok(match self.store.try_device_pin(organization, device, self.now()).await? {
            PinTry::NoPin => Said::NoPin,
            PinTry::Locked(_) => Said::TooOften,
            PinTry::Counted(hash) if self.identity.is_pin(device, pin.expose(), &hash) => {
                self.store.pin_was_right(organization, device).await?;
                Said::Right
            }
            PinTry::Counted(_) => Said::Wrong,
        })
    }
}

/// Whether people can say it to an assistant: 4 to 8 digits.
pub(crate) fn can_be_one(pin: &Secret) -> bool {
    let digits = pin.expose();
    (4..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
