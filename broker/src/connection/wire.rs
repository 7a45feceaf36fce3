//! The socket of a connection: reading, writing and waiting at once, with buffers only while there is something in them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::{End, Link, Step};
use crate::codec::reason;

/// How long a peer may accept nothing of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// With this much to write, no more is taken from the session, and the peer is not read: it must not make the server collect
/// answers that it does not take.
pub(super) const WRITE_LIMIT: usize = 64 * 1024;
const READ_CHUNK: usize = 64 * 1024;
/// A write buffer larger than this is let go when it is empty.
const KEPT: usize = 512;

thread_local! {
    /// What is read lands here first, so that a connection needs no buffer of its own while it waits.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_CHUNK].into_boxed_slice());
}

/// A socket with what was read and not understood yet, and what waits to be written.
pub(super) struct Wire<S> {
    socket: S,
    pub(super) input: BytesMut,
    pub(super) output: Vec<u8>,
    written: usize,
    /// The peer took something since the stall was looked at.
    moved: bool,
}

/// What a connection waits for beside being knocked at.
pub(super) struct Wants {
    /// New bytes.
    pub(super) reading: bool,
    /// Room in the write buffer.
    pub(super) draining: bool,
}

/// When a connection ends by itself.
pub(super) struct Timers {
    keep_alive: Option<Duration>,
    heard_at: Instant,
    expires_at: Option<Instant>,
    stalled_at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, input: BytesMut::new(), output: Vec::new(), written: 0, moved: false }
    }

    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Reads more of what comes; none where the peer is gone.
    pub(super) async fn read(&mut self) -> Option<usize> {
        let Self { socket, input, .. } = self;
        poll_fn(|context| poll_read(socket, input, context)).await
    }

    /// Writes what waits, and returns when there is something to do: new bytes, a knock, room to write more, the end of what
    /// was waited for, or the end. Answers how many bytes are new; nothing is read while there is something to `wait` for.
    pub(super) async fn progress(
        &mut self,
        wants: Wants,
        wait: &mut Step,
        link: &Link,
        timers: &mut Timers,
    ) -> Result<usize, End> {
        if self.input.is_empty() && self.input.capacity() > 0 {
            self.input = BytesMut::new(); // an idle connection holds no buffer
        }
        if timers.is_over() {
            return Err(End::Closed(reason::NOT_AUTHORIZED)); // however much more it sends
        }
        poll_fn(|context| {
            let is_written = match self.poll_write(context) {
                Poll::Ready(Ok(())) => {
                    timers.stalled_at = None;
                    true
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Lost)),
                Poll::Pending => false,
            };
            if link.poll_knock(context).is_ready() {
                return Poll::Ready(Ok(0));
            }
            if let Some(work) = wait.work()
                && work.as_mut().poll(context).is_ready()
            {
                *wait = Step::Done;
                return Poll::Ready(Ok(0));
            }
            let waiting = self.output.len() - self.written;
            let reading = wants.reading && wait.work().is_none() && waiting < WRITE_LIMIT;
            // What waits in the socket is read before the peer is called silent, since it may have been us who did not read.
            if reading && let Poll::Ready(read) = poll_read(&mut self.socket, &mut self.input, context) {
                return Poll::Ready(read.ok_or(End::Lost));
            }
            if !is_written && (std::mem::take(&mut self.moved) || timers.stalled_at.is_none()) {
                timers.stalled_at = Some(Instant::now());
            }
            match timers.poll(reading, context) {
                Poll::Ready(end) => Poll::Ready(Err(end)),
                Poll::Pending if is_written && wants.draining => Poll::Ready(Ok(0)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Writes the last words, for at most `patience`, and closes. With bytes unread the system would answer with a reset,
    /// and the peer might never see what was said last; so what still comes is read and thrown away.
    pub(super) async fn finish(&mut self, patience: Duration) {
        self.input.clear();
        let _ = timeout(patience, async {
            poll_fn(|context| self.poll_write(context)).await.ok()?;
            self.socket.shutdown().await.ok()?;
            while self.read().await.is_some() {
                self.input.clear();
            }
            Some(())
        })
        .await;
    }

    /// Ready once everything is written.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.output.len() {
            match ready!(Pin::new(&mut self.socket).poll_write(context, &self.output[self.written..]))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
            self.moved = true;
            // Of a client that always leaves something unread the buffer must not grow for ever. What is moved is never more
            // than was written since.
            if self.written >= WRITE_LIMIT && self.written >= self.output.len() - self.written {
                self.output.drain(..self.written);
                self.written = 0;
            }
        }
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        self.written = 0;
        self.output.clear();
        if self.output.capacity() > KEPT {
            self.output = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

/// None where the peer is gone.
fn poll_read<S: AsyncRead + Unpin>(
    socket: &mut S,
    buffer: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<Option<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        let result = ready!(Pin::new(socket).poll_read(context, &mut read));
        let bytes = read.filled();
        buffer.extend_from_slice(bytes);
        Poll::Ready(result.ok().and((!bytes.is_empty()).then_some(bytes.len())))
    })
}

impl Timers {
    pub(super) fn new(keep_alive: Option<Duration>, expires_at: Option<Instant>) -> Self {
        Self { keep_alive, heard_at: Instant::now(), expires_at, stalled_at: None, sleep: None }
    }

    /// The peer sent a packet.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Ready when the connection is to end. A timer that is set too early is set again only when it fires, so that a busy
    /// connection does not turn it with each packet.
    fn poll(&mut self, reading: bool, context: &mut Context<'_>) -> Poll<End> {
        while let Some(deadline) = self.deadline() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.is_elapsed() || sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(context));
            let now = Instant::now();
            if !reading {
                self.heard_at = now; // a session we stopped reading must not time out for what we did not read
            }
            if let Some(end) = self.passed(now) {
                return Poll::Ready(end);
            }
        }
        Poll::Pending
    }

    /// Whether the credentials ended.
    fn is_over(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        let silent = self.keep_alive.map(|every| self.heard_at + every);
        let stalled = self.stalled_at.map(|since| since + WRITE_TIMEOUT);
        [silent, stalled, self.expires_at].into_iter().flatten().min()
    }

    fn passed(&self, now: Instant) -> Option<End> {
        if self.expires_at.is_some_and(|at| at <= now) {
            Some(End::Closed(reason::NOT_AUTHORIZED))
        } else if self.stalled_at.is_some_and(|since| since + WRITE_TIMEOUT <= now) {
            Some(End::Lost)
        } else if self.keep_alive.is_some_and(|every| self.heard_at + every <= now) {
            Some(End::Silent)
        } else {
            None
        }
    }
}
