//! What a device was ordered and has not done.

use protocol::{CommandStatus, DeviceId, OrganizationId, Timestamp};
use store::{CommandFilter, Page, Store, StoreError};

use super::Evidence;
use crate::explain::finding::{Code, Finding};
use crate::explain::words::counted;

/// Waiting commands that are counted.
const COUNTED: u32 = 100;
/// Commands that are looked through for the last that ended.
const LOOKED_THROUGH: u32 = 20;

/// What a device was ordered last.
#[derive(Debug, Clone, Default)]
pub(in crate::explain) struct Ordered {
    /// How many commands wait for it: 100 are counted.
    pub(super) waiting: u32,
    /// The last command that came to its end.
    pub(super) ended: Option<Ended>,
}

/// A command that came to its end.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) name: String,
    pub(super) status: CommandStatus,
    /// In the words of the list, and in the device's own.
    pub(super) cause: String,
    pub(super) at: Timestamp,
}

impl Ordered {
    /// Reads it.
    pub(in crate::explain) async fn of(
        store: &Store,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Ordered, StoreError> {
        let of_device = CommandFilter { device: Some(device), ..CommandFilter::default() };
        let queued = CommandFilter { status: Some(CommandStatus::Queued), ..of_device };
        let waiting = store.commands(organization, queued, Page::first(COUNTED)).await?.items.len() as u32;
        let newest = store.commands(organization, of_device, Page::first(LOOKED_THROUGH)).await?.items;
        let ended = newest.into_iter().find_map(|command| {
            let reason = command.reason.map_or("no reason given".to_owned(), |reason| format!("`{reason}`"));
            let cause = match command.detail {
                Some(detail) => format!("{reason}, in its words \"{detail}\""),
                None => reason,
            };
            Some(Ended { name: command.name, status: command.status, cause, at: command.ended_at? })
        });
        Ok(Ordered { waiting, ended })
    }
}

impl Evidence {
    /// What is to be said of its commands. None of it keeps a device from its work.
    pub(super) fn of_commands(&self) -> Vec<Finding> {
        [self.commands_waiting(), self.command_failed()].into_iter().flatten().collect()
    }

    fn commands_waiting(&self) -> Option<Finding> {
        let waiting = self.ordered.waiting;
        if waiting == 0 {
            return None;
        }
        let more = if waiting == COUNTED { " or more" } else { "" };
        let verb = if waiting == 1 { "waits" } else { "wait" };
        let what = format!("{}{more} {verb} for it.", counted(waiting, "command"));
        let remedy = "They are sent when they are due and it is connected, and expire at their deadlines: GET \
                      /api/v1/devices/{device}/commands?status=queued lists them.";
        Some(Finding::note(Code::CommandsWaiting, what, remedy))
    }

    fn command_failed(&self) -> Option<Finding> {
        let ended = self.ordered.ended.as_ref()?;
        if matches!(ended.status, CommandStatus::Done | CommandStatus::Cancelled) {
            return None;
        }
        let what = format!(
            "Its last command, `{}`, ended {} as `{}`: {}.",
            ended.name,
            self.ago(ended.at),
            ended.status,
            ended.cause
        );
        let remedy = "docs/commands.md says what each reason means; GET /api/v1/devices/{device}/commands has the whole of it.";
        Some(Finding::note(Code::CommandFailed, what, remedy))
    }
}
