//! Orders that an assistant gives to a device, and what comes of them in time.

use std::sync::Arc;
use std::time::Duration;

use protocol::{CommandReason, CommandStatus, Order, OrganizationId, twin};
use store::{Author, Command, Following, NewCommand, StoreError};
use tokio::time::{Instant, timeout_at};

use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId};
use crate::outcome::Outcome;

/// How long a device may take to begin: what somebody said is not done minutes later.
const DEADLINE_MS: i64 = 20_000;

/// How long after that what became of it is waited for.
const GRACE: Duration = Duration::from_secs(35);

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

    /// What a device says it is, and what the orders that it did make of that if it did not say so yet.
    async fn reported_after(&self, given: &Given) -> Outcome {
        let EndpointId::Device(device) = given.endpoint.id else { return Outcome::Pending };
        let mut reported = match self.store.twin(given.organization, device).await {
            Ok(twin) => twin.reported.state,
            Err(_) => given.endpoint.reported.clone(),
        };
        let capabilities = &given.endpoint.profile.capabilities;
        for order in given.orders.iter().filter(|order| !is_relative(order)) {
            if let Ok(patch) = capabilities.after(&reported, order) {
                twin::merge(&mut reported, patch);
            }
        }
        Outcome::Done { reported: self.told(reported), at: self.now() }
    }
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
