//! The threads that connections live on. Each has an event loop of its own that serves first what came first; a pool of
//! threads that share their work would serve last come, first served whenever two sockets are ready at once.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Where connections can be put.
#[derive(Debug, Clone)]
pub(crate) struct EventLoops {
    handles: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

/// The threads; they end when this is dropped, and with them whatever still runs there.
#[derive(Debug)]
pub(crate) struct Threads {
    stop: CancellationToken,
    /// Cancelled when a thread has ended.
    pub(crate) ended: CancellationToken,
    handles: Vec<JoinHandle<()>>,
}

impl EventLoops {
    /// Starts `count` threads; 0 stands for half of the machine's cores, since the ingest log, the database and the HTTP
    /// interface want the others.
    pub(crate) fn start(count: usize) -> io::Result<(Self, Threads)> {
        let count = match count {
            0 => thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2),
            count => count,
        };
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let mut handles = Vec::with_capacity(count);
        let mut running = Threads { stop: stop.clone(), ended: ended.clone(), handles: Vec::new() };
        for index in 0..count {
            let (stop, ended) = (stop.clone(), ended.clone());
            let (tell, told) = std::sync::mpsc::sync_channel(1);
            // Made there: one that no thread takes could not be dropped here, where others run.
            let thread = thread::Builder::new().name(format!("event-loop-{index}")).spawn(move || {
                let _ended = ended.drop_guard();
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                let _ = tell.send(Ok(runtime.handle().clone()));
                runtime.block_on(stop.cancelled());
                runtime.shutdown_background();
            })?;
            running.handles.push(thread);
            handles.push(told.recv().map_err(io::Error::other)??);
        }
        Ok((Self { handles: handles.into(), next: Arc::default() }, running))
    }

    /// All of them; the first is where connections are accepted.
    pub(crate) fn all(&self) -> &[Handle] {
        &self.handles
    }

    /// How many tasks live there.
    pub(crate) fn tasks(&self) -> usize {
        self.handles.iter().map(|handle| handle.metrics().num_alive_tasks()).sum()
    }

    /// Gives a connection that was accepted on the first to the one whose turn it is; answers where its task belongs.
    pub(crate) fn take(&self, socket: TcpStream) -> io::Result<(TcpStream, &Handle)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        let handle = &self.handles[turn];
        if turn == 0 {
            return Ok((socket, handle));
        }
        let socket = socket.into_std()?;
        let _there = handle.enter();
        Ok((TcpStream::from_std(socket)?, handle))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.handles.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
