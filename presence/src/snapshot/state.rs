//! The fields of a state, in and out side by side.

use std::collections::BTreeSet;

use protocol::{DeviceId, Subject, Timestamp, ZoneId};
use uuid::Uuid;

use super::SnapshotError::{self, Impossible};
use super::{Reader, Writer};
use crate::VisitClass;
use crate::tracker::{State, SubjectState};
use crate::visit::{OpenStay, Run, Touched};
use crate::zone::Rival;

const CLASSES: [VisitClass; 5] =
    [VisitClass::Visit, VisitClass::Bounce, VisitClass::PasserBy, VisitClass::Staff, VisitClass::Transient];

/// The flags of a run.
const TRANSIENT: u8 = 1;
const ANNOUNCED: u8 = 2;
const SHOWN: u8 = 4;
const STAY: u8 = 8;
const STAY_SHOWN: u8 = 16;
const RIVAL: u8 = 32;
const QUIET: u8 = 64;
const SILENT: u8 = 128;

/// Seconds and milliseconds have to be far enough from the ends of their range that no sum of times overflows.
const SANE_S: std::ops::Range<i64> = i64::MIN / 1_000..i64::MAX / 2_000;

pub(super) fn write(state: &State, w: &mut Writer) {
    let watermark = Timestamp(state.base * 1_000);
    let devices: BTreeSet<DeviceId> =
        state.subjects.iter().flat_map(|subject| subject.levels.iter().map(|(device, ..)| *device)).collect();
    let devices: Vec<DeviceId> = devices.into_iter().collect();
    let zones: BTreeSet<ZoneId> = state.subjects.iter().flat_map(zones_of).collect();
    let zones: Vec<ZoneId> = zones.into_iter().collect();

    w.signed(state.base);
    match state.newest {
        Some(newest) => {
            w.byte(1);
            w.signed(newest.0);
        }
        None => w.byte(0),
    }
    w.unsigned(devices.len() as u64);
    for device in &devices {
        w.raw(device.as_uuid().as_bytes());
    }
    w.unsigned(zones.len() as u64);
    for zone in &zones {
        w.raw(zone.as_uuid().as_bytes());
    }
    w.unsigned(state.subjects.len() as u64);
    for subject in &state.subjects {
        write_subject(subject, watermark, &devices, &zones, w);
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<State, SnapshotError> {
    let base = r.signed()?;
    if !SANE_S.contains(&base) {
        return Err(Impossible("the watermark"));
    }
    let newest = match r.byte()? {
        0 => None,
        1 => Some(Timestamp(r.signed()?)),
        _ => return Err(Impossible("a flag")),
    };
    let mut devices = Vec::new();
    for _ in 0..r.count()? {
        devices.push(DeviceId::from_uuid(Uuid::from_bytes(r.raw()?)));
    }
    let mut zones = Vec::new();
    for _ in 0..r.count()? {
        zones.push(ZoneId::from_uuid(Uuid::from_bytes(r.raw()?)));
    }
    let mut subjects: Vec<SubjectState> = Vec::new();
    for _ in 0..r.count()? {
        let subject = read_subject(Timestamp(base * 1_000), &devices, &zones, r)?;
        if subjects.last().is_some_and(|last| last.subject >= subject.subject) {
            return Err(Impossible("subjects out of order"));
        }
        subjects.push(subject);
    }
    Ok(State { base, newest, subjects })
}

fn zones_of(subject: &SubjectState) -> impl Iterator<Item = ZoneId> {
    let stay = subject.run.stay.as_ref().map(|stay| stay.zone);
    stay.into_iter().chain(subject.rival.map(|rival| rival.zone))
}

fn write_subject(
    state: &SubjectState,
    watermark: Timestamp,
    devices: &[DeviceId],
    zones: &[ZoneId],
    w: &mut Writer,
) {
    let zone = |zone| zones.binary_search(&zone).unwrap_or_default() as u64;
    let SubjectState { subject, run, rival, levels } = state;
    let stay = run.stay.as_ref();
    let stay_shown = stay.and_then(|stay| stay.shown);
    let flag = |set, flag| if set { flag } else { 0 };
    w.raw(&subject.0.to_be_bytes());
    w.byte(
        flag(run.transient, TRANSIENT)
            | flag(run.quiet, QUIET)
            | flag(run.announced, ANNOUNCED)
            | flag(run.shown.is_some(), SHOWN)
            | flag(stay.is_some(), STAY)
            | flag(stay.is_some_and(|stay| stay.silent), SILENT)
            | flag(stay_shown.is_some(), STAY_SHOWN)
            | flag(rival.is_some(), RIVAL),
    );
    w.byte(run.touched.0);
    w.byte(class_number(run.class));
    w.unsigned(watermark.since(run.to) as u64);
    w.unsigned(run.to.since(run.from) as u64);
    w.unsigned(run.until.since(run.from) as u64);
    w.unsigned(run.from.since(run.day) as u64);
    if let Some((to, class)) = run.shown {
        w.unsigned(run.to.since(to) as u64);
        w.byte(class_number(class));
    }
    if let Some(stay) = stay {
        w.unsigned(zone(stay.zone));
        w.unsigned(stay.from.since(run.from) as u64);
    }
    if let Some(shown) = stay_shown {
        w.unsigned(run.to.since(shown) as u64);
    }
    if let Some(rival) = rival {
        w.unsigned(zone(rival.zone));
        w.unsigned((watermark.second() - rival.since) as u64);
    }
    w.unsigned(levels.len() as u64);
    for (device, second, dbm) in levels {
        w.unsigned(devices.binary_search(device).unwrap_or_default() as u64);
        w.unsigned((watermark.second() - second) as u64);
        w.raw(&dbm.to_le_bytes());
    }
}

fn read_subject(
    watermark: Timestamp,
    devices: &[DeviceId],
    zones: &[ZoneId],
    r: &mut Reader<'_>,
) -> Result<SubjectState, SnapshotError> {
    let subject = Subject(u128::from_be_bytes(r.raw()?));
    let flags = r.byte()?;
    let touched = Touched(r.byte()?);
    let class = read_class(r)?;
    let to = earlier(watermark, r)?;
    let from = earlier(to, r)?;
    let until = from.plus(span(r)?);
    let day = earlier(from, r)?;
    if touched.0 >= 16 || to >= watermark || until <= to {
        return Err(Impossible("a run"));
    }
    let shown = if flags & SHOWN != 0 { Some((earlier(to, r)?, read_class(r)?)) } else { None };
    let mut stay = None;
    if flags & STAY != 0 {
        let zone = *pick(zones, r)?;
        let from = from.plus(span(r)?);
        let shown = if flags & STAY_SHOWN != 0 { Some(earlier(to, r)?) } else { None };
        let silent = flags & SILENT != 0;
        if from > to || silent && shown.is_some() {
            return Err(Impossible("a stay"));
        }
        stay = Some(OpenStay { zone, from, silent, shown });
    } else if flags & SILENT != 0 {
        return Err(Impossible("a stay"));
    }
    let rival = match flags & RIVAL {
        0 => None,
        _ => Some(Rival { zone: *pick(zones, r)?, since: earlier_second(watermark, r)? }),
    };
    let mut levels: Vec<(DeviceId, i64, f32)> = Vec::new();
    for _ in 0..r.count()? {
        let level = (*pick(devices, r)?, earlier_second(watermark, r)?, f32::from_le_bytes(r.raw()?));
        if !level.2.is_finite() || levels.last().is_some_and(|last| last.0 >= level.0) {
            return Err(Impossible("a level"));
        }
        levels.push(level);
    }
    let flag = |flag| flags & flag != 0;
    let (transient, quiet, announced) = (flag(TRANSIENT), flag(QUIET), flag(ANNOUNCED));
    let run = Run { from, to, until, day, touched, transient, quiet, class, announced, shown, stay };
    Ok(SubjectState { subject, run, rival, levels })
}

fn class_number(class: VisitClass) -> u8 {
    CLASSES.iter().position(|other| *other == class).unwrap_or_default() as u8
}

fn read_class(r: &mut Reader<'_>) -> Result<VisitClass, SnapshotError> {
    CLASSES.get(usize::from(r.byte()?)).copied().ok_or(Impossible("a class"))
}

/// A time this many milliseconds before `later`.
fn earlier(later: Timestamp, r: &mut Reader<'_>) -> Result<Timestamp, SnapshotError> {
    span(r).map(|ms| later.minus(ms))
}

fn earlier_second(watermark: Timestamp, r: &mut Reader<'_>) -> Result<i64, SnapshotError> {
    let seconds = span(r)?;
    if seconds == 0 { Err(Impossible("a second that is not over")) } else { Ok(watermark.second() - seconds) }
}

/// At most about 35,000 years: no sum of them overflows.
fn span(r: &mut Reader<'_>) -> Result<i64, SnapshotError> {
    let value = r.unsigned()?;
    i64::try_from(value).ok().filter(|value| *value < 1 << 50).ok_or(Impossible("a span of time"))
}

fn pick<'a, T>(items: &'a [T], r: &mut Reader<'_>) -> Result<&'a T, SnapshotError> {
    let index = r.unsigned()?;
    usize::try_from(index).ok().and_then(|index| items.get(index)).ok_or(Impossible("an index"))
}
