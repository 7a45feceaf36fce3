//! Live state inside one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use presence::Occupancy;
use protocol::{CommandId, DeviceId, Movement, OrganizationId, Timestamp, VenueId};
use tokio::sync::{Notify, broadcast, watch};

use super::{Change, TwinNotice};
use crate::command::Command;

/// Live state of one process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Change>,
    twins: broadcast::Sender<TwinNotice>,
    connections: broadcast::Sender<(DeviceId, bool)>,
    orders: Arc<Notify>,
}

type Followed = watch::Sender<Option<Arc<Command>>>;

#[derive(Debug, Default)]
struct State {
    occupancy: HashMap<VenueId, (OrganizationId, Occupancy)>,
    /// Only venues that somebody has listened to.
    movements: HashMap<(OrganizationId, VenueId), broadcast::Sender<Movement>>,
    connections: HashMap<DeviceId, Timestamp>,
    followed: HashMap<CommandId, Followed>,
    /// What was ordered and nobody took yet.
    ordered: Vec<Arc<Command>>,
    /// That is not all, and the database has to be read.
    ordered_more: bool,
}

/// Movements that a listener may lag behind before it misses some: a few seconds of a busy venue.
const MOVEMENTS: usize = 1_024;

/// Changes that a listener may lag behind; it polls as well.
const CHANGES: usize = 256;

/// Commands that are remembered for the one who tells devices, before it has to read the outbox.
const ORDERED: usize = 4_096;

/// Twins and connections that a listener may lag behind.
const STEPS: usize = 1_024;

impl Memory {
    pub(super) fn see(&self, organization: OrganizationId, venue: VenueId, occupancy: Occupancy) {
        self.state().occupancy.insert(venue, (organization, occupancy));
    }

    pub(super) fn presence(&self, organization: OrganizationId, venue: VenueId) -> Option<Occupancy> {
        let state = self.state();
        let (owner, occupancy) = state.occupancy.get(&venue)?;
        (*owner == organization).then(|| occupancy.clone())
    }

    pub(super) fn publish(&self, organization: OrganizationId, movement: &Movement) {
        let mut state = self.state();
        let key = (organization, movement.venue);
        // An error says that the last listener has gone, and then the channel may go too.
        if state.movements.get(&key).is_some_and(|listeners| listeners.send(*movement).is_err()) {
            state.movements.remove(&key);
        }
    }

    pub(super) fn movements(
        &self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> broadcast::Receiver<Movement> {
        let mut state = self.state();
        let channel = || broadcast::channel(MOVEMENTS).0;
        state.movements.entry((organization, venue)).or_insert_with(channel).subscribe()
    }

    pub(super) fn changed(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.changes.send(change);
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(super) fn order(&self, commands: Vec<Arc<Command>>) {
        let mut state = self.state();
        // Later ones must not overtake those that are forgotten.
        state.ordered_more |= state.ordered.len() + commands.len() > ORDERED;
        if state.ordered_more {
            state.ordered.clear();
        } else {
            state.ordered.extend(commands);
        }
        drop(state);
        self.orders.notify_one();
    }

    pub(super) fn wish(&self) {
        self.state().ordered_more = true;
        self.orders.notify_one();
    }

    pub(super) fn take_ordered(&self) -> Option<Vec<Arc<Command>>> {
        let mut state = self.state();
        let ordered = std::mem::take(&mut state.ordered);
        let more = std::mem::take(&mut state.ordered_more);
        (!more).then_some(ordered)
    }

    pub(super) async fn ordered(&self) {
        self.orders.notified().await;
    }

    pub(super) fn progressed(&self, command: &Arc<Command>) {
        if let Some(followed) = self.state().followed.get(&command.id) {
            followed.send_replace(Some(Arc::clone(command)));
        }
    }

    pub(super) fn follow(&self, command: CommandId) -> watch::Receiver<Option<Arc<Command>>> {
        self.state().followed.entry(command).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    /// Called while the one who goes still counts.
    pub(super) fn unfollow(&self, command: CommandId) {
        let mut state = self.state();
        if state.followed.get(&command).is_some_and(|followed| followed.receiver_count() <= 1) {
            state.followed.remove(&command);
        }
    }

    pub(super) fn twin_changed(&self, notice: TwinNotice) {
        let _ = self.twins.send(notice);
    }

    pub(super) fn twins(&self) -> broadcast::Receiver<TwinNotice> {
        self.twins.subscribe()
    }

    pub(super) fn connected(&self, device: DeviceId, since: Timestamp) {
        self.state().connections.insert(device, since);
        let _ = self.connections.send((device, true));
    }

    pub(super) fn disconnected(&self, device: DeviceId) {
        self.state().connections.remove(&device);
        let _ = self.connections.send((device, false));
    }

    pub(super) fn connections(&self) -> broadcast::Receiver<(DeviceId, bool)> {
        self.connections.subscribe()
    }

    pub(super) fn connection(&self, device: DeviceId) -> Option<Timestamp> {
        self.state().connections.get(&device).copied()
    }

    /// A panic elsewhere cannot leave the maps half changed, so a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            changes: broadcast::channel(CHANGES).0,
            twins: broadcast::channel(STEPS).0,
            connections: broadcast::channel(STEPS).0,
            orders: Arc::default(),
        }
    }
}
