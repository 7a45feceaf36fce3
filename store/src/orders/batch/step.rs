//! The steps, each on what the group has in memory.

use std::sync::Arc;

use protocol::{
    Ack, Capabilities, CommandId, CommandReason, CommandStatus, DeviceId, Fault, MAX_ARGS_BYTES, Order,
    OrganizationId, Profile, twin,
};
use serde_json::{Map, Value};

use super::Batch;
use crate::command::{Author, Command, NewCommand};
use crate::error::{Result, StoreError};
use crate::orders::request::{Answered, Handled, Outcome, Said, Step};
use crate::orders::{ANSWER_GRACE_MS, MAX_OPEN};
use crate::twin::{Side, Twin, TwinChange};

impl Batch {
    /// Takes a step.
    pub(in crate::orders) fn take(&mut self, step: &Step) -> Result<Outcome> {
        match step {
            Step::Give(new) => self.give(new),
            Step::Cancel { organization, id } => self.cancel(*organization, *id),
            Step::Hear { organization, device, said: Said::Ack(command, ack) } => {
                let answered = self.answer(*organization, *device, *command, ack);
                let is_news = answered == Answered::Advanced || answered == Answered::Late;
                let twin = if is_news { self.report_with_ack(*organization, *device, ack) } else { None };
                Ok(Outcome::Answered(answered, twin))
            }
            Step::Hear { organization, device, said: Said::Report(patch) } => {
                self.change_twin(*organization, *device, Side::Reported, patch, Author::Device)
            }
            Step::Desire { organization, device, patch, version, author } => {
                self.profile(*organization, *device)?;
                let current = self.twins.get(device).map_or(0, |twin| twin.desired.version);
                if version.is_some_and(|version| version != current) {
                    return Err(StoreError::Conflict("version"));
                }
                self.change_twin(*organization, *device, Side::Desired, patch, *author)
            }
            Step::Handled(handled) => {
                self.handled(handled);
                Ok(Outcome::Nothing)
            }
            Step::Claim(_) => Ok(Outcome::Nothing),
            Step::Expire => Ok(Outcome::Count(self.expire())),
        }
    }

    fn profile(&self, organization: OrganizationId, device: DeviceId) -> Result<Option<&Profile>> {
        match self.devices.get(&device) {
            Some(declared) if declared.organization == organization => Ok(declared.profile.as_ref()),
            _ => Err(StoreError::NotFound),
        }
    }

    fn give(&mut self, new: &NewCommand) -> Result<Outcome> {
        let profile = self.profile(new.organization, new.device)?;
        if let Some(profile) = profile {
            check_order(&profile.capabilities, &new.name, &new.args)?;
        }
        let command = Command {
            id: new.id,
            organization: new.organization,
            device: new.device,
            name: new.name.clone(),
            args: new.args.clone(),
            signed: new.signed.clone(),
            author: new.author,
            bulk: new.bulk,
            request: new.request.clone(),
            created_at: self.now,
            deadline: new.deadline,
            status: CommandStatus::Queued,
            reason: None,
            detail: None,
            result: None,
            late_ack: None,
            outbox_due: Some(new.due_at),
            sent_at: None,
            accepted_at: None,
            ended_at: None,
        };
        if self.commands.contains_key(&command.id) {
            return Err(StoreError::Conflict("id"));
        }
        if let Some(declared) = self.devices.get_mut(&new.device) {
            if declared.open >= MAX_OPEN {
                return Err(StoreError::Full("commands of the device"));
            }
            declared.open += 1;
        }
        let given = Arc::new(command.clone());
        self.new.push(Arc::clone(&given));
        self.commands.insert(command.id, command);
        Ok(Outcome::Command(given))
    }

    fn cancel(&mut self, organization: OrganizationId, id: CommandId) -> Result<Outcome> {
        let now = self.now;
        let command = self.commands.get_mut(&id).filter(|command| command.organization == organization);
        let command = command.ok_or(StoreError::NotFound)?;
        // The broker may have read what is due and be about to send it.
        let may_be_on_its_way = command.outbox_due.is_some_and(|due| due <= now);
        if may_be_on_its_way || !command.status.may_become(CommandStatus::Cancelled) {
            return Err(StoreError::Conflict("status"));
        }
        command.end(CommandStatus::Cancelled, Some(CommandReason::Cancelled), now);
        let command = Arc::new(command.clone());
        self.changed.insert(id);
        Ok(Outcome::Command(command))
    }

    fn answer(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        id: CommandId,
        ack: &Ack,
    ) -> Answered {
        let now = self.now;
        let known = self.commands.get_mut(&id);
        let Some(command) =
            known.filter(|known| known.device == device && known.organization == organization)
        else {
            return Answered::Unknown;
        };
        let next = CommandStatus::from(ack.status);
        if command.status.is_final() {
            // What it said itself before is no news.
            if command.late_ack.is_some() || command.status == next || !ack.status.is_final() {
                return Answered::Repeated;
            }
            command.late_ack = serde_json::to_value(Ack { reported: None, ..ack.clone() }).ok();
            self.changed.insert(id);
            return Answered::Late;
        }
        if !command.status.may_become(next) {
            return Answered::Repeated;
        }
        command.sent_at = command.sent_at.or(Some(now));
        if next != CommandStatus::Refused {
            command.accepted_at = command.accepted_at.or(Some(now));
        }
        let (reason, detail) = ack.cause();
        command.detail = detail;
        if let Some(result) = &ack.result {
            let bytes = result.to_string().len();
            if bytes <= MAX_ARGS_BYTES {
                command.result = Some(result.clone());
            } else {
                let lost = format!("its result had {bytes} bytes, and {MAX_ARGS_BYTES} are kept");
                command.detail =
                    Some(command.detail.take().map_or(lost.clone(), |said| format!("{said} ({lost})")));
            }
        }
        command.outbox_due = None;
        if next.is_final() {
            command.end(next, reason, now);
        } else {
            (command.status, command.reason) = (next, reason);
        }
        self.changed.insert(id);
        Answered::Advanced
    }

    /// What an ack says of the device's state; where that cannot be, the ack counts all the same.
    fn report_with_ack(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        ack: &Ack,
    ) -> Option<Arc<Twin>> {
        let patch = ack.reported.as_ref()?;
        match self.change_twin(organization, device, Side::Reported, patch, Author::Device) {
            Ok(Outcome::Twin(twin, true)) => Some(twin),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%device, %error, "a device reports with an ack what cannot be");
                None
            }
        }
    }

    fn change_twin(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        side: Side,
        patch: &Map<String, Value>,
        author: Author,
    ) -> Result<Outcome> {
        let profile = self.profile(organization, device)?;
        let mut changed = match self.twins.get(&device) {
            Some(twin) => twin.clone(),
            None => Twin::new(organization, device),
        };
        let part = match side {
            Side::Desired => &mut changed.desired,
            Side::Reported => &mut changed.reported,
        };
        let before = part.state.clone();
        twin::merge(&mut part.state, patch.clone());
        if part.state == before {
            return Ok(Outcome::Twin(Arc::new(changed), false));
        }
        let invalid = |fault: Fault| StoreError::Invalid(fault.to_string());
        twin::check(&part.state).map_err(invalid)?;
        if let Some(profile) = profile {
            if side == Side::Desired {
                profile.capabilities.has_parts_of(patch).map_err(invalid)?;
            }
            // What was said before the device was declared otherwise is no fault of this.
            let is_touched = |(name, _): &(&String, &Value)| patch.contains_key(*name);
            let touched = part.state.iter().filter(is_touched);
            let touched = touched.map(|(name, value)| (name.clone(), value.clone())).collect();
            profile.capabilities.holds(&touched).map_err(invalid)?;
        }
        part.version += 1;
        part.changed_at = Some(self.now);
        let version = part.version;
        if side == Side::Desired {
            changed.desired_due = Some(self.now);
        }
        let change = TwinChange { side, version, patch: patch.clone(), author, at: self.now };
        self.changes.push((organization, device, change));
        self.changed_twins.insert(device);
        self.twins.insert(device, changed.clone());
        Ok(Outcome::Twin(Arc::new(changed), true))
    }

    fn handled(&mut self, Handled { sent, waiting, told }: &Handled) {
        for id in sent.iter().chain(waiting) {
            let Some(command) = self.commands.get_mut(id) else { continue };
            if command.outbox_due.take().is_some() {
                self.changed.insert(*id);
            }
        }
        for id in sent {
            let Some(command) = self.commands.get_mut(id) else { continue };
            if command.status == CommandStatus::Queued {
                command.send(self.now);
                self.changed.insert(*id);
            }
        }
        for (device, version) in told {
            let Some(twin) = self.twins.get_mut(device) else { continue };
            if twin.desired.version == *version && twin.desired_due.take().is_some() {
                self.changed_twins.insert(*device);
            }
        }
    }

    fn expire(&mut self) -> u64 {
        let now = self.now;
        let mut ended = 0;
        for id in std::mem::take(&mut self.overdue) {
            let Some(command) = self.commands.get_mut(&id) else { continue };
            let reason = match command.status {
                CommandStatus::Queued => CommandReason::Undelivered,
                _ if command.deadline.plus(ANSWER_GRACE_MS) <= now => CommandReason::Unanswered,
                _ => continue,
            };
            if command.status.may_become(CommandStatus::Expired) {
                command.end(CommandStatus::Expired, Some(reason), now);
                self.changed.insert(id);
                ended += 1;
            }
        }
        ended
    }
}

/// Refuses what a device has declared that it cannot do; what it has not declared anything about it must say itself.
fn check_order(capabilities: &Capabilities, name: &str, args: &Value) -> Result<()> {
    let invalid = |what: &dyn std::fmt::Display| StoreError::Invalid(format!("{name}: {what}"));
    let order = match Order::read(name, args) {
        Ok(None) => return Ok(()),
        Ok(Some(order)) => order,
        Err(fault) => return Err(invalid(&fault)),
    };
    capabilities.after(&Map::new(), &order).map(drop).map_err(|reason| invalid(&reason))
}
