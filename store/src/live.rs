//! What is true right now. Everything in here may be lost at any moment, and nothing may depend on it.

mod memory;

use presence::Occupancy;
use protocol::{AccountId, ClientId, DeviceId, GrantId, KeyId, Movement, OrganizationId, Timestamp, VenueId};
use tokio::sync::broadcast;

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
