//! The task: takes what is waiting, works it out in memory, writes it in one transaction, and tells.

use std::time::Duration;

use protocol::Timestamp;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::batch::{Batch, Told};
use super::request::{Outcome, Request, Step};
use crate::clock::Clock;
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::live::Live;

/// Steps in one transaction: enough to be cheap, few enough to be short.
const GROUP: usize = 512;

/// How long notes of what was sent wait for others: mostly the answer of the device comes meanwhile, and what became of the
/// command is written once.
const LINGER: Duration = Duration::from_millis(10);

/// Works until nobody can ask any more.
pub(super) async fn run(store: Store, live: Live, clock: Clock, mut requests: mpsc::Receiver<Request>) {
    let mut group = Vec::with_capacity(GROUP);
    while requests.recv_many(&mut group, GROUP).await > 0 {
        if group.iter().all(|request| request.step.can_wait()) {
            let room = GROUP - group.len();
            // None in time, or nobody left to ask: what is there is written.
            let _ = timeout(LINGER, requests.recv_many(&mut group, room)).await;
        }
        let (steps, answers): (Vec<_>, Vec<_>) =
            group.drain(..).map(|request| (request.step, request.answer)).unzip();
        for (answer, outcome) in answers.into_iter().zip(write(&store, &live, &steps, clock.now()).await) {
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        }
    }
}

/// Writes a group. What an engine refuses of it must not take the others with it: then each goes alone.
async fn write(store: &Store, live: &Live, steps: &[Step], now: Timestamp) -> Vec<Result<Outcome>> {
    match write_together(store, live, steps, now).await {
        Ok(outcomes) => outcomes,
        Err(StoreError::Unavailable(why)) => {
            steps.iter().map(|_| Err(StoreError::Unavailable(why.clone()))).collect()
        }
        Err(error) if steps.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::error!(%error, steps = steps.len(), "a group of commands was refused; each goes alone");
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                let alone = write_together(store, live, std::slice::from_ref(step), now).await;
                outcomes.push(alone.and_then(|mut outcomes| outcomes.pop().unwrap_or(Ok(Outcome::Nothing))));
            }
            outcomes
        }
    }
}

async fn write_together(
    store: &Store,
    live: &Live,
    steps: &[Step],
    now: Timestamp,
) -> Result<Vec<Result<Outcome>>> {
    let mut tx = store.begin().await?;
    let mut batch = Batch::load(&mut tx, steps, now).await?;
    let mut outcomes: Vec<_> = steps.iter().map(|step| batch.take(step)).collect();
    batch.save(&mut tx).await?;
    batch.claim(&mut tx, steps, &mut outcomes).await?;
    tx.commit().await?;
    let Told { given, wishes, commands, twins } = batch.into_told();
    for command in &commands {
        live.progressed(command);
    }
    for change in twins {
        live.twin_changed(change);
    }
    if !given.is_empty() {
        live.order(given);
    }
    if wishes {
        live.wish();
    }
    Ok(outcomes)
}
