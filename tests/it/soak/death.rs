//! Every way in which a connection can end.

use anyhow::{Context, ensure};

use super::lot::{Lot, Nature};
use crate::mqtt::{Ack, Answer, Client, Delivery, PUBREC, PUBREL, Publish};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// DISCONNECT.
    Goodbye,
    /// The socket closes.
    Dropped,
    /// The socket is reset.
    Reset,
    /// The next connection of the same client takes over.
    TakenOver,
    /// Gone within a PUBLISH.
    HalfPublish,
    /// Gone after the PUBREC, and before the PUBREL.
    HalfExchange,
    /// Gone with a message that was not acknowledged.
    Owing,
    /// Nothing more is said until the server has had enough.
    Silence,
    /// Something is said that nobody may say.
    Nonsense,
}

impl Death {
    pub(super) fn draw(lot: &mut Lot) -> Self {
        match lot.below(100) {
            0..30 => Self::Goodbye,
            30..47 => Self::Dropped,
            47..60 => Self::Reset,
            60..72 => Self::TakenOver,
            72..83 => Self::HalfPublish,
            83..88 => Self::HalfExchange,
            88..93 => Self::Owing,
            93..96 => Self::Silence,
            _ => Self::Nonsense,
        }
    }

    /// Ends a connection, with a message of its client where one is needed. What is left is to be taken over.
    pub(super) async fn come(
        self,
        mut client: Client,
        nature: &Nature,
        message: Publish,
        lot: &mut Lot,
    ) -> anyhow::Result<Option<Client>> {
        let level = nature.hello.level;
        match self {
            Self::Goodbye if nature.may_last && lot.chance(50) => {
                let code = client.leave_with_expiry(lot.seconds()).await?;
                ensure!(code.is_none(), "the goodbye was refused: {code:?}");
            }
            // In version 5 a goodbye may want the will all the same.
            Self::Goodbye => client.leave((level == 5 && lot.chance(30)).then_some(4)).await?,
            Self::Dropped => drop(client),
            Self::Reset => client.reset()?,
            Self::TakenOver => return Ok(Some(client)),
            Self::HalfPublish => {
                let bytes = message.id(1).bytes(level);
                let cut = 1 + lot.below(bytes.len() - 1);
                client.send_bytes(&bytes[..cut]).await?;
                if lot.chance(50) {
                    client.reset()?;
                }
            }
            Self::HalfExchange => {
                let id = client.begin(message.qos(2)).await?;
                client.expect(PUBREC, id).await?;
            }
            Self::Owing => {
                let topic = lot.topic();
                if client.subscribe(&[(&topic, 1 + lot.below(2) as u8)]).await?[0] < 0x80 {
                    client.acknowledges = false;
                    client.send(&topic, "owed", 1, false).await?;
                    // With a full window the end of an earlier exchange comes instead.
                    while !is_owed(&client.next().await?.context("closed")?) {}
                }
            }
            Self::Silence => ended_with(&mut client, level, 0x8D).await?,
            Self::Nonsense => {
                client.send("soak/#", "nobody publishes to a filter", 0, false).await?;
                ended_with(&mut client, level, 0x90).await?;
            }
        }
        Ok(None)
    }
}

/// Whether the server waits for an acknowledgement now.
fn is_owed(answer: &Answer) -> bool {
    matches!(answer, Answer::Publish(Delivery { qos: 1.., .. }) | Answer::Ack(Ack { head: PUBREL, .. }))
}

/// Waits until the server ends the connection, which it says with that code in version 5.
pub(super) async fn ended_with(client: &mut Client, level: u8, code: u8) -> anyhow::Result<()> {
    let said = client.ended().await?;
    ensure!(said == (level == 5).then_some(code), "ended with {said:x?} and not {code:#04x}");
    Ok(())
}
