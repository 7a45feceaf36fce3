//! The end of a connection: what becomes of its session and its will, and the last words.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;

use super::Connection;
use super::wire::Wire;
use crate::codec::{self, DecodeError, reason};
use crate::facts::Disconnected;
use crate::sessions::Fate;

/// How long a peer may take to accept the last words and to close.
const GOODBYE: Duration = Duration::from_secs(5);
const AT_SHUTDOWN: Duration = Duration::from_millis(500);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said goodbye; `with_will` if it asked for its will all the same.
    Goodbye { with_will: bool },
    /// The socket closed or broke, or the peer took nothing.
    Lost,
    /// The keep-alive passed without a packet.
    Silent,
    /// The client broke the protocol.
    Broken(DecodeError),
    /// Something not allowed was asked for; the code and the cause counted.
    Refused(u8, &'static str),
    /// The server ends it: taken over, revoked, expired, shutting down.
    Closed(u8),
}

impl End {
    /// The code of the DISCONNECT, and the cause that is counted.
    fn told(&self) -> (Option<u8>, Option<&'static str>) {
        match self {
            Self::Goodbye { .. } | Self::Lost => (None, None),
            Self::Silent => (Some(reason::KEEP_ALIVE_TIMEOUT), Some("keep_alive_timeout")),
            Self::Broken(error) => (Some(error.reason()), Some(error.cause())),
            Self::Refused(code, cause) => (Some(*code), Some(cause)),
            Self::Closed(code) => {
                (Some(*code), (*code == reason::NOT_AUTHORIZED).then_some("credentials_ended"))
            }
        }
    }

    /// For whoever asks why a device is offline.
    fn in_words(&self) -> &'static str {
        match self {
            Self::Goodbye { .. } => "goodbye",
            Self::Lost => "connection_lost",
            Self::Closed(reason::SESSION_TAKEN_OVER) => "session_taken_over",
            Self::Closed(reason::SERVER_SHUTTING_DOWN) => "server_stopped",
            Self::Silent | Self::Broken(_) | Self::Refused(..) | Self::Closed(_) => {
                self.told().1.unwrap_or("closed")
            }
        }
    }
}

impl Connection<'_> {
    /// The session's part of the end: it waits or goes, and the will is published, waits or goes.
    pub(super) async fn leave(&mut self, end: &End) {
        let with_will = !matches!(end, End::Goodbye { with_will: false });
        let will = self.will.take().filter(|_| with_will);
        if let Some(observed) = &self.observed {
            let (at, cause) = (self.front.clock.now(), end.in_words().to_owned());
            observed.disconnected(self.since, Disconnected { at, cause });
        }
        // Who comes back to their session finds there what they were promised, as far as it has room.
        while self.goes_on_without_us() && self.hand_out_some() {
            yield_now().await;
        }
        let fate = self.front.sessions.detach(&self.session, self.generation, self.session_expiry_s);
        let delay_s = will.as_ref().map_or(0, |will| will.delay_s);
        match (will, fate) {
            (Some(will), Fate::Waits(waits)) if delay_s > 0 => {
                self.front.hold_will(&self.session, self.generation, will, waits, self.session_expiry_s);
                return;
            }
            // The client is back before the delay was over (section 3.1.3.2.2).
            (Some(_), Fate::TakenOver) if delay_s > 0 => return,
            (Some(will), _) => self.front.publish_will(&will).await,
            (None, _) => {}
        }
        self.front.sessions.keep_will(&self.session, self.generation, None);
    }

    /// Whether the session will be there for its client, and is not another connection's already.
    fn goes_on_without_us(&self) -> bool {
        let state = self.session.state();
        let is_ours = state.generation == self.generation && !state.ended;
        self.session.durable && is_ours && !self.front.shutdown.is_cancelled()
    }

    pub(super) async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        end: &End,
        may_linger: bool,
    ) {
        let (code, cause) = end.told();
        if let Some(cause) = cause {
            // Of how a connection ended there is a fact of its own; a refusal is of something that was sent.
            if matches!(end, End::Broken(_) | End::Refused(..)) {
                self.refuse(cause);
            } else {
                self.front.metrics.refuse(cause);
            }
        }
        if let Some(code) = code {
            // What is known by now is said before the goodbye.
            self.answers.write(&mut wire.output, self.version, self.maximum_packet_size);
            codec::disconnect(&mut wire.output, self.version, code, None);
        }
        let patience = match self.front.shutdown.is_cancelled() {
            _ if !may_linger => Duration::ZERO,
            true => AT_SHUTDOWN,
            false => GOODBYE,
        };
        wire.finish(patience).await;
    }
}
