//! What transmitters call themselves.

use crate::chance::{Purpose, stream, weighted};
use crate::scenario::IdentifierMix;
use protocol::Identifier;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// How long a private random address lives: 15 minutes, as the Bluetooth Core Specification (Vol 3, Part C,
/// appendix A, `TGAP(private_addr_int)`) recommends.
pub(super) const ROTATION_MS: i64 = 15 * 60_000;

/// Hands out identities, each one once.
pub(super) struct Identities {
    weights: [f32; 4],
    uuid: [u8; 16],
    rng: ChaCha8Rng,
}

impl Identities {
    pub(super) fn new(mix: &IdentifierMix, seed: u64) -> Self {
        let beacon = format!("ibeacon:{}:0:0", mix.ibeacon_uuid).parse();
        let uuid = match beacon {
            Ok(Identifier::IBeacon { uuid, .. }) => uuid,
            _ => [0; 16],
        };
        Self {
            weights: [mix.ble, mix.app, mix.ibeacon, mix.random],
            uuid,
            rng: stream(seed, Purpose::Identity, 0),
        }
    }

    /// The identity of a shopper; one that changes has `rotations` of them.
    pub(super) fn next(&mut self, shopper: u32, rotations: u32) -> Vec<Identifier> {
        match weighted(&mut self.rng, self.weights.iter().copied()) {
            0 => vec![Identifier::Ble { address: self.address(0b1100_0000, shopper), random: false }],
            1 => vec![Identifier::App(format!("{:016x}{shopper:08x}", self.rng.random::<u64>()).into())],
            2 => {
                let (major, minor) = ((shopper >> 16) as u16, shopper as u16);
                vec![Identifier::IBeacon { uuid: self.uuid, major, minor }]
            }
            _ => (0..rotations)
                .map(|_| Identifier::Ble { address: self.address(0b0100_0000, shopper), random: true })
                .collect(),
        }
    }

    /// An address whose two highest bits tell its kind (Bluetooth Core Specification, Vol 6, Part B, 1.3.2): 11 static,
    /// 01 resolvable private. The shopper's number in it keeps addresses distinct.
    fn address(&mut self, kind: u8, shopper: u32) -> [u8; 6] {
        let [_, a, b, c] = shopper.to_be_bytes();
        let high: [u8; 3] = self.rng.random();
        [kind | high[0] & 0b0011_1111, high[1], high[2], a, b, c]
    }
}
