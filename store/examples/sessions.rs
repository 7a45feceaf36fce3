//! What saving a group of changes to sessions costs: `cargo run --release -p store --example sessions [DATABASE URL]`.
//!
//! Each commit queues some messages of 120 bytes for 100 sessions and takes those of the commit before off their queues.
//! CPU is of all threads of this process, without the database server's.

use std::time::{Duration, Instant};

use protocol::{DeviceId, OrganizationId, Timestamp};
use store::{Holder, SavedEntry, SavedMessage, SavedSession, SessionChanges, Store};

const SESSIONS: u64 = 100;
const COMMITS: u64 = 200;

#[tokio::main]
async fn main() -> store::Result<()> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = format!("sqlite:{}", directory.path().join("promenade.db").display());
    let store = Store::open(&std::env::args().nth(1).unwrap_or(file)).await?;
    let session = |id| SavedSession {
        id,
        organization: OrganizationId::new(Timestamp(0), [1; 10]),
        holder: Holder::Device(DeviceId::new(Timestamp(0), [2; 10])),
        client_id: format!("client {id}"),
        expiry_s: 3_600,
        expires_at: None,
        sent_through: None,
        will: None,
    };
    let sessions = (0..SESSIONS).map(session).collect();
    store.save_sessions(&SessionChanges { sessions, ..SessionChanges::default() }).await?;
    println!("{:>8} {:>10} {:>12} {:>12}", "rows", "sharing", "CPU ms", "wall ms");
    let mut next = 0;
    for (rows, sharing) in [(10, 1), (100, 1), (1_000, 1), (1_000, 100), (5_000, 1)] {
        let (begun, before) = (Instant::now(), cpu_time());
        let mut last = Vec::new();
        for _ in 0..COMMITS {
            let entry = |number: u64| SavedEntry {
                session: number % SESSIONS,
                position: number / SESSIONS,
                message: number / sharing,
                qos: 1,
                retain: false,
                released: false,
                identifiers: vec![],
            };
            let queued: Vec<SavedEntry> = (next..next + rows).map(entry).collect();
            let message = |id| SavedMessage { id, body: vec![b'x'; 120].into() };
            let messages = (next / sharing..(next + rows).div_ceil(sharing)).map(message).collect();
            next += rows;
            let dequeued =
                queued.iter().map(|entry| (entry.session, entry.position, entry.message)).collect();
            let dequeued = std::mem::replace(&mut last, dequeued);
            let changes = SessionChanges { messages, queued, dequeued, ..SessionChanges::default() };
            store.save_sessions(&changes).await?;
        }
        store.save_sessions(&SessionChanges { dequeued: last, ..SessionChanges::default() }).await?;
        let each = |time: Duration| time.as_secs_f64() * 1e3 / COMMITS as f64;
        println!(
            "{rows:>8} {sharing:>10} {:>12.2} {:>12.2}",
            each(cpu_time().saturating_sub(before)),
            each(begun.elapsed()),
        );
    }
    assert!(store.load_sessions().await?.messages.is_empty(), "all were taken off");
    store.close().await;
    Ok(())
}

/// Nanoseconds on a CPU of each thread: the first field of `schedstat` (proc(5)).
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
