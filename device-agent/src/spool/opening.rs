//! Finding again what is on the disk.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use protocol::Boot;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tracing::{info, warn};

use super::numbering::Numbering;
use super::segment::{Name, Segment};
use super::{Counters, Spool, SpoolError, random_boot};
use crate::config::SpoolConfig;
use crate::durable::sync_dir;

impl Spool {
    /// Opens the spool in its directory, or makes one. The seed names new boots and must be another at each start.
    pub fn open(config: &SpoolConfig, seed: u64) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io { dir: config.dir.clone(), source };
        // Who was where is nobody else's business, and an identity lies there, too.
        DirBuilder::new().recursive(true).mode(0o700).create(&config.dir).map_err(failed)?;
        let lock = File::create(config.dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse { dir: config.dir.clone() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Self::recover(config, seed, lock).map_err(failed)
    }

    fn recover(config: &SpoolConfig, seed: u64, lock: File) -> io::Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut found = Found::read(&config.dir)?;
        let damaged = found.damaged;
        let active = if let Some(last) = found.segments.back() {
            last.open(true)?
        } else {
            let boot = random_boot(&mut rng);
            let name = Name { index: 0, base: 0, boot };
            let (segment, file) = Segment::create(&config.dir, name, 1)?;
            info!(%boot, "a new spool begins");
            found.segments.push_back(segment);
            found.numberings.push_back(Numbering::new(boot, 1, 0));
            file
        };
        let mut spool = Self {
            dir: config.dir.clone(),
            max_bytes: config.max_bytes,
            segment_bytes: config.segment_bytes,
            rng,
            bytes: found.segments.iter().map(|segment| segment.bytes).sum(),
            segments: found.segments,
            numberings: found.numberings,
            active,
            sound: true,
            reader: None,
            cursor: None,
            counters: Counters::default(),
            _lock: lock,
        };
        if damaged {
            warn!("the spool was damaged; what is left of it is kept");
            spool.begin()?;
        }
        spool.reclaim();
        Ok(spool)
    }
}

/// What lies in a directory.
struct Found {
    segments: VecDeque<Segment>,
    numberings: VecDeque<Numbering>,
    /// Whether something that had been safe is gone, so that a number might be given twice.
    damaged: bool,
}

impl Found {
    fn read(dir: &Path) -> io::Result<Self> {
        let mut found = Self { segments: VecDeque::new(), numberings: VecDeque::new(), damaged: false };
        let mut released: BTreeMap<Boot, u64> = BTreeMap::new();
        for name in names(dir)? {
            let age = match found.numberings.back() {
                Some(last) if last.boot == name.boot => last.age,
                last => {
                    let age = last.map_or(1, |last| last.age + 1);
                    found.numberings.push_back(Numbering::new(name.boot, age, name.base));
                    age
                }
            };
            let (segment, recovered) = Segment::recover(dir, name, age)?;
            if recovered.torn > 0 {
                info!(bytes = recovered.torn, file = %segment.path().display(), "a torn tail is cut off");
            }
            found.damaged |= recovered.damaged;
            found.join(segment, &recovered.seqs);
            for (boot, low) in recovered.marks {
                let known = released.entry(boot).or_default();
                *known = low.max(*known);
            }
        }
        for numbering in &mut found.numberings {
            if let Some(&low) = released.get(&numbering.boot) {
                found.damaged |= low > numbering.next;
                numbering.release_below(low);
            }
        }
        Ok(found)
    }

    /// Adds a file to those before it. Numbers that are missing between its batches, or between it and the file before,
    /// are taken out of the numbering: they will never come.
    fn join(&mut self, segment: Segment, seqs: &[u64]) {
        let Some(numbering) = self.numberings.back_mut() else { return };
        if let Some(before) = self.segments.back_mut()
            && before.age == segment.age
        {
            // What a failed write left behind the last safe batch of a file has its numbers again in the next.
            before.end = before.end.min(segment.name.base);
            numbering.next = numbering.next.min(segment.name.base);
        }
        let mut expected = numbering.next;
        let mut missing = Vec::new();
        for &seq in seqs {
            missing.extend(expected..seq);
            expected = seq + 1;
        }
        if seqs.is_empty() {
            missing.extend(expected..segment.name.base);
            expected = expected.max(segment.name.base);
        }
        numbering.next = expected;
        self.damaged |= !missing.is_empty();
        for seq in missing {
            numbering.release(seq);
        }
        self.segments.push_back(segment);
    }
}

/// The segment files in order. What an unfinished repair left behind is deleted; anything else is not ours.
fn names(dir: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_file(&path)?;
            sync_dir(dir)?;
            continue;
        }
        names.extend(path.file_name().and_then(|name| name.to_str()).and_then(Name::parse));
    }
    names.sort();
    Ok(names)
}
