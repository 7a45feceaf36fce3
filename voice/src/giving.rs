//! Orders that an assistant gives to a device, and what comes of them in time.

use std::sync::Arc;
use std::time::Duration;

use protocol::{CommandReason, CommandStatus, DeviceId, Order, OrganizationId, twin};
use serde_json::{Map, Value};
use store::{Author, Command, Following, NewCommand, Side, StoreError, TwinSide};
use tokio::time::{Instant, timeout_at};

use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId};
use crate::outcome::Outcome;

/// How long a device may take to begin: what somebody said is not done minutes later.
const DEADLINE_MS: i64 = 20_000;

/// How long after that what became of it is waited for.
const GRACE: Duration = Duration::from_secs(35);

/// How many changes are read of what a device said while its orders were waited for.
const MOST_CHANGES: u32 = 50;

/// Orders that were given to one device.
pub(crate) struct Given {
    organization: OrganizationId,
    endpoint: Endpoint,
    orders: Vec<Order>,
    waited_for: Vec<(Following, Arc<Command>)>,
}

impl Voice {
    /// Gives orders to a device, in their order. What comes of it at once, where nothing was given.
    pub(crate) async fn give(
        &self,
        organization: OrganizationId,
        author: Author,
        endpoint: &Endpoint,
        orders: Vec<Order>,
    ) -> Result<Given, Outcome> {
        let EndpointId::Device(device) = endpoint.id else {
            return Err(Outcome::Failed(CommandReason::NotSupported));
        };
        if !self.is_connected(device) {
            return Err(Outcome::Offline);
        }
        let mut waited_for = Vec::new();
        for order in &orders {
            let (name, args) = order.write();
            let (id, now) = (self.orders.new_id().map_err(failed)?, self.now());
            let following = self.live.follow(id);
            let new = NewCommand {
                id,
                organization,
                device,
                name,
                args,
                signed: None,
                author,
                bulk: None,
                request: None,
                due_at: now,
                deadline: now.plus(DEADLINE_MS),
            };
            waited_for.push((following, self.orders.give(new).await.map_err(failed)?));
        }
        Ok(Given { organization, endpoint: endpoint.clone(), orders, waited_for })
    }

    /// What came of orders by then.
    pub(crate) async fn settled(&self, given: &mut Given, until: Instant) -> Outcome {
        for (following, command) in &mut given.waited_for {
            while !command.status.is_final() {
                match timeout_at(until, following.next()).await {
                    Ok(Some(further)) => *command = further,
                    Ok(None) | Err(_) => return Outcome::Pending,
                }
            }
            if command.status != CommandStatus::Done {
                return Outcome::Failed(command.reason.unwrap_or(CommandReason::Other));
            }
        }
        self.reported_after(given).await
    }

    /// What came of orders in the end.
    pub(crate) async fn settled_at_last(&self, given: &mut Given) -> Outcome {
        self.settled(given, Instant::now() + Duration::from_millis(DEADLINE_MS as u64) + GRACE).await
    }

    /// What a device says it is. What the orders that it did make of that is added where it said nothing of it since they were
    /// given: a device that was told 40 and says 35 is at 35.
    async fn reported_after(&self, given: &Given) -> Outcome {
        let EndpointId::Device(device) = given.endpoint.id else { return Outcome::Pending };
        let (mut reported, said) = match self.store.twin(given.organization, device).await {
            Ok(twin) => {
                let said = self.said_since(given, device, &twin.reported).await;
                (twin.reported.state, said)
            }
            Err(_) => (given.endpoint.reported.clone(), Map::new()),
        };
        let capabilities = &given.endpoint.profile.capabilities;
        for order in given.orders.iter().filter(|order| !is_relative(order)) {
            if let Ok(patch) = capabilities.after(&reported, order) {
                twin::merge(&mut reported, without(patch, &said));
            }
        }
        Outcome::Done { reported: self.told(reported), at: self.now() }
    }

    /// What a device said of itself since orders were given to it, whatever the values. What it repeated with nothing new beside it
    /// leaves no trace in its twin, and is as if it had said nothing.
    async fn said_since(&self, given: &Given, device: DeviceId, now: &TwinSide) -> Map<String, Value> {
        let mut said = Map::new();
        let changes = now.version.saturating_sub(given.endpoint.reported_version);
        if changes == 0 {
            return said;
        }
        let limit = u32::try_from(changes).unwrap_or(u32::MAX).min(MOST_CHANGES);
        match self.store.twin_changes(given.organization, device, Side::Reported, None, limit).await {
            Ok(changes) => changes.into_iter().for_each(|change| add(&mut said, change.patch)),
            Err(error) => {
                tracing::warn!(%error, "what a device said since it was told something is not known");
            }
        }
        said
    }
}

/// Adds the members of a patch to those of others, on every level.
fn add(said: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (said.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(members)) => add(inner, members),
            (_, value) => drop(said.insert(name, value)),
        }
    }
}

/// A patch without what was said.
fn without(patch: Map<String, Value>, said: &Map<String, Value>) -> Map<String, Value> {
    let unsaid = patch.into_iter().filter_map(|(name, value)| match (said.get(&name), value) {
        (Some(Value::Object(said)), Value::Object(members)) => Some((name, without(members, said).into())),
        (Some(_), _) => None,
        (None, value) => Some((name, value)),
    });
    unsaid.collect()
}

/// Whether an order says by how much: done twice in mind it would be too much.
fn is_relative(order: &Order) -> bool {
    order.write().0.ends_with(".adjust")
}

/// Why an order could not be given.
fn failed(error: StoreError) -> Outcome {
    Outcome::Failed(match error {
        StoreError::NotFound => CommandReason::DeviceDeleted,
        StoreError::Invalid(_) => CommandReason::NotSupported,
        StoreError::Full(_) => CommandReason::Busy,
        error => {
            tracing::error!(%error, "an order of an assistant could not be given");
            CommandReason::Interrupted
        }
    })
}
