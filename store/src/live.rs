//! What is true right now. Everything in here may be lost at any moment, and nothing may depend on it.

mod memory;

use std::sync::Arc;

use presence::Occupancy;
use protocol::{
    AccountId, ClientId, CommandId, DeviceId, GrantId, KeyId, Movement, OrganizationId, Timestamp, VenueId,
};
use serde_json::{Map, Value};
use tokio::sync::{broadcast, watch};

use crate::command::Command;
use crate::twin::{Side, Twin};

pub use memory::Memory;

/// Live state: who is where, who is connected, what just happened.
#[derive(Debug, Clone)]
pub enum Live {
    /// Inside this process.
    Memory(Memory),
}

/// Something in the registry changed; whoever caches it reads it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A device, its secret or its placement.
    Device(DeviceId),
    /// A venue, its zones or what stands in it.
    Venue(VenueId),
    /// An API key.
    Key(KeyId),
    /// What a client was allowed, or that it no longer is.
    Grant(GrantId),
    /// An account, or what it may do in an organization.
    Account(AccountId),
    /// A client, its secret, or what it may ask for.
    Client(ClientId),
    /// Whether an organization's devices are announced to Home Assistant, and where.
    HomeAssistant(OrganizationId),
}

/// A twin changed.
#[derive(Debug, Clone)]
pub struct TwinNotice {
    /// Which side of it.
    pub side: Side,
    /// By what merge patch.
    pub patch: Arc<Map<String, Value>>,
    /// What it is now.
    pub twin: Arc<Twin>,
}

/// What becomes of one command, from the moment of following on.
#[derive(Debug)]
pub struct Following {
    command: CommandId,
    progress: watch::Receiver<Option<Arc<Command>>>,
    live: Live,
}

impl Following {
    /// The command once it got further than it was; none when nothing can come any more.
    pub async fn next(&mut self) -> Option<Arc<Command>> {
        self.progress.changed().await.ok()?;
        self.progress.borrow_and_update().clone()
    }

    /// The command as it was told last; none when nothing was.
    pub fn newest(&self) -> Option<Arc<Command>> {
        self.progress.borrow().clone()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let Live::Memory(memory) = &self.live;
        memory.unfollow(self.command);
    }
}

/// What comes in, from the moment of listening on. Who listens too slowly misses the oldest.
#[derive(Debug)]
pub struct Listener<T>(broadcast::Receiver<T>);

impl<T: Clone> Listener<T> {
    /// The next one; none when nothing can come any more.
    pub async fn next(&mut self) -> Option<T> {
        loop {
            match self.0.recv().await {
                Ok(value) => return Some(value),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next one if it is there already.
    pub fn try_next(&mut self) -> Option<T> {
        loop {
            match self.0.try_recv() {
                Ok(value) => return Some(value),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Live {
    /// Live state inside this process.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// Tells who is where in a venue.
    pub fn see(&self, organization: OrganizationId, venue: VenueId, occupancy: Occupancy) {
        let Self::Memory(memory) = self;
        memory.see(organization, venue, occupancy);
    }

    /// Who is where in a venue of that organization; none when nobody told.
    pub fn presence(&self, organization: OrganizationId, venue: VenueId) -> Option<Occupancy> {
        let Self::Memory(memory) = self;
        memory.presence(organization, venue)
    }

    /// Tells a movement to whoever listens to its venue.
    pub fn publish(&self, organization: OrganizationId, movement: &Movement) {
        let Self::Memory(memory) = self;
        memory.publish(organization, movement);
    }

    /// Listens to the movements in a venue of that organization.
    pub fn movements(&self, organization: OrganizationId, venue: VenueId) -> Listener<Movement> {
        let Self::Memory(memory) = self;
        Listener(memory.movements(organization, venue))
    }

    /// Tells that something in the registry changed.
    pub fn changed(&self, change: Change) {
        let Self::Memory(memory) = self;
        memory.changed(change);
    }

    /// Listens to changes of the registry, of the whole installation.
    pub fn changes(&self) -> Listener<Change> {
        let Self::Memory(memory) = self;
        Listener(memory.changes())
    }

    /// Tells that these commands are in the outbox and due, in the order in which they were given.
    pub fn order(&self, commands: Vec<Arc<Command>>) {
        let Self::Memory(memory) = self;
        memory.order(commands);
    }

    /// Tells that devices are to be told of their twins.
    pub fn wish(&self) {
        let Self::Memory(memory) = self;
        memory.wish();
    }

    /// Waits until there may be something new in the outbox, or to be told of a twin. For one who waits.
    pub async fn ordered(&self) {
        let Self::Memory(memory) = self;
        memory.ordered().await;
    }

    /// What was ordered since this was last asked. None when that is not all, and the database has to be read: it was too much,
    /// or there are wishes.
    pub fn take_ordered(&self) -> Option<Vec<Arc<Command>>> {
        let Self::Memory(memory) = self;
        memory.take_ordered()
    }

    /// Tells whoever follows a command that it got further.
    pub fn progressed(&self, command: &Arc<Command>) {
        let Self::Memory(memory) = self;
        memory.progressed(command);
    }

    /// Follows one command, which may be still to be given.
    pub fn follow(&self, command: CommandId) -> Following {
        let Self::Memory(memory) = self;
        Following { command, progress: memory.follow(command), live: self.clone() }
    }

    /// Tells that a twin changed.
    pub fn twin_changed(&self, notice: TwinNotice) {
        let Self::Memory(memory) = self;
        memory.twin_changed(notice);
    }

    /// Listens to changes of twins, of the whole installation.
    pub fn twins(&self) -> Listener<TwinNotice> {
        let Self::Memory(memory) = self;
        Listener(memory.twins())
    }

    /// Tells that a device is connected.
    pub fn connected(&self, device: DeviceId, since: Timestamp) {
        let Self::Memory(memory) = self;
        memory.connected(device, since);
    }

    /// Tells that a device is no longer connected.
    pub fn disconnected(&self, device: DeviceId) {
        let Self::Memory(memory) = self;
        memory.disconnected(device);
    }

    /// Listens to devices that come and go, of the whole installation: which, and whether it is connected now.
    pub fn connections(&self) -> Listener<(DeviceId, bool)> {
        let Self::Memory(memory) = self;
        Listener(memory.connections())
    }

    /// Since when a device is connected; none when it is not.
    pub fn connection(&self, device: DeviceId) -> Option<Timestamp> {
        let Self::Memory(memory) = self;
        memory.connection(device)
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::memory()
    }
}
