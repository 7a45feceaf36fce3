//! A group of steps, worked out in memory on what the database has, and written at once.

mod step;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use protocol::{CommandId, CommandStatus, DeviceId, OrganizationId, Profile, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::request::{Claimed, Handled, Outcome, Said, Step};
use super::{MAX_OPEN, MAX_UNDER_WAY};
use crate::command::Command;
use crate::command::rows::hex_list;
use crate::engine::Tx;
use crate::error::Result;
use crate::live::TwinNotice;
use crate::twin::{Side, Twin, TwinChange};

/// What a group works on, and what it changed of it.
pub(super) struct Batch {
    now: Timestamp,
    devices: HashMap<DeviceId, Declared>,
    commands: BTreeMap<CommandId, Command>,
    twins: BTreeMap<DeviceId, Twin>,
    new: Vec<Arc<Command>>,
    changed: BTreeSet<CommandId>,
    changed_twins: BTreeSet<DeviceId>,
    changes: Vec<(OrganizationId, DeviceId, TwinChange)>,
    overdue: Vec<CommandId>,
}

/// A device that there is.
pub(super) struct Declared {
    organization: OrganizationId,
    profile: Option<Profile>,
    /// How many of its commands have not come to their end.
    open: usize,
}

/// What has to be told once it is committed.
pub(super) struct Told {
    /// These commands are in the outbox, and due.
    pub(super) given: Vec<Arc<Command>>,
    /// There is something to be told to a device of its twin.
    pub(super) wishes: bool,
    /// These commands got further.
    pub(super) commands: Vec<Arc<Command>>,
    /// These twins changed.
    pub(super) twins: Vec<TwinNotice>,
}

/// Commands that are ended at once for being overdue.
const OVERDUE: i64 = 500;

impl Batch {
    /// Reads what the steps are about.
    pub(super) async fn load(tx: &mut Tx, steps: &[Step], now: Timestamp) -> Result<Self> {
        let (mut devices, mut commands, mut twins) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut expires = false;
        for step in steps {
            match step {
                Step::Give(new) => {
                    devices.insert(new.device.as_uuid());
                }
                Step::Cancel { id, .. } => {
                    commands.insert(id.as_uuid());
                }
                Step::Hear { device, said: Said::Ack(command, ack), .. } => {
                    commands.insert(command.as_uuid());
                    if ack.reported.is_some() {
                        devices.insert(device.as_uuid());
                        twins.insert(device.as_uuid());
                    }
                }
                Step::Hear { device, said: Said::Report(_), .. } | Step::Desire { device, .. } => {
                    devices.insert(device.as_uuid());
                    twins.insert(device.as_uuid());
                }
                Step::Handled(Handled { sent, waiting, told }) => {
                    commands.extend(sent.iter().chain(waiting).map(CommandId::as_uuid));
                    twins.extend(told.iter().map(|(device, _)| device.as_uuid()));
                }
                Step::Claim(_) => {}
                Step::Expire => expires = true,
            }
        }
        let ids = |ids: BTreeSet<Uuid>| ids.into_iter().collect::<Vec<_>>();
        let devices = if devices.is_empty() { Vec::new() } else { tx.declared(&ids(devices)).await? };
        let mut commands =
            if commands.is_empty() { Vec::new() } else { tx.lock_commands(&ids(commands)).await? };
        let overdue = if expires { tx.lock_overdue_commands(now, OVERDUE).await? } else { Vec::new() };
        let twins = if twins.is_empty() { Vec::new() } else { tx.lock_twins(&ids(twins)).await? };
        let overdue_ids = overdue.iter().map(|command| command.id).collect();
        commands.extend(overdue);
        Ok(Self {
            now,
            devices: devices.into_iter().collect(),
            commands: commands.into_iter().map(|command| (command.id, command)).collect(),
            twins: twins.into_iter().map(|twin| (twin.device, twin)).collect(),
            new: Vec::new(),
            changed: BTreeSet::new(),
            changed_twins: BTreeSet::new(),
            changes: Vec::new(),
            overdue: overdue_ids,
        })
    }

    /// Writes what changed.
    pub(super) async fn save(&mut self, tx: &mut Tx) -> Result<()> {
        let of = |ids: &mut dyn Iterator<Item = &CommandId>| -> Vec<&Command> {
            ids.filter_map(|id| self.commands.get(id)).collect()
        };
        if !self.new.is_empty() {
            tx.insert_commands(&of(&mut self.new.iter().map(|new| &new.id))).await?;
        }
        if !self.changed.is_empty() {
            tx.update_commands(&of(&mut self.changed.iter())).await?;
        }
        if !self.changed_twins.is_empty() {
            let twins: Vec<_> =
                self.changed_twins.iter().filter_map(|device| self.twins.get(device)).collect();
            tx.put_twins(&twins).await?;
            tx.put_twin_changes(&self.changes).await?;
        }
        Ok(())
    }

    /// Hands out what waits for devices that are there.
    pub(super) async fn claim(
        &self,
        tx: &mut Tx,
        steps: &[Step],
        outcomes: &mut [Result<Outcome>],
    ) -> Result<()> {
        for (step, outcome) in steps.iter().zip(outcomes) {
            let Step::Claim(claim) = step else { continue };
            let waiting = tx.waiting_commands(claim.device, self.now, MAX_OPEN).await?;
            let is_told = |(id, status): &(CommandId, CommandStatus)| match &claim.told {
                Some(told) => told.contains(id),
                None => *status == CommandStatus::Sent,
            };
            let (told, untold): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_told);
            let under_way = match &claim.told {
                Some(_) if !claim.impatient => {
                    told.iter().filter(|(_, status)| *status == CommandStatus::Sent).count()
                }
                _ => 0,
            };
            let room = MAX_UNDER_WAY.saturating_sub(under_way);
            let ids: Vec<_> = untold.iter().take(room).map(|(id, _)| id.as_uuid()).collect();
            let mut commands = if ids.is_empty() { Vec::new() } else { tx.lock_commands(&ids).await? };
            // On PostgreSQL it may have come to its end since.
            commands.retain(|command| command.status <= CommandStatus::Sent);
            commands.sort_unstable_by_key(|command| command.id);
            let waits = |command: &&mut Command| {
                command.status == CommandStatus::Queued && command.outbox_due.is_none()
            };
            for command in commands.iter_mut().filter(waits) {
                command.outbox_due = Some(self.now);
            }
            let due: Vec<_> =
                commands.iter().filter(|command| command.outbox_due == Some(self.now)).collect();
            if !due.is_empty() {
                tx.update_commands(&due).await?;
            }
            *outcome = Ok(Outcome::Claimed(Claimed { commands, more: untold.len() > room }));
        }
        Ok(())
    }

    /// What has to be told.
    pub(super) fn into_told(mut self) -> Told {
        let is_wish = |(_, _, change): &(_, _, TwinChange)| change.side == Side::Desired;
        let wishes = self.changes.iter().any(is_wish);
        let now = self.now;
        let is_due = |command: &Arc<Command>| command.outbox_due.is_some_and(|due| due <= now);
        let given = self.new.into_iter().filter(is_due).collect();
        let commands = self.changed.iter().filter_map(|id| self.commands.remove(id)).map(Arc::new).collect();
        let twins = &self.twins;
        let notice = |(_, device, change): (_, DeviceId, TwinChange)| {
            let twin = Arc::new(twins.get(&device)?.clone());
            Some(TwinNotice { side: change.side, patch: Arc::new(change.patch), twin })
        };
        let twins = self.changes.into_iter().filter_map(notice).collect();
        Told { given, wishes, commands, twins }
    }
}

impl Tx {
    /// Those of some devices that there are, kept from being deleted until the end.
    async fn declared(&mut self, devices: &[Uuid]) -> Result<Vec<(DeviceId, Declared)>> {
        const SQLITE: &str = "SELECT id, organization, profile,
                (SELECT count(*) FROM commands WHERE device = devices.id AND ended_at IS NULL) AS open
            FROM devices WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1)) AND deleted_at IS NULL";
        const POSTGRES: &str = "SELECT id, organization, profile,
                (SELECT count(*) FROM commands WHERE device = devices.id AND ended_at IS NULL) AS open
            FROM devices WHERE id = ANY($1) AND deleted_at IS NULL ORDER BY id FOR SHARE";
        let rows: Vec<DeclaredRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(hex_list(devices)).fetch_all(&mut **tx).await?,
            Self::Postgres(tx) => sqlx::query_as(POSTGRES).bind(devices).fetch_all(&mut **tx).await?,
        };
        let read = |row: DeclaredRow| {
            let declared = Declared {
                organization: OrganizationId::from_uuid(row.organization),
                profile: row.profile.map(|Json(profile)| profile),
                open: row.open as usize,
            };
            (DeviceId::from_uuid(row.id), declared)
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

#[derive(FromRow)]
struct DeclaredRow {
    id: Uuid,
    organization: Uuid,
    profile: Option<Json<Profile>>,
    open: i64,
}
